package node

import (
	"cmp"
	"context"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"github.com/distributed-rate-limiter/distributed-rate-limiter/node/internal/escrow"
	"github.com/distributed-rate-limiter/distributed-rate-limiter/node/internal/table"
	deltasync "github.com/distributed-rate-limiter/distributed-rate-limiter/sync"
)

// settleWithin is how long a reservation can be settled, unless its request says otherwise:
// one that nobody settles stays charged. Raising it keeps more reservations under tokens;
// lowering it charges callers whose work takes longer for all of their estimate.
const settleWithin = 60 * time.Second

// MaxHeld caps the reservations that a node holds under tokens and that nobody has settled
// yet. Of those that were settled it remembers the answers until their time is over, up to
// four times as many reservations in all.
const MaxHeld = escrow.MaxOpen

// Reservation is cost that is taken before it is known how much it will be. Reserve takes
// an estimate, and one settlement ends it: Commit or Cancel, within 60 s or the request's
// Timeout. Whoever cannot keep the Reservation, such as a client of a server, gets its Token
// and settles by that, on any node of the cluster. All methods are safe for concurrent use;
// only the first settlement counts. Until its Token is asked for, a reservation holds
// nothing in the node: one that nobody settles costs nothing but its charge.
type Reservation struct {
	// Decision is the answer to the estimate. A reservation that was denied has
	// nothing to settle.
	Decision
	// Fault is nil if the limits decided, otherwise it says what is wrong with the request:
	// see Detail.
	Fault error

	node    *Node
	timeout int64
	holds   []hold // one for each limit that was charged
	until   int64
	settled atomic.Bool

	mu    sync.Mutex   // guards token
	token escrow.Token // the zero one until it was asked for
}

// hold is what one limit was charged.
type hold struct {
	table.Charge
	ownCost bool // a cost of its own, not the request's
	also    bool // of a limit in Request.Also
}

// Reserve takes an estimated cost for the client, like Take, to be settled later.
func (l *Limiter) Reserve(clientID string, cost int64) *Reservation {
	r := &Reservation{node: l.node, timeout: int64(settleWithin)}
	var h hold
	l.node.decide(l.find(), clientID, cost, &r.Decision, &h)
	if r.add(h); r.Reason.refused() {
		c := check{client: clientID, name: l.name, cost: cost, why: r.Reason, d: r.Decision}
		r.Fault = c.fault()
	}
	return r
}

// Reserve is Do for a cost that is an estimate, to be settled later under every limit
// that the request names: a cost that a Check has of its own is taken as it is, and is
// given back only by Cancel.
func (n *Node) Reserve(q Request) *Reservation {
	r := &Reservation{node: n, timeout: int64(cmp.Or(q.Timeout, settleWithin))}
	t := told{into: r}
	r.Decision = n.do(&q, &t)
	r.Fault = t.fault
	return r
}

// add takes over what a limit was charged. A hold without a cost is none.
func (r *Reservation) add(h hold) {
	if h.Cost > 0 {
		r.holds = append(r.holds, h)
		r.until = h.At + r.timeout
	}
}

// Token returns the text by which Node.Commit and Node.Cancel settle the reservation on any
// node of the cluster, and has this node hold it until its time is over. It is empty if
// nothing was taken. The error is ErrTooManyHeld: nobody else can settle the reservation
// then, so cancel it.
func (r *Reservation) Token() (string, error) {
	if len(r.holds) == 0 {
		return "", nil
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.token == (escrow.Token{}) {
		t, err := r.node.escrow.Hold(r.node.now(), r.until, r.settle)
		if err != nil {
			r.node.refusals[ReasonTooManyHeld].Add(1)
			return "", ErrTooManyHeld
		}
		r.token = t
	}
	return r.token.String(), nil
}

// Commit settles a reservation by its token for what was really used, as
// Reservation.Commit does; 0 cancels it. A reservation is settled once, by whichever node is
// asked first. Asked again, every node gives the first answer. For a reservation of another
// node it waits until that node answers or ctx is done. The error is ErrUnknownReservation,
// ErrUnconfirmed with ctx's error or ErrClosed, ErrTooManyHeld, or a *FieldError about the
// arguments; with an error, nothing is known to have been given back.
func (n *Node) Commit(ctx context.Context, token string, actual int64) (back int64, err error) {
	if ctx == nil {
		return 0, errNilContext
	}
	t, err := escrow.ParseToken(token)
	switch {
	case err != nil:
		return 0, &FieldError{Field: "reservation", Value: fmt.Sprintf("%.48q", token), Reason: "must be the token of a reservation"}
	case actual < 0:
		return 0, &FieldError{Field: "actual", Value: actual, Reason: "must be 0, which cancels, or what was used"}
	case t.Of == n.replica:
		return backOf(n.escrow.Settle(n.now(), deltasync.Settlement{Of: t.Of, ID: t.ID, Actual: actual}))
	case !n.protocol.Present(t.Of):
		return 0, ErrUnknownReservation
	}
	p, err := n.escrow.Pass(n.now(), t, actual)
	if err != nil {
		return 0, ErrTooManyHeld
	}
	select {
	case <-p.Done(): // also where ctx is done
		return backOf(p.Answer())
	default:
		n.loopUrgent()
	}
	select {
	case <-p.Done():
		return backOf(p.Answer())
	case <-ctx.Done():
		return 0, fmt.Errorf("%w: %w", ErrUnconfirmed, ctx.Err())
	case <-n.stop:
		return 0, fmt.Errorf("%w: %w", ErrUnconfirmed, ErrClosed)
	}
}

// Cancel settles a reservation by its token for nothing, as Reservation.Cancel does. Its
// answers are Commit's.
func (n *Node) Cancel(ctx context.Context, token string) (back int64, err error) {
	return n.Commit(ctx, token, 0)
}

func backOf(s deltasync.Settled) (back int64, err error) {
	if !s.Known {
		return 0, ErrUnknownReservation
	}
	return s.Back, nil
}

// Cancel gives back what has not drained yet, and returns how much that was.
func (r *Reservation) Cancel() int64 { return r.settle(0) }

// Commit settles for what was really used. Of less than the estimate the difference
// is given back, as far as it has not drained: what drained is there again already,
// and giving it back would mint quota. Of more the rest is charged, even beyond the
// limit: it becomes a debt. It returns what was given back, or the charge as a negative
// number, of several limits that of the request's own; 0 if the reservation was
// denied, settled, is too old, or its client was reset or its limit changed since.
func (r *Reservation) Commit(actual int64) int64 { return r.settle(max(actual, 0)) }

func (r *Reservation) settle(actual int64) int64 {
	if len(r.holds) == 0 || r.settled.Swap(true) {
		return 0 // denied, or not charged to the client: nothing to settle
	}
	now := r.node.now()
	if now > r.until {
		return 0
	}
	back := int64(0)
	for i := range r.holds {
		h := &r.holds[i]
		used := actual
		if used > 0 && h.ownCost {
			continue
		}
		if b := r.node.table.Settle(&h.Charge, used, now, !r.node.offline); !h.also {
			back = b
		}
	}
	return back
}
