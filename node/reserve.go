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
	"github.com/distributed-rate-limiter/distributed-rate-limiter/node/internal/tally"
	deltasync "github.com/distributed-rate-limiter/distributed-rate-limiter/sync"
)

// settleWithin is how long a reservation's token is valid by default. A reservation that
// nobody settles stays charged. Raising it keeps more reservations under tokens. Lowering
// it charges the whole estimate to callers whose work takes longer.
const settleWithin = 60 * time.Second

// MaxHeld caps the reservations under tokens that nobody has settled yet. The node also
// remembers the answers of settled ones until their time is over, up to four times as many
// reservations in all. An origin has at most as many as are left for all: see Request.Origin.
// Raising it costs memory; lowering it refuses reservations sooner.
const MaxHeld = escrow.MaxOpen

// Reservation is cost that the node takes before anybody knows the real one. Reserve takes
// an estimate. One settlement ends it: Commit or Cancel, within 60 s or the request's
// Timeout. A caller that cannot keep the Reservation, such as a client of a server, gets
// its Token and settles by that, on any node of the cluster.
//
// All methods are safe for concurrent use. Only the first settlement counts. Until somebody
// asks for its Token, a reservation holds nothing in the node. One that nobody settles
// costs nothing but its charge.
type Reservation struct {
	// Decision is the answer to the estimate. A reservation that was denied has
	// nothing to settle.
	Decision
	// Fault is nil if the limits decided. Otherwise it says what is wrong with the request:
	// see Detail.
	Fault error

	node    *Node
	origin  string
	timeout int64
	holds   []hold // one for each limit that was charged
	until   int64
	refunds int64 // no settlement after this instant gives anything back
	settled atomic.Bool

	mu    sync.Mutex   // guards token
	token escrow.Token // the zero one until it was asked for
}

// hold is the charge of one limit.
type hold struct {
	table.Charge
	ownCost bool         // a cost of its own, not the request's
	also    bool         // of a limit in Request.Also
	debts   *tally.Debts // of the limit
}

// Reserve takes an estimated cost for the client. Settle the reservation later.
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

// Reserve is Do for an estimated cost. Settle the reservation later; that settles every
// limit of the request. If a Check has a cost of its own, Commit leaves it as it is, and
// only Cancel gives it back.
func (n *Node) Reserve(q Request) *Reservation {
	r := &Reservation{node: n, origin: q.Origin, timeout: int64(cmp.Or(q.Timeout, settleWithin))}
	t := told{into: r}
	r.Decision = n.holder.decide(&q, &t)
	r.Fault = t.fault
	return r
}

// add takes over what a limit was charged. A hold without a cost is none.
func (r *Reservation) add(h hold) {
	if h.Cost > 0 {
		r.holds = append(r.holds, h)
		r.until = h.At + r.timeout
		r.refunds = max(r.refunds, min(h.Until, r.until))
	}
}

// RefundsFor is how long from the decision on a settlement can give anything back, at most
// the request's Timeout. A limit tells whose units are whose for one to two of its windows:
// those of the policy for a window algorithm, and of 15 s to a minute for GCRA, which then
// knows only how far ahead the client is. After that Commit still charges what the estimate
// lacked. It is 0 if nothing was taken.
func (r *Reservation) RefundsFor() time.Duration {
	if len(r.holds) == 0 {
		return 0
	}
	return time.Duration(r.refunds - r.holds[0].At)
}

// Token returns the text by which Node.Commit and Node.Cancel settle the reservation on any
// node of the cluster. The node then holds the reservation until its time is over. Token is
// empty if the node took nothing. The error is ErrTooManyHeld: nobody else can settle the
// reservation then, so cancel it.
func (r *Reservation) Token() (string, error) {
	if len(r.holds) == 0 {
		return "", nil
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.token == (escrow.Token{}) {
		t, err := r.node.escrow.Hold(r.node.now(), r.until, r.origin, r.settle)
		if err != nil {
			r.node.refusals[ReasonTooManyHeld].Add(1)
			return "", ErrTooManyHeld
		}
		r.token = t
	}
	return r.token.String(), nil
}

// Commit settles a reservation by its token for the real cost, as Reservation.Commit does.
// 0 cancels it. The first settlement counts, whichever node gets it. Asked again, every
// node gives the first answer.
//
// Commit says what came back, Settle also what a debt cap left out.
func (n *Node) Commit(ctx context.Context, token string, actual int64) (back int64, err error) {
	s, err := n.Settle(ctx, token, actual)
	return s.Returned - s.Charged, err
}

// Settlement is what a settlement did. At least one of Returned and Charged is 0.
type Settlement struct {
	Returned int64 // units that the client got back
	Charged  int64 // units beyond the estimate that the node charged
	// NotCharged is what the work cost beyond that and nobody charged: it is above the debt
	// cap, see Node.Charge, or Short says why.
	NotCharged int64
	// Short says why less came back than was not used. It is 0 if all did.
	Short Shortfall
}

// Shortfall says why less came back than was asked for. The zero Shortfall says that nothing
// is missing; String of it is "".
type Shortfall = deltasync.Shortfall

// The shortfalls of a settlement and of a refund.
const (
	// ShortDrained: the units have drained, so the client could use them again already.
	ShortDrained = deltasync.ShortDrained
	// ShortWindow: the window that counted the units is over, and nobody can tell them from
	// others any more. See Reservation.RefundsFor.
	ShortWindow = deltasync.ShortWindow
	// ShortRenewed: somebody reset the client, or changed its limit, since.
	ShortRenewed = deltasync.ShortRenewed
	// ShortBack: a refund, see Node.Refund, gave the units back before.
	ShortBack = deltasync.ShortBack
	// ShortSettled: the reservation was settled before, by hand.
	ShortSettled = deltasync.ShortSettled
	// ShortExpired: the reservation's Timeout was over.
	ShortExpired = deltasync.ShortExpired
	// ShortAway: the units are with nodes that are gone, or did not answer in time.
	ShortAway = deltasync.ShortAway
)

// Settle settles a reservation by its token for the real cost, as Commit does.
//
// If another node made the reservation, Settle waits until that node answers or ctx is
// done. The error is ErrUnknownReservation, ErrUnconfirmed with ctx's error or ErrClosed,
// ErrTooManyHeld, or a *FieldError about the arguments. After an error, you cannot know
// whether anything came back.
func (n *Node) Settle(ctx context.Context, token string, actual int64) (Settlement, error) {
	if ctx == nil {
		return Settlement{}, errNilContext
	}
	t, err := escrow.ParseToken(token)
	switch {
	case err != nil:
		return Settlement{}, &FieldError{Field: "reservation", Value: fmt.Sprintf("%.48q", token), Reason: "must be the token of a reservation"}
	case actual < 0:
		return Settlement{}, &FieldError{Field: "actual", Value: actual, Reason: "must be 0, which cancels, or what was used"}
	case t.Of == n.replica:
		return settlementOf(n.escrow.Settle(n.now(), deltasync.Settlement{Of: t.Of, ID: t.ID, Actual: actual}))
	case !n.protocol.Present(t.Of):
		return Settlement{}, ErrUnknownReservation
	}
	p, err := n.escrow.Pass(n.now(), t, actual)
	if err != nil {
		return Settlement{}, ErrTooManyHeld
	}
	select {
	case <-p.Done(): // also where ctx is done
		return settlementOf(p.Answer())
	default:
		n.protocol.Urgent()
	}
	select {
	case <-p.Done():
		return settlementOf(p.Answer())
	case <-ctx.Done():
		return Settlement{}, fmt.Errorf("%w: %w", ErrUnconfirmed, ctx.Err())
	case <-n.stop:
		return Settlement{}, fmt.Errorf("%w: %w", ErrUnconfirmed, ErrClosed)
	}
}

// Cancel settles a reservation by its token and gives everything back, as
// Reservation.Cancel does. Its answers are Commit's.
func (n *Node) Cancel(ctx context.Context, token string) (back int64, err error) {
	return n.Commit(ctx, token, 0)
}

func settlementOf(s deltasync.Settled) (Settlement, error) {
	if !s.Known {
		return Settlement{}, ErrUnknownReservation
	}
	return settlement(s.Back, s.NotCharged, s.Short), nil
}

// Cancel gives back what has not drained yet, and returns how many units that was.
func (r *Reservation) Cancel() int64 { return r.Commit(0) }

// Commit settles for the real cost. If that is below the estimate, it gives the difference
// back, as far as it has not drained: drained units are free again already, and giving them
// back would mint quota. A bucket drains its earliest units first, so the client gets all
// back as long as its earlier requests last; see RefundsFor for how long. If it is above, it charges the rest, even beyond the limit, as a
// debt.
//
// Commit returns the units that it gave back, or the charge as a negative number. With
// several limits, the number is of the request's own. It is 0 if the reservation was
// denied, settled or is too old, or if somebody reset its client or changed its limit
// since. Settle says which.
func (r *Reservation) Commit(actual int64) int64 {
	back, _, _ := r.settle(max(actual, 0))
	return back
}

// Settle is Commit, and says also what a debt cap left out, and why less came back than was
// not used.
func (r *Reservation) Settle(actual int64) Settlement { return settlement(r.settle(max(actual, 0))) }

func settlement(back, notCharged int64, short Shortfall) Settlement {
	return Settlement{Returned: max(back, 0), Charged: max(-back, 0), NotCharged: notCharged, Short: short}
}

// settle is Settle as an escrow asks for it.
func (r *Reservation) settle(actual int64) (back, notCharged int64, short Shortfall) {
	if len(r.holds) == 0 {
		return 0, 0, 0 // denied, or free: nothing to settle
	}
	if r.settled.Swap(true) {
		return 0, 0, ShortSettled
	}
	now := r.node.now()
	if now > r.until {
		return 0, 0, ShortExpired
	}
	for i := range r.holds {
		h := &r.holds[i]
		used := actual
		if used > 0 && h.ownCost {
			continue
		}
		b := r.node.table.Settle(&h.Charge, used, now, !r.node.offline)
		h.debts.Observe(-b, h.NotCharged)
		if !h.also {
			back, notCharged, short = b, h.NotCharged, h.Short
		}
	}
	return back, notCharged, short
}
