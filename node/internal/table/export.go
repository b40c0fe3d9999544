package table

import (
	"github.com/distributed-rate-limiter/distributed-rate-limiter/crdt"
	"github.com/distributed-rate-limiter/distributed-rate-limiter/node/limit"
	deltasync "github.com/distributed-rate-limiter/distributed-rate-limiter/sync"
)

// exportSlots is how many slots one call of Export passes at most: a step of the protocol waits
// for it. Raising it makes steps longer in which hardly any client has what is asked for. Lowering
// it takes more messages for such an answer.
const exportSlots = 1 << 16

// Export implements deltasync.Rows. The cursor's index counts slots, and its row the rows of
// a client's lives: one client's may be more than a message takes.
func (t *Table) Export(now int64, q *deltasync.Query, b *deltasync.Batch) (next deltasync.Cursor, done bool) {
	at, passed := q.Cursor, uint32(0)
	for ; at.Partition < crdt.Partitions; at = (deltasync.Cursor{Partition: at.Partition + 1}) {
		if q.Differ != nil && !q.Differ[at.Partition] {
			continue
		}
		if passed >= exportSlots {
			return at, false
		}
		s := &t.shards[at.Partition]
		for more := true; more; {
			s.Lock()
			end := min(at.Index+holdSlots, s.clients.cells.slots())
			passed += end - min(at.Index, end)
			for ; at.Index < end; at.Index, at.Row = at.Index+1, 0 {
				if e := s.clients.at(at.Index); e != nil && !t.exportEntry(now, q, e, b, &at) {
					s.Unlock()
					return at, false
				}
				s.closeViews()
			}
			more = end < s.clients.cells.slots()
			s.Unlock()
			if more && passed >= exportSlots {
				return at, false
			}
		}
	}
	return at, true
}

// exportEntry adds the entry's rows that q asks for, from at.Row on, and reports whether
// they fitted. Rows that move while their client's are under way are found again by digests.
func (t *Table) exportEntry(now int64, q *deltasync.Query, e *Entry, b *deltasync.Batch, at *deltasync.Cursor) bool {
	if q.Of == t.cfg.Self && e.sentSeq <= q.Since {
		return true
	}
	row := uint16(0)
	add := func(head crdt.Delta, r crdt.Row) bool {
		if row++; row <= at.Row {
			return true // passed already
		}
		r.Key = e.key
		if !b.Add(&head, r) {
			return false
		}
		at.Row++
		return true
	}
	e.bring(now, max(now, min(q.At, now+t.Tolerance(e.rule))))
	for r, of := range e.each {
		if !r.Silent && !t.exportLife(q, r, e.Reset(), of, add) {
			return false
		}
	}
	if row > 0 || e.Reset() == (crdt.Stamp{}) || e.rule.Silent {
		return true
	}
	// Nothing but that the client was reset: who holds what was used before has to learn it.
	return add(head(e.rule, e.Reset(), t.cfg.Self, 0, e.state.Start()), e.state.Own())
}

// bring makes the entry ready to be told at now: it folds what is over, and rolls to the window of at.
func (e *Entry) bring(now, at int64) {
	e.catchUp(now) // or rolling would drop what is still to be carried over, and pass windows that still lend
	e.rule.Roll(e.States(), at)
}

// exportLife adds the rows of one life that q asks for, and reports whether they fitted.
func (t *Table) exportLife(q *deltasync.Query, r *limit.Rule, reset crdt.Stamp, of limit.States, add func(crdt.Delta, crdt.Row) bool) bool {
	self, fits := t.cfg.Self, true
	for slot, st := range of.All {
		if q.Of != 0 && q.Of != self {
			if row, ok := st.RowOf(q.Of); ok && !add(head(r, reset, q.Of, slot, st.Start()), row) {
				return false
			}
			continue
		}
		st.Rows(self, func(of crdt.Replica, row crdt.Row) {
			if fits && (q.Of == 0 || of == q.Of) {
				fits = add(head(r, reset, of, slot, st.Start()), row)
			}
		})
		if !fits {
			return false
		}
	}
	return true
}
