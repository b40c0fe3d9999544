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
			if more = from+holdSlots < s.clients.cells.slots(); !more {
				s.digests.sweep(now)
				s.refunds.sweep(now)
				s.Shares.Sweep(group, func(k crdt.Key) bool { _, c := s.clients.cells.find(k); return c != nil })
				if forgotten > 0 || s.clients.cells.tooLong() {
					s.trim()
				}
				s.clients.trim()
			}
			s.Unlock()
		}
	}
}

// sweep looks at holdSlots entries and returns how many it forgot.
func (s *Shard) sweep(now int64, group *isolation.Group, from uint32) (forgotten int) {
	for slot := from; slot < min(from+holdSlots, s.clients.cells.slots()); slot++ {
		s.closeViews()
		if s.clients.live(slot, now) {
			continue
		}
		e := s.clients.at(slot)
		if e == nil {
			continue
		}
		e.foldOver(now)
		if _, early := s.aside.of[e.key]; early {
			continue
		}
		if e.forgettable(now) {
			e.catchUp(now)
		}
		if e.forgettable(now) && s.accounts.idle(e, now) && !s.Shares.Undrained(group, e.key, e.rule.GCRA, now) {
			s.remove(slot)
			forgotten++
		}
	}
	return forgotten
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
