package httpapi

import (
	"net/http"

	"github.com/distributed-rate-limiter/distributed-rate-limiter/node"
)

// charge is the answer to a charge: where the client stands after it, and what it did.
type charge struct {
	decision
	Charged    int64 `json:"charged"`     // units, also beyond the limit
	NotCharged int64 `json:"not_charged"` // units above the debt cap
	// Limits are the answers of each limit, if the request has several. They replace those
	// of the decision.
	Limits []charge `json:"limits,omitempty"`
}

// chargeOf is a node's charge in JSON. It is called once for each limit within itself: the answers of
// each limit have no further ones.
func chargeOf(d *node.ChargeDetail) charge {
	out := charge{decision: decisionOf(d.Decision), Charged: d.Charged, NotCharged: d.NotCharged}
	for i := range d.Each {
		out.Limits = append(out.Limits, chargeOf(&d.Each[i]))
	}
	return out
}

// charge charges what was used already. There is nothing to deny, so the status is 200
// also beyond the limit.
func (a *api) charge(w http.ResponseWriter, r *http.Request) {
	q := newRequest()
	if p := readRequest(w, r, &q, false); p != nil {
		p.write(w)
		return
	}
	ask := q.request(r)
	ask.Timeout = 0 // a charge is final
	d := a.node.Charge(ask)
	if p := a.omitted(q.limit, refusal(d.Fault)); p != nil {
		p.write(w)
		return
	}
	each := make([]node.Decision, len(d.Each))
	for i := range d.Each {
		each[i] = d.Each[i].Decision
	}
	charged := node.Detail{Decision: d.Decision, Each: each}
	charged.Allowed = true // whatever comes after it
	a.tell(r, &ask, &charged)
	a.describe(w, &ask, &d.Decision, each)
	ok(w, chargeOf(&d))
}
