package node

import (
	"context"

	"github.com/distributed-rate-limiter/distributed-rate-limiter/node/internal/escrow"
	"github.com/distributed-rate-limiter/distributed-rate-limiter/node/limit"
)

// Refund is what a refund did.
type Refund struct {
	// Returned is how many units came back, on all nodes together.
	Returned int64
	// Unconfirmed is how many units other nodes were asked for that had not answered when the
	// context was done. They may come back still.
	Unconfirmed int64
	// Short says why less came back than was asked for. It is 0 if all did.
	Short Shortfall
}

// Refund gives a client up to Cost units of a limit back, whichever nodes charged them, and
// without a reservation. It gives back what has not drained, from the last charged on, and
// never more than the nodes charged. Whoever may call it can let a client use its limit again
// and again: guard it as you guard Reset.
//
// The node first gives back what it charged itself. For the rest it asks the nodes that
// charged it, and waits until they answer or ctx is done. A node that cannot be reached gives
// nothing. Each asked node knows no more than it has heard, so refunds on several nodes at
// once can give back units that drained meanwhile: see docs/error-bound.md, section 8. What
// came back shows on a node as soon as it hears of it, usually within milliseconds.
//
// A client that shares an entry, because the table is full, gets nothing back. Nor do units
// come back that the client carried over a change of its limit. Also, AtMost, Peek and Timeout
// are not for refunds. The error is ErrUnknownLimit, ErrTooManyPolicies, ErrTooManyHeld if
// this node settles as much as it can, ErrClosed, or a *FieldError; after ErrTooManyHeld and
// ErrClosed, Refund says what came back before.
func (n *Node) Refund(ctx context.Context, q Request) (Refund, error) {
	if ctx == nil {
		return Refund{}, errNilContext
	}
	r, err := n.refund(&q)
	for err == nil && ctx.Err() == nil && r.Ask(n.now()) {
		n.protocol.Urgent()
		for done := range r.Asked {
			select {
			case <-done:
			case <-ctx.Done():
			case <-n.stop:
				err = ErrClosed
			}
		}
		r.Hear()
	}
	return r.conclude(err)
}

// Refund is Node.Refund for this limit.
func (l *Limiter) Refund(ctx context.Context, clientID string, units int64) (Refund, error) {
	return l.node.Refund(ctx, Request{Client: clientID, Limit: l.name, Cost: units})
}

// refunding is a refund under way.
type refunding struct {
	escrow.Rounds
	cost int64 // units to give back
}

// refund begins a refund: it gives back what this node can.
func (n *Node) refund(q *Request) (*refunding, error) {
	if q.Cost == 0 {
		q.Cost = 1
	}
	r := &refunding{cost: q.Cost, Rounds: escrow.Rounds{Escrow: n.escrow, Present: n.protocol.Present}}
	if n.closed.Load() {
		return r, ErrClosed
	}
	if err := badCharge(q); err != nil {
		return r, err
	}
	if len(q.Also) > 0 {
		return r, &FieldError{Field: "also", Value: len(q.Also), Reason: "is not for a refund: refund each limit by itself"}
	}
	var room [1]check
	c := &n.list(q, room[:0])[0]
	now := n.now()
	if c.why == ReasonOK {
		var net limit.Buffer
		c.cost = min(r.cost, 1) // a refund may be above the burst
		n.prepare(c, false, &net, now)
		c.cost = r.cost
	}
	switch {
	case c.why.refused():
		return r, c.fault()
	case c.why == ReasonOK: // otherwise nobody counts the client
		here := n.table.Refund(c.key, c.rule, r.cost, now, !n.offline)
		r.Returned, r.Left, r.Life = here.Given, min(r.cost-here.Given, here.Left), here.Life
		for _, h := range here.Held {
			r.Held = append(r.Held, escrow.Part{Of: h.Of, Units: h.Units})
		}
	}
	return r, nil
}

// conclude says what the refund did. What is not drained is then with those who did not
// answer, or whom nobody asked.
func (r *refunding) conclude(err error) (Refund, error) {
	did := Refund{Returned: r.Returned, Unconfirmed: r.Unconfirmed}
	switch {
	case err != nil || did.Returned == r.cost:
	case r.Away || r.Left > 0 && len(r.Held) > 0:
		did.Short = ShortAway
	default:
		did.Short = ShortDrained
	}
	if err == nil && r.Full {
		err = ErrTooManyHeld
	}
	return did, err
}
