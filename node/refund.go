package node

import (
	"context"

	"github.com/distributed-rate-limiter/distributed-rate-limiter/node/internal/escrow"
	"github.com/distributed-rate-limiter/distributed-rate-limiter/node/internal/table"
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
	for err == nil && ctx.Err() == nil && r.ask() {
		n.protocol.Urgent()
		for _, a := range r.asked {
			select {
			case <-a.Done():
			case <-ctx.Done():
			case <-n.stop:
				err = ErrClosed
			}
		}
		r.hear()
	}
	return r.conclude(err)
}

// Refund is Node.Refund for this limit.
func (l *Limiter) Refund(ctx context.Context, clientID string, units int64) (Refund, error) {
	return l.node.Refund(ctx, Request{Client: clientID, Limit: l.name, Cost: units})
}

// refunding is a refund under way. It asks in rounds: what one node does not give, it asks
// of those that it has not asked yet.
type refunding struct {
	node  *Node
	cost  int64 // units to give back
	did   Refund
	here  table.Refunded // Held are those that nobody asked yet
	left  int64          // units to ask for still
	asked []asking       // in this round
	away  bool           // some units are with nodes that did not answer
	fault error          // why nobody is asked any more
}

// asking is one node's part of a refund.
type asking struct {
	*escrow.Passed
	units int64
}

// refund begins a refund: it gives back what this node can.
func (n *Node) refund(q *Request) (*refunding, error) {
	if q.Cost == 0 {
		q.Cost = 1
	}
	r := &refunding{node: n, cost: q.Cost}
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
		r.here = n.table.Refund(c.key, c.rule, r.cost, now, !n.offline)
	}
	r.did.Returned = r.here.Given
	r.left = min(r.cost-r.here.Given, r.here.Left)
	return r, nil
}

// ask asks those that hold what is left for it. It reports whether it asked anybody.
func (r *refunding) ask() bool {
	r.asked = r.asked[:0]
	for len(r.here.Held) > 0 && r.left > 0 && r.fault == nil {
		h := r.here.Held[0]
		r.here.Held = r.here.Held[1:]
		if !r.node.protocol.Present(h.Of) {
			r.away = true
			continue
		}
		units := min(h.Units, r.left)
		p, err := r.node.escrow.PassRefund(r.node.now(), h.Of, r.here.Life, units)
		if err != nil {
			r.fault = ErrTooManyHeld
			break
		}
		r.asked = append(r.asked, asking{p, units})
		r.left -= units
	}
	return len(r.asked) > 0
}

// answered reports whether all have answered that were asked.
func (r *refunding) answered() bool {
	for _, a := range r.asked {
		select {
		case <-a.Done():
		default:
			return false
		}
	}
	return true
}

// hear takes the answers. It waits for none: who has not answered is not asked again.
func (r *refunding) hear() {
	for _, a := range r.asked {
		r.node.escrow.Withdraw(a.Passed)
		switch s := a.Answer(); {
		case s.Known:
			r.did.Returned += s.Back
			r.left += a.units - s.Back
		default:
			r.away = true
			r.did.Unconfirmed += a.units
		}
	}
	r.asked = r.asked[:0]
}

// conclude says what the refund did. What is not drained is then with those who did not
// answer, or whom nobody asked.
func (r *refunding) conclude(err error) (Refund, error) {
	switch {
	case err != nil || r.did.Returned == r.cost:
	case r.away || r.left > 0 && len(r.here.Held) > 0:
		r.did.Short = ShortAway
	default:
		r.did.Short = ShortDrained
	}
	if err == nil {
		err = r.fault
	}
	return r.did, err
}
