package httpapi

import (
	"math"
	"net/http"
	"strconv"
	"time"

	"github.com/distributed-rate-limiter/distributed-rate-limiter/node"
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

// quota is what a limited client may use.
type quota struct {
	Quota     int64 `json:"quota"`
	Window    int64 `json:"window_ms"`
	Burst     int64 `json:"burst"`
	Remaining int64 `json:"remaining"`
}

// The notes on a wait that is longer than the window.
const (
	noteDebt = "longer than the window: the cost is more than the limit of one window, or the client is beyond its limit, " +
		"as after several nodes admitted at once, a reservation was settled for more than its estimate, or the limit was lowered; a sliding window counts the window before as well"
	noteShare = "longer than the window: while nodes cannot hear each other, these nodes have only their share of the limit"
)

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

// never is the wait of a request that can never pass. Clients cannot compute with the largest
// duration, so it is a year.
const never = 365 * 24 * time.Hour

func wait(d time.Duration) time.Duration {
	if d == math.MaxInt64 {
		return never
	}
	return d
}

func decisionOf(d node.Decision) decision {
	out := decision{
		Allowed: d.Allowed, Limit: d.Limit, RetryAfter: ceil(wait(d.RetryAfter), time.Millisecond),
		ResetAfter: ceil(d.ResetAfter, time.Millisecond), Note: noteOf(&d), Degraded: d.Degraded,
	}
	if d.Burst > 0 {
		out.quota = &quota{Quota: d.Quota, Window: ceil(d.Window, time.Millisecond), Burst: d.Burst, Remaining: d.Remaining}
	}
	if d.Reason != node.ReasonOK && d.Reason != node.ReasonPeek {
		out.Reason = d.Reason.String()
	}
	return out
}

// ceil is d in units, rounded up, so a client that waits as long is not too early.
func ceil(d, unit time.Duration) int64 {
	n := int64(d / unit)
	if d%unit > 0 {
		n++
	}
	return n
}

// take decides. A denial is an answer, not an error.
func (a *api) take(w http.ResponseWriter, r *http.Request) {
	q := newRequest()
	if p := readInput(w, r, append(q.fields(), q.atMostField()), q.nested()); p != nil {
		p.write(w)
		return
	}
	d := a.node.DoDetailed(q.request())
	if p := a.omitted(q.limit, refusal(d.Reason, d.Fault)); p != nil {
		p.write(w)
		return
	}
	out := decisionOf(d.Decision)
	if q.atMost || len(q.also) > 0 || q.policy != nil {
		out.Cost = &d.Cost
	}
	if len(q.also) > 0 {
		for i := range d.Each {
			one := decisionOf(d.Each[i])
			one.Cost = &d.Each[i].Cost
			out.Limits = append(out.Limits, one)
		}
	}
	answer(w, &d.Decision, out)
}

// answer writes a decision that a client is to heed.
func answer(w http.ResponseWriter, d *node.Decision, out any) {
	if d.Allowed {
		ok(w, out)
		return
	}
	w.Header().Set("Retry-After", strconv.FormatInt(max(1, ceil(wait(d.RetryAfter), time.Second)), 10))
	respond(w, http.StatusTooManyRequests, "application/json", out)
}

// peek answers as take would, but takes nothing.
func (a *api) peek(w http.ResponseWriter, r *http.Request) {
	q := newRequest()
	if p := readQuery(r, q.fields(), nil); p != nil {
		p.write(w)
		return
	}
	ask := q.request()
	ask.Peek = true
	d := a.node.DoDetailed(ask)
	if p := a.omitted(q.limit, refusal(d.Reason, d.Fault)); p != nil {
		p.write(w)
		return
	}
	ok(w, decisionOf(d.Decision))
}
