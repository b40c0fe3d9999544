package httpapi

import (
	"errors"
	"fmt"
	"math"
	"net/http"
	"time"

	"github.com/distributed-rate-limiter/distributed-rate-limiter/node"
	"github.com/distributed-rate-limiter/distributed-rate-limiter/node/internal/keys"
	"github.com/distributed-rate-limiter/distributed-rate-limiter/node/internal/spec"
)

// request is the input of take, charge, reserve, peek, reset and explain. Each uses a part of it.
type request struct {
	client  string
	limit   string
	cost    int64
	atMost  bool
	timeout timeout
	policy  *node.Policy
	also    []node.Check
	shares  bool // it takes of what is shared out among those who ask
}

// newRequest has the defaults of all fields that are missing.
func newRequest() request {
	return request{cost: 1, timeout: timeout{time.Minute}}
}

// fields are those of every request. Some read the first two alone, so their order counts.
func (q *request) fields() []spec.Field {
	return []spec.Field{{Name: "client", Into: &q.client}, {Name: "limit", Into: &q.limit}, {Name: "cost", Into: &q.cost}}
}

// flatFields are those that a query may have, too, for a request that may have at_most or not.
func (q *request) flatFields(mayAtMost bool) []spec.Field {
	if mayAtMost {
		return append(q.fields(), q.atMostField())
	}
	return q.fields()
}

func (q *request) atMostField() spec.Field { return spec.Field{Name: "at_most", Into: &q.atMost} }

func (q *request) timeoutField() spec.Field { return spec.Field{Name: "timeout", Into: &q.timeout} }

// nested are the fields that only a body may have.
func (q *request) nested() []spec.Field {
	return []spec.Field{{Name: "also", Into: q.readAlso}, {Name: "policy", Into: readPolicy(&q.policy)}}
}

// readPolicy reads a policy that comes with a request.
func readPolicy(into **node.Policy) func(*spec.Reader, string, spec.Value) {
	return func(r *spec.Reader, path string, v spec.Value) {
		l := r.Inline(path, v)
		p := l.Policy()
		*into = &p
	}
}

const alsoExample = `{"limit": "day"}`

// readAlso reads the further limits that have to admit the request as well.
func (q *request) readAlso(r *spec.Reader, path string, v spec.Value) {
	if v.Kind != spec.List || len(v.Items) > node.MaxChecks {
		r.Refuse(v.Line, path, "is not such a list", fmt.Sprintf("must be a list of at most %d mappings, such as [%s]", node.MaxChecks, alsoExample))
		return
	}
	q.also = make([]node.Check, len(v.Items))
	for i, item := range v.Items {
		readCheck(r, spec.Index(path, i), item, &q.also[i])
	}
}

// readCheck reads one of them. A client or a cost that is missing is the request's own. So an empty
// client and a cost of 0 are faults, or they would be taken for missing.
func readCheck(r *spec.Reader, path string, v spec.Value, c *node.Check) {
	fields := []spec.Field{
		{Name: "limit", Into: &c.Limit}, {Name: "client", Into: &c.Client}, {Name: "cost", Into: &c.Cost}, {Name: "policy", Into: readPolicy(&c.Policy)},
	}
	r.Mapping(path, v, alsoExample, func(at string, m spec.Member) {
		if !r.Member(at, m, fields) {
			return
		}
		switch {
		case m.Name == "client" && c.Client == "":
			r.Refuse(m.Value.Line, at, `""`, "must not be empty; leave it out for the request's own")
		case m.Name == "cost" && c.Cost < 1:
			r.Refuse(m.Value.Line, at, c.Cost, "must be at least 1; leave it out for the request's own")
		}
	})
	if v.Kind == spec.Mapping && !v.Has("limit") && !v.Has("policy") {
		r.Refuse(v.Line, spec.Join(path, "limit"), "is missing", "must be the name of a limit")
	}
}

// zeroCost stands for a cost of 0 that a client wrote, because 0 means 1 to a node.
const zeroCost = math.MinInt64

// request is what a node is asked by r.
func (q *request) request(r *http.Request) node.Request {
	cost := q.cost
	if cost == 0 {
		cost = zeroCost
	}
	out := node.Request{
		Door: node.DoorHTTP, Hold: r.Context(), Client: q.client, Limit: q.limit, Cost: cost, AtMost: q.atMost, Policy: q.policy, Timeout: q.timeout.Duration, Also: q.also,
	}
	if q.policy != nil || len(q.also) > 0 || q.shares { // nothing else is shared out
		out.Origin = keys.Origin(r.RemoteAddr)
	}
	return out
}

// timeout is how long a reservation's token is valid.
type timeout struct{ time.Duration }

// UnmarshalText implements encoding.TextUnmarshaler.
func (t *timeout) UnmarshalText(text []byte) error {
	w, err := spec.ParseWindow(string(text))
	if err != nil || w.Calendar != 0 || w.Duration <= 0 || w.Duration > node.MaxTimeout {
		return errTimeout
	}
	t.Duration = w.Duration
	return nil
}

var errTimeout = errors.New("must be a number of seconds or a duration such as 90s, above 0 and at most " + node.MaxTimeout.String())
