package node

import (
	"cmp"
	"sync/atomic"
	"time"

	"github.com/distributed-rate-limiter/distributed-rate-limiter/crdt"
	"github.com/distributed-rate-limiter/distributed-rate-limiter/gcra"
)

// settleWithin is how long a reservation may be settled, unless the request says
// otherwise. One that is not stays charged.
const settleWithin = 60 * time.Second

// Reservation is cost that was taken before it is known how much it will be: taken
// by Reserve as an estimate, and settled once by Commit or Cancel, within 60 s or the
// request's Timeout. Settling is safe for concurrent use; only the first one counts. A
// reservation holds nothing in the node: one that nobody settles costs nothing but its
// charge. Node.Hold makes one that the node holds.
type Reservation struct {
	// Decision is the answer to the estimate. A reservation that was denied has
	// nothing to settle.
	Decision

	node    *Node
	timeout int64
	holds   []hold // one for each limit that was charged
	until   int64
	settled atomic.Bool
}

// hold is what one limit was charged.
type hold struct {
	key   crdt.Key
	stamp crdt.Stamp // the life of the client that was charged
	slot  int
	start int64 // the window that was charged
	tat   int64 // the TAT that it left behind
	cost  int64 // 0: nothing was charged
	at    int64
	apart bool // a cost of its own, not the request's
	also  bool // of a limit in Request.Also
}

// Reserve takes an estimated cost for the client, like Take, to be settled later.
func (l *Limiter) Reserve(clientID string, cost int64) *Reservation {
	r := &Reservation{node: l.node, timeout: int64(settleWithin)}
	var h hold
	l.node.decide(l.known(), clientID, cost, &r.Decision, &h)
	r.keep(h)
	return r
}

// Reserve is Do for a cost that is an estimate, to be settled later under every limit
// that the request names: a cost that a Check has of its own is taken as it is, and is
// given back only by Cancel.
func (n *Node) Reserve(q Request) *Reservation {
	r := &Reservation{node: n, timeout: int64(cmp.Or(q.Timeout, settleWithin))}
	r.Decision = n.do(&q, nil, r)
	return r
}

func (r *Reservation) keep(h hold) {
	if h.cost > 0 {
		r.holds = append(r.holds, h)
		r.until = h.at + r.timeout
	}
}

// charged notes what was charged, within the decision: by a TAT that others have
// raised since, drained cost could be given back. The entry's shard is locked.
func (h *hold) charged(e *entry, now, cost int64) {
	st := e.rule.Current(e.states(), now)
	h.key, h.stamp, h.start, h.tat = e.key, e.stamp(), st.Start(), st.TAT(&e.rule.Frame)
	h.slot, h.cost, h.at = e.rule.Slot(now), cost, now
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
		if used > 0 && h.apart {
			continue
		}
		if b := r.node.giveBack(h, used, now); !h.also {
			back = b
		}
	}
	return back
}

// giveBack settles one limit's part.
func (n *Node) giveBack(h *hold, actual, now int64) (back int64) {
	s := n.table.shard(h.key)
	s.mu.Lock()
	defer s.mu.Unlock()
	e := s.find(h.key)
	if e == nil || e.stamp() != h.stamp {
		return 0
	}
	r := e.rule
	r.Roll(e.states(), now)
	switch {
	case actual < h.cost:
		left := uint64(h.cost - actual) //nolint:gosec // positive
		if r.Policy.Algorithm == GCRA {
			left = min(left, r.GCRA.Units(h.tat-now))
		}
		back = int64(e.states().At(h.slot).GiveBack(&r.Frame, h.start, left)) //nolint:gosec // at most cost
	case actual > h.cost:
		more := min(actual-h.cost, gcra.MaxUnits)
		r.Charge(e.states(), now, more)
		back = -more
	}
	if back != 0 && !n.offline && !r.Silent {
		n.note(s, e, r.Current(e.states(), now), now)
	}
	return back
}
