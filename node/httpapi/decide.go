package httpapi

import (
	"fmt"
	"math"
	"net/http"
	"strconv"
	"time"

	"github.com/distributed-rate-limiter/distributed-rate-limiter/node"
	"github.com/distributed-rate-limiter/distributed-rate-limiter/node/internal/spec"
)

// decision is a node's answer in JSON. Times are milliseconds, rounded up.
type decision struct {
	Allowed    bool   `json:"allowed"`
	Limit      string `json:"limit"`
	Quota      int64  `json:"quota"`
	Window     int64  `json:"window_ms"`
	Burst      int64  `json:"burst"`
	Remaining  int64  `json:"remaining"`
	RetryAfter int64  `json:"retry_after_ms"`
	ResetAfter int64  `json:"reset_after_ms"`
	Reason     string `json:"reason,omitempty"`   // where it is not simply within the limit
	Degraded   bool   `json:"degraded,omitempty"` // peers could not be heard
}

func decisionOf(d node.Decision) decision {
	out := decision{
		Allowed: d.Allowed, Limit: d.Limit, Quota: d.Quota, Window: ceil(d.Window, time.Millisecond), Burst: d.Burst,
		Remaining: d.Remaining, RetryAfter: ceil(d.RetryAfter, time.Millisecond), ResetAfter: ceil(d.ResetAfter, time.Millisecond),
		Degraded: d.Degraded,
	}
	if d.Reason != node.ReasonOK && d.Reason != node.ReasonPeek {
		out.Reason = d.Reason.String()
	}
	return out
}

// ceil is d in units, rounded up: who comes back at that time is not too early.
func ceil(d, unit time.Duration) int64 {
	n := int64(d / unit)
	if d%unit > 0 {
		n++
	}
	return n
}

// request is the input of take, peek and reset.
type request struct {
	client string
	limit  string
	cost   int64
}

func newRequest() request { return request{limit: node.DefaultLimit, cost: 1} }

func (q *request) fields() []spec.Field {
	return []spec.Field{{Name: "client", Into: &q.client}, {Name: "limit", Into: &q.limit}, {Name: "cost", Into: &q.cost}}
}

// take decides. A denial is an answer, not an error.
func (a *api) take(w http.ResponseWriter, r *http.Request) {
	q := newRequest()
	if p := readInput(w, r, q.fields()); p != nil {
		p.write(w)
		return
	}
	d, p := a.ask(q, false)
	switch {
	case p != nil:
		p.write(w)
	case d.Allowed:
		ok(w, decisionOf(d))
	default:
		w.Header().Set("Retry-After", strconv.FormatInt(max(1, ceil(d.RetryAfter, time.Second)), 10))
		respond(w, http.StatusTooManyRequests, "application/json", decisionOf(d))
	}
}

// peek tells what a take would say.
func (a *api) peek(w http.ResponseWriter, r *http.Request) {
	q := newRequest()
	if p := readQuery(r, q.fields()); p != nil {
		p.write(w)
		return
	}
	d, p := a.ask(q, true)
	if p != nil {
		p.write(w)
		return
	}
	ok(w, decisionOf(d))
}

// ask lets the node decide; what it cannot decide is the request's fault.
func (a *api) ask(q request, peek bool) (node.Decision, *problem) {
	cost := q.cost
	if cost == 0 {
		cost = math.MinInt64 // a node takes 0 for 1; here it was written
	}
	d := a.node.Do(node.Request{Client: q.client, Limit: q.limit, Cost: cost, Peek: peek})
	switch d.Reason {
	case node.ReasonUnknownLimit:
		return d, unknownLimit("limit", q.limit)
	case node.ReasonNoClient:
		return d, bad("client", "client must not be empty")
	case node.ReasonClientTooLong:
		return d, bad("client", fmt.Sprintf("client must be at most %d bytes: hash what may be longer", node.MaxClientID))
	case node.ReasonBadCost:
		return d, bad("cost", fmt.Sprintf("cost %d: must be at least 1", q.cost))
	case node.ReasonCostTooHigh:
		return d, bad("cost", fmt.Sprintf("cost %d: is above the burst of %d of limit %s, so it can never pass", q.cost, d.Burst, d.Limit))
	default:
		return d, nil
	}
}

func unknownLimit(field, name string) *problem {
	return &problem{Status: http.StatusNotFound, Field: field, Detail: "there is no limit " + spec.Quote(name) + ": GET /v1/limits lists them"}
}
