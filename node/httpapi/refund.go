package httpapi

import (
	"cmp"
	"context"
	"net/http"

	"github.com/distributed-rate-limiter/distributed-rate-limiter/node"
)

// refund is the answer to a refund.
type refund struct {
	Returned int64  `json:"returned"` // units that the client got back
	Limit    string `json:"limit"`
	// Unconfirmed is what other nodes were asked for and did not answer.
	Unconfirmed int64 `json:"unconfirmed,omitempty"`
	shortfall
}

// shortfall says why less came back than was asked for. Both members are missing if all did.
type shortfall struct {
	Reason string `json:"reason,omitempty"`
	Note   string `json:"note,omitempty"`
}

// shortfallNotes say to a person what a reason means. There is one for each of node's shortfalls.
var shortfallNotes = map[node.Shortfall]string{
	node.ShortDrained: "the rest has drained or was never charged: it does not count against the client",
	node.ShortWindow:  "the window that counted these units is over, and nobody can tell them from others any more: refunds_for_ms of the reservation says for how long something can come back",
	node.ShortRenewed: "somebody reset the client, or changed its limit, since",
	node.ShortBack:    "a refund gave these units back before",
	node.ShortSettled: "the reservation was settled before",
	node.ShortExpired: "the time to settle is over",
	node.ShortAway:    "nodes hold the rest that are gone, that cannot be reached, or that did not answer in time",
}

// shortfallOf is empty for the zero Shortfall, which says that all came back.
func shortfallOf(s node.Shortfall) shortfall {
	return shortfall{Reason: s.String(), Note: shortfallNotes[s]}
}

// refund gives units back that somebody charged, on whichever node. It waits for the nodes
// that did.
func (a *api) refund(w http.ResponseWriter, r *http.Request) {
	q := newRequest()
	if p := readInput(w, r, q.fields(), q.nested()[1:]); p != nil {
		p.write(w)
		return
	}
	ask := q.request(r)
	ask.Timeout = 0
	ctx, stop := context.WithTimeout(r.Context(), settledWithin)
	defer stop()
	did, err := a.node.Refund(ctx, ask)
	if err != nil {
		a.omitted(q.limit, refusal(err)).write(w)
		return
	}
	limit := cmp.Or(q.limit, node.DefaultLimit)
	a.log.Info("client refunded", append([]any{"limit", limit, "units", did.Returned}, a.who(r)...)...)
	ok(w, refund{Returned: did.Returned, Limit: limit, Unconfirmed: did.Unconfirmed, shortfall: shortfallOf(did.Short)})
}
