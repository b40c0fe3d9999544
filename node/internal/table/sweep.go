package table

import (
	"github.com/distributed-rate-limiter/distributed-rate-limiter/crdt"
	"github.com/distributed-rate-limiter/distributed-rate-limiter/node/internal/isolation"
	"github.com/distributed-rate-limiter/distributed-rate-limiter/node/limit"
)

// sweepParts is in how many calls of Sweep the whole table is visited. Raising it spreads
// the work and keeps clients for longer after they can be forgotten.
const sweepParts = 8

// Sweep forgets what is no longer needed in one part of the table. Call it about once a
// second, from one goroutine.
func (t *Table) Sweep(now int64) {
	t.sweepTurn = (t.sweepTurn + 1) % sweepParts
	group := t.cfg.Isolation.Group()
	t.unplaced.sweep(now)
	for i := t.sweepTurn; i < crdt.Partitions; i += sweepParts {
		s := &t.shards[i]
		forgotten := 0
		for from, more := uint32(0), true; more; from += holdSlots {
			s.Lock()
			forgotten += s.sweep(now, group, from)
			if more = from+holdSlots < s.slots(); !more {
				s.sweepDigests(now)
				s.sweepRefunds(now)
				s.Shares.Sweep(group, func(k crdt.Key) bool { _, c := s.lookUp(k); return c != nil })
				if forgotten > 0 || s.indexTooLong() {
					s.trim()
				}
				s.trimRest()
			}
			s.Unlock()
		}
	}
}

// sweep looks at holdSlots entries and returns how many it forgot.
func (s *Shard) sweep(now int64, group *isolation.Group, from uint32) (forgotten int) {
	for slot := from; slot < min(from+holdSlots, s.slots()); slot++ {
		s.closeViews()
		if s.inUse(slot, now) {
			continue
		}
		e := s.at(slot)
		if e == nil {
			continue
		}
		e.foldOver(now)
		if _, early := s.early[e.key]; early {
			continue
		}
		if e.forgettable(now) {
			e.catchUp(now)
		}
		if e.forgettable(now) && s.idle(e, now) && !s.Shares.Undrained(group, e.key, e.rule.GCRA, now) {
			s.remove(slot)
			forgotten++
		}
	}
	return forgotten
}

// inUse reports whether a cell alone tells that its client cannot be forgotten: its window is
// live.
func (s *Shard) inUse(slot uint32, now int64) bool {
	c := s.cellAt(slot)
	if c == nil {
		return false
	}
	what := c.what.Load()
	if what&(isUsed|isWide) != isUsed {
		return false
	}
	f := &s.rules.at(what & ruleMask).Frame
	return int64(c.window.Load())*f.Width >= f.Before(f.Start(now))
}

// ResetRepeated is for how long a reset may still be heard, with what clocks are apart. A
// node that forgot it earlier would take it for a new one, and what was counted since for
// forgotten. Raising it holds reset clients in memory for longer.
const ResetRepeated = 4 * int64(limit.MaxWidth)

// forgettable reports whether the table can forget the client without loss. Two things must
// hold: its newest held window is not live any more, here or at a peer, and its TAT is not
// later than the start of the live windows. Without the first, cells that peers still hold
// would mask what is counted anew. Without the second, a late message about the previous
// window would find nothing behind which its counts drain.
func (e *Entry) forgettable(now int64) bool {
	f := &e.rule.Frame
	live := f.Before(f.Start(now))
	return len(e.lives()) == 0 && e.States().Drained(f, live) && e.Reset().At+max(3*f.Width, ResetRepeated) < now
}

// sweepDigests drops the digests of windows that nobody compares any more.
func (s *Shard) sweepDigests(now int64) {
	for k := range s.digests {
		if k.start+3*k.width < now {
			delete(s.digests, k)
		}
	}
	if len(s.digests) == 0 {
		s.table.counted.remove(s.part)
	}
}
