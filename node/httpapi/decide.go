package httpapi

import (
	"math"
	"net/http"
	"slices"
	"time"

	"github.com/distributed-rate-limiter/distributed-rate-limiter/node"
	"github.com/distributed-rate-limiter/distributed-rate-limiter/node/internal/headers"
)

// decision is a node's answer in JSON. Times are milliseconds, rounded up.
type decision struct {
	Allowed    bool   `json:"allowed"`
	Limit      string `json:"limit"`
	*quota            // nil for a client that is unlimited or blocked
	RetryAfter int64  `json:"retry_after_ms"`
	ResetAfter int64  `json:"reset_after_ms"`
	Reason     string `json:"reason,omitempty"`   // missing if the client is within its limit
	Note       string `json:"note,omitempty"`     // missing unless the wait is longer than the window
	Degraded   bool   `json:"degraded,omitempty"` // the node does not hear all its peers
	// Cost is the number of units that the node took, if it may differ from the request's.
	Cost *int64 `json:"cost,omitempty"`
	// Limits are the decisions of each limit, if the request has several.
	Limits []decision `json:"limits,omitempty"`
}

// quota is what a limited client may use, in units of cost: Quota in each Window, and Burst at once.
// Remaining is how many could be taken right after the decision.
type quota struct {
	Quota     int64 `json:"quota"`
	Window    int64 `json:"window_ms"`
	Burst     int64 `json:"burst"`
	Remaining int64 `json:"remaining"`
}

// The notes on a wait that is longer than the window.
const (
	noteDebt = "longer than the window: the cost is more than the limit of one window, or the client is beyond its limit, " +
		"as after a charge, after several nodes admitted at once, or after somebody lowered the limit; a sliding window counts the window before as well"
	noteShare = "longer than the window: while nodes cannot hear each other, these nodes have only their share of the limit"
)

// noteOf explains a wait that looks like a mistake, "" if the wait needs no words. A request that can
// never pass has a reason that says so.
func noteOf(d *node.Decision) string {
	switch {
	case d.Allowed || d.Burst == 0 || d.RetryAfter <= d.Window || d.RetryAfter == math.MaxInt64:
		return ""
	case d.Reason == node.ReasonIsolatedShare:
		return noteShare
	default:
		return noteDebt
	}
}

// decisionOf is a node's decision in JSON, without Cost and Limits: those depend on what was asked. A
// peek and an ordinary admission have no reason, so that programs can test for one.
func decisionOf(d node.Decision) decision {
	out := decision{
		Allowed: d.Allowed, Limit: d.Limit, RetryAfter: milliseconds(headers.Wait(d.RetryAfter)),
		ResetAfter: milliseconds(d.ResetAfter), Note: noteOf(&d), Degraded: d.Degraded,
	}
	if d.Burst > 0 {
		out.quota = &quota{Quota: d.Quota, Window: milliseconds(d.Window), Burst: d.Burst, Remaining: d.Remaining}
	}
	if d.Reason != node.ReasonOK && d.Reason != node.ReasonPeek {
		out.Reason = d.Reason.String()
	}
	return out
}

// milliseconds rounds up, so that whoever waits for that long does not come too early.
func milliseconds(d time.Duration) int64 { return headers.Ceil(d, time.Millisecond) }

// take decides. A denial is an answer, not an error.
func (a *api) take(w http.ResponseWriter, r *http.Request) {
	q := newRequest()
	if p := readRequest(w, r, &q, true); p != nil {
		p.write(w)
		return
	}
	ask := q.request(r)
	d := a.node.DoDetailed(ask)
	if p := a.omitted(q.limit, refusal(d.Fault)); p != nil {
		p.write(w)
		return
	}
	a.tell(r, &ask, &d)
	a.describe(w, &ask, &d.Decision, d.Each)
	out := q.decision(&d)
	if d.Allowed {
		out.write(w, http.StatusOK)
		return
	}
	headers.SetRetryAfter(w.Header(), &d.Decision)
	out.write(w, http.StatusTooManyRequests)
}

// tell tells Config.Decided.
func (a *api) tell(r *http.Request, q *node.Request, d *node.Detail) {
	if a.decided != nil {
		a.decided(r.Context(), *q, *d)
	}
}

// write writes the decision as an answer.
func (d *decision) write(w http.ResponseWriter, status int) {
	b := buffers.get()
	defer buffers.put(b)
	*b = append(d.append(*b), '\n')
	w.Header()["Content-Type"] = ofJSON
	w.WriteHeader(status)
	_, _ = w.Write(*b) // an error means that the client has gone
}

// ofJSON is a Content-Type. Nobody may change it.
var ofJSON = []string{"application/json"}

// decision is the answer to a take. It tells the cost where that can differ from what the request says:
// with at_most, with several limits, and with a policy that came along.
func (q *request) decision(d *node.Detail) decision {
	out := decisionOf(d.Decision)
	if q.atMost || len(q.also) > 0 || q.policy != nil {
		cost := d.Cost
		out.Cost = &cost
	}
	if len(q.also) > 0 {
		for i := range d.Each {
			one := decisionOf(d.Each[i])
			one.Cost = &d.Each[i].Cost
			out.Limits = append(out.Limits, one)
		}
	}
	return out
}

// describe writes the fields that tell where the client of the request q stands. each are the
// decisions of all its limits; without them, d is the only one, or the one that binds.
func (a *api) describe(w http.ResponseWriter, q *node.Request, d *node.Decision, each []node.Decision) {
	ds := each
	if len(ds) == 0 {
		ds = []node.Decision{*d}
	}
	if len(ds) == 1+len(q.Also) && headers.Incomplete(ds) {
		ds = slices.Clone(ds)
		headers.Complete(q, ds, func(r node.Request) node.Decision { return a.node.DoDetailed(r).Decision })
	}
	headers.Set(w.Header(), ds, a.partition.Keys(q, len(ds)))
}

// answer writes a decision that a client is to heed.
func answer(w http.ResponseWriter, d *node.Decision, out any) {
	if d.Allowed {
		ok(w, out)
		return
	}
	headers.SetRetryAfter(w.Header(), d)
	respond(w, http.StatusTooManyRequests, "application/json", out)
}

// peek answers as take would, but takes nothing. Its status is 200 also where a take would be denied:
// the question was answered.
func (a *api) peek(w http.ResponseWriter, r *http.Request) {
	q := newRequest()
	if !readFlatQuery(r.URL.RawQuery, &q, false) {
		if p := readQuery(r, q.fields(), nil); p != nil {
			p.write(w)
			return
		}
	}
	ask := q.request(r)
	ask.Peek = true
	d := a.node.DoDetailed(ask)
	if p := a.omitted(q.limit, refusal(d.Fault)); p != nil {
		p.write(w)
		return
	}
	a.describe(w, &ask, &d.Decision, d.Each)
	out := decisionOf(d.Decision)
	out.write(w, http.StatusOK)
}
