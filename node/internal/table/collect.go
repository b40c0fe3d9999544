package table

import (
	"github.com/distributed-rate-limiter/distributed-rate-limiter/crdt"
	"github.com/distributed-rate-limiter/distributed-rate-limiter/node/limit"
	deltasync "github.com/distributed-rate-limiter/distributed-rate-limiter/sync"
)

// Collect implements deltasync.Rows.
func (t *Table) Collect(now int64, seq uint64, urgent bool, b *deltasync.Batch) (more bool) {
	due := &t.dirty
	if urgent {
		due = &t.urgent
	}
	for part := range due.all {
		s := &t.shards[part]
		s.Lock()
		all := s.collect(now, seq, b)
		if all {
			t.dirty.remove(part)
			t.urgent.remove(part)
		}
		s.Unlock()
		if !all {
			return true
		}
	}
	return false
}

// collect sends what is dirty and reports whether all of it fitted.
func (s *Shard) collect(now int64, seq uint64, b *deltasync.Batch) bool {
	for i, slot := range s.dirty {
		e := s.at(slot)
		if e == nil {
			continue // forgotten, and its chunk given back
		}
		if e.used && e.dirty {
			// What was admitted just before a change of the limit is still to be told.
			old := e.old()
			if old != nil && !s.send(e.key, old.rule, old.reset, old.states(), now, true, b) ||
				!s.send(e.key, e.rule, e.Reset(), e.States(), now, false, b) {
				s.dirty = append(s.dirty[:0], s.dirty[i:]...)
				return false
			}
			e.sentSeq, e.sentAt, e.dirty = seq, now, false
		}
		e.listed = false
	}
	s.dirty = s.dirty[:0]
	return true
}

// send adds this replica's rows of what counts a client's use to b and reports whether they
// fitted: those with news, and unless onlyNews the first one in any case, since it may have
// been called for to tell a laggard of its stamp.
func (s *Shard) send(k crdt.Key, r *limit.Rule, reset crdt.Stamp, of limit.States, now int64, onlyNews bool, b *deltasync.Batch) bool {
	if r.Silent {
		return true
	}
	for slot, st := range of.All {
		if !st.Pending() && (slot > 0 || onlyNews) {
			continue
		}
		st.Roll(&r.Frame, r.Frame.Start(now))
		row := st.Own()
		row.Key = k
		if !b.Add(head(r, reset, 0, slot, st.Start()), row) {
			return false
		}
		s.grow(k.Slot(slot), laterStamp(r.Revision, reset), s.table.cfg.Self, &r.Frame, st.Start(), st.Sent())
	}
	return true
}

// head is what a state's row shares with others of its group.
func head(r *limit.Rule, reset crdt.Stamp, of crdt.Replica, slot int, start int64) *crdt.Delta {
	if reset.Compare(r.Revision) <= 0 {
		reset = crdt.Stamp{}
	}
	return &crdt.Delta{
		Limit: r.Limit, Revision: r.Revision, Reset: reset, Rule: r.Index, Slot: uint8(slot), //nolint:gosec // at most MaxResolution
		Replica: of, Width: r.Frame.Width, Start: start,
	}
}

// Export implements deltasync.Rows. The cursor's index counts slots, and its row the rows of
// a client's two lives: one client's may be more than a message takes.
func (t *Table) Export(now int64, q *deltasync.Query, b *deltasync.Batch) (next deltasync.Cursor, done bool) {
	at := q.Cursor
	for ; at.Partition < crdt.Partitions; at = (deltasync.Cursor{Partition: at.Partition + 1}) {
		if q.Differ != nil && !q.Differ[at.Partition] {
			continue
		}
		s := &t.shards[at.Partition]
		for more := true; more; {
			s.Lock()
			end := min(at.Index+holdSlots, s.slots())
			for ; at.Index < end; at.Index, at.Row = at.Index+1, 0 {
				if e := s.at(at.Index); e != nil && e.used && !t.exportEntry(now, q, e, b, &at) {
					s.Unlock()
					return at, false
				}
			}
			more = end < s.slots()
			s.Unlock()
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
	add := func(head *crdt.Delta, r crdt.Row) bool {
		if row++; row <= at.Row {
			return true // passed already
		}
		r.Key = e.key
		if !b.Add(head, r) {
			return false
		}
		at.Row++
		return true
	}
	e.rule.Roll(e.States(), now)
	if !t.exportLife(q, e.rule, e.Reset(), e.States(), add) {
		return false
	}
	if old := e.old(); old != nil && !t.exportLife(q, old.rule, old.reset, old.states(), add) {
		return false
	}
	if row > 0 || e.Reset() == (crdt.Stamp{}) || e.rule.Silent {
		return true
	}
	// Nothing but that the client was reset: who holds what was used before has to learn it.
	return add(head(e.rule, e.Reset(), t.cfg.Self, 0, e.state.Start()), e.state.Own())
}

// exportLife adds the rows of one life that q asks for, and reports whether they fitted.
func (t *Table) exportLife(q *deltasync.Query, r *limit.Rule, reset crdt.Stamp, of limit.States, add func(*crdt.Delta, crdt.Row) bool) bool {
	if r.Silent {
		return true
	}
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
