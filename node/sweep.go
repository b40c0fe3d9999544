package node

import (
	"github.com/distributed-rate-limiter/distributed-rate-limiter/crdt"
	"github.com/distributed-rate-limiter/distributed-rate-limiter/node/limit"
)

// sweepSlots is how many entries are looked at under one hold of a shard's lock, here
// and wherever all are:
// a decision may wait that long.
const sweepSlots = 1024

// sweepParts is in how many calls of sweep the whole table is visited.
const sweepParts = 8

// sweep forgets what is no longer needed in one part of the table. It is called
// about once a second.
func (n *Node) sweep(now int64) {
	n.sweepTurn = (n.sweepTurn + 1) % sweepParts
	for i := n.sweepTurn; i < crdt.Partitions; i += sweepParts {
		s := &n.table.shards[i]
		forgotten := 0
		for from, more := uint32(0), true; more; from += sweepSlots {
			s.mu.Lock()
			forgotten += n.sweepSome(s, now, from)
			if more = from+sweepSlots < s.slots(); !more {
				sweepDigests(s, now)
				n.sweepOverlays(s)
				if forgotten > 0 {
					s.trim()
				}
			}
			s.mu.Unlock()
		}
	}
}

// sweepSome looks at sweepSlots entries and returns how many were forgotten. s is
// locked.
func (n *Node) sweepSome(s *shard, now int64, from uint32) (forgotten int) {
	for slot := from; slot < min(from+sweepSlots, s.slots()); slot++ {
		e := s.at(slot)
		if e == nil || !e.used {
			continue
		}
		if old := e.old(); old != nil && old.over(now, e.rule.rev.stamp.At) {
			e.follow(e.reset(), nil)
		}
		if e.forgettable(now) && !n.sharing(s, e, now) {
			s.remove(slot)
			forgotten++
		}
	}
	n.table.count.Add(int64(-forgotten))
	return forgotten
}

// over: no delta can bring the old life anything any more, since its windows and
// those of the change are folded everywhere.
func (o *life) over(now, changed int64) bool {
	f := &o.rule.Frame
	if f.Start(now) <= changed+2*f.Width {
		return false
	}
	for _, st := range o.states().All {
		if st.Start()+2*f.Width > now {
			return false
		}
	}
	return true
}

// resetRepeated is for how long a reset may still be heard, with what clocks are apart:
// who forgot it would take it for a new one, and what was counted since for forgotten.
const resetRepeated = 4 * int64(limit.MaxWidth)

// forgettable: a client may be forgotten without loss once its newest held window is
// not live any more, here or at a peer, and its TAT is not later than the start of
// the live ones. Earlier than the first, what peers still hold of it would mask what
// is counted anew; earlier than the second, a late message about the previous window
// would find nothing left for its counts to drain behind.
func (e *entry) forgettable(now int64) bool {
	f := &e.rule.Frame
	live := f.Before(f.Start(now))
	return e.old() == nil && e.states().Drained(f, live) && e.reset().At+max(3*f.Width, resetRepeated) < now
}

// sweepDigests drops the digests of windows that nobody compares any more.
func sweepDigests(s *shard, now int64) {
	for k := range s.digests {
		if k.start+3*k.width < now {
			delete(s.digests, k)
		}
	}
	if len(s.digests) == 0 {
		s.counted.remove(s.part)
	}
}
