package node

import (
	"sync/atomic"
	"time"

	"github.com/distributed-rate-limiter/distributed-rate-limiter/crdt"
	"github.com/distributed-rate-limiter/distributed-rate-limiter/gcra"
)

// settleWithin is how long a reservation may be settled. One that is not stays
// charged.
const settleWithin = 60 * time.Second

// Reservation is cost that was taken before it is known how much it will be: taken
// by Reserve as an estimate, and settled once by Commit or Cancel, within 60 s.
// Settling is safe for concurrent use; only the first one counts. A reservation holds
// nothing in the node: one that nobody settles costs nothing but its charge.
type Reservation struct {
	// Decision is the answer to the estimate. A reservation that was denied has
	// nothing to settle.
	Decision

	node    *Node
	key     crdt.Key
	stamp   crdt.Stamp // the life of the client that was charged
	start   int64      // the window that was charged
	tat     int64      // the TAT that it left behind
	cost    int64
	until   int64 // 0: nothing was charged
	settled atomic.Bool
}

// Reserve takes an estimated cost for the client, like Take, to be settled later.
func (l *Limiter) Reserve(clientID string, cost int64) *Reservation {
	r := &Reservation{node: l.node, cost: cost}
	l.node.decide(l.known(), clientID, cost, &r.Decision, r)
	return r
}

// charged notes what was charged, within the decision: by a TAT that others have
// raised since, drained cost could be given back. The entry's shard is locked.
func (r *Reservation) charged(e *entry, now int64) {
	r.key, r.stamp, r.start, r.tat = e.key, e.stamp(), e.state.Start(), e.state.TAT(&e.rev.frame)
	r.until = now + int64(settleWithin)
}

// Cancel gives back what has not drained yet, and returns how much that was.
func (r *Reservation) Cancel() int64 { return r.Commit(0) }

// Commit settles for what was really used. Of less than the estimate the difference
// is given back, as far as it has not drained: what drained is there again already,
// and giving it back would mint quota. Of more the rest is charged, even beyond the
// limit: it becomes a debt. It returns what was given back, or the charge as a negative
// number; 0 if the reservation was denied, settled, is too old, or its client was
// reset or its limit changed since.
func (r *Reservation) Commit(actual int64) int64 {
	if r.until == 0 || r.settled.Swap(true) {
		return 0 // denied, or not charged to the client: nothing to settle
	}
	n := r.node
	now := n.now()
	if now > r.until {
		return 0
	}
	s := n.table.shard(r.key)
	s.mu.Lock()
	defer s.mu.Unlock()
	e := s.find(r.key)
	if e == nil || e.stamp() != r.stamp {
		return 0
	}
	f := &e.rev.frame
	e.state.Roll(f, max(e.state.Start(), f.Start(now)))
	var back int64
	switch {
	case actual < r.cost:
		left := e.rev.gcra.Units(r.tat - now)
		back = int64(e.state.GiveBack(f, r.start, min(uint64(r.cost-max(actual, 0)), left))) //nolint:gosec // positive, at most cost
	case actual > r.cost:
		more := min(actual-r.cost, gcra.MaxUnits)
		if tat := e.state.TAT(f); tat < now {
			e.state.Raise(now - e.rev.gcra.Drain(e.state.Count()))
		}
		e.state.Admit(uint64(more)) //nolint:gosec // positive
		back = -more
	}
	if back != 0 && !n.offline {
		n.note(s, e, now)
	}
	return back
}
