package table

import (
	"github.com/distributed-rate-limiter/distributed-rate-limiter/crdt"
	"github.com/distributed-rate-limiter/distributed-rate-limiter/node/limit"
	deltasync "github.com/distributed-rate-limiter/distributed-rate-limiter/sync"
)

// Collect implements deltasync.Rows.
func (t *Table) Collect(now int64, seq uint64, urgent bool, b *deltasync.Batch) (more bool) {
	t.sends.note(seq, now)
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
	for i, slot := range s.out.slots {
		e := s.clients.at(slot)
		if e == nil {
			if c := s.clients.cells.at(slot); c != nil { // nil: forgotten, and its chunk given back
				c.what.Store(0)
			}
			continue
		}
		if e.dirty {
			e.catchUp(now) // what was told is rolled on
			for r, of := range e.each {
				if !s.send(e, r, of, now, b) {
					s.out.slots = append(s.out.slots[:0], s.out.slots[i:]...)
					return false
				}
			}
			e.sentSeq, e.sentAt, e.dirty = seq, now, false
		}
		e.listed = false
		s.closeViews()
	}
	s.out.slots = s.out.slots[:0]
	return true
}

// send adds this replica's rows of one of the entry's lives to b, and reports whether they
// fitted. It adds the rows with news: of the latest life, and of earlier ones, since what was
// admitted just before a change is still to be told. Of the latest life it also adds the first
// row, because a laggard may need to learn its name.
func (s *Shard) send(e *Entry, r *limit.Rule, of limit.States, now int64, b *deltasync.Batch) bool {
	if r.Silent {
		return true
	}
	for slot, st := range of.All {
		if !st.Pending() && (slot > 0 || r != e.rule) {
			continue
		}
		if r != e.rule {
			e.beforeRoll(r, r.Frame.Start(now))
		}
		st.Roll(&r.Frame, r.Frame.Start(now))
		row := st.Own()
		row.Key = e.key
		head := head(r, e.Reset(), 0, slot, st.Start())
		if !b.Add(&head, row) {
			return false
		}
		s.digests.grow(e.key.Slot(slot), e.name(r), s.table.cfg.Self, &r.Frame, st.Start(), st.Sent())
	}
	return true
}

// head is what a state's row shares with others of its group.
func head(r *limit.Rule, reset crdt.Stamp, of crdt.Replica, slot int, start int64) crdt.Delta {
	return crdt.Delta{
		Limit: r.Limit, Revision: r.Revision, Reset: reset, Rule: r.Index, Slot: uint8(slot), //nolint:gosec // at most MaxResolution
		Replica: of, Width: r.Frame.Width, Start: start,
	}
}
