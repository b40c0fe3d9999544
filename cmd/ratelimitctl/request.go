package main

import (
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"

	"github.com/distributed-rate-limiter/distributed-rate-limiter/node"
)

// request is the request of take, charge and reserve, without the client.
type request struct {
	limit  *string
	cost   int64
	atMost bool
	also   checks
}

// newRequest adds the flags of a request.
func newRequest(c *call, cost string) *request {
	q := newCost(c, cost)
	c.Add(&q.atMost, "at-most", "take as much of the cost as fits, if that is at least 1")
	return q
}

// newCost adds the flags of a request for all of its cost.
func newCost(c *call, cost string) *request {
	q := &request{limit: c.limitFlag(), cost: 1}
	c.Add(&q.cost, "cost", cost)
	c.Add(&q.also, "also", "a further limit that the request is under as well: a name, or `FIELDS` like limit=day,client=acme,cost=2; "+
		"a field left out is the request's; put a field with a comma in double quotes, as in CSV; may be repeated")
	return q
}

// body is the request for a client. It leaves out fields that the user did not give, so that
// older daemons answer, too.
func (q *request) body(client string) map[string]any {
	b := map[string]any{"client": client, "cost": q.cost}
	if *q.limit != "" {
		b["limit"] = *q.limit
	}
	if q.atMost {
		b["at_most"] = true
	}
	if len(q.also) > 0 {
		b["also"] = q.also
	}
	return b
}

// checks are the values of -also, as a body has them.
type checks []map[string]any

// String implements flag.Value.
func (c *checks) String() string { return "" }

// Set implements flag.Value. Commas separate the fields. A client's id may hold a comma too, so the
// fields take the quotes of CSV, which people know.
func (c *checks) Set(s string) error {
	if len(*c) == node.MaxChecks {
		return fmt.Errorf("must be at most %d", node.MaxChecks)
	}
	r := csv.NewReader(strings.NewReader(s))
	r.FieldsPerRecord = -1
	fields, err := r.Read()
	if err != nil {
		return errors.New("must be a limit's name, or fields like limit=day,client=acme,cost=2, one with a comma in double quotes")
	}
	if _, err := r.Read(); !errors.Is(err, io.EOF) {
		return errors.New("must be one line")
	}
	if len(fields) == 1 && !strings.Contains(fields[0], "=") {
		fields[0] = "limit=" + fields[0]
	}
	check := map[string]any{}
	for _, field := range fields {
		name, value, _ := strings.Cut(field, "=")
		if _, twice := check[name]; twice {
			return fmt.Errorf("%s is given more than once", name)
		}
		switch name {
		case "limit", "client":
			if value == "" {
				return fmt.Errorf("%s must not be empty", name)
			}
			check[name] = value
		case "cost":
			n, err := strconv.ParseInt(value, 10, 64)
			if err != nil {
				return fmt.Errorf("cost %q: must be a whole number", value)
			}
			check[name] = n
		default:
			return fmt.Errorf("%q is not understood: limit=, client= or cost=", field)
		}
	}
	if check["limit"] == nil {
		return errors.New("must name a limit")
	}
	*c = append(*c, check)
	return nil
}
