package node

import (
	"strings"

	"github.com/distributed-rate-limiter/distributed-rate-limiter/crdt"
	"github.com/distributed-rate-limiter/distributed-rate-limiter/node/limit"
	deltasync "github.com/distributed-rate-limiter/distributed-rate-limiter/sync"
)

// store is the node as the protocol sees it.
type store struct{ *Node }

// store lists who implements the roles of the replicated state.
func (n *Node) store() deltasync.Store {
	s := store{n}
	return deltasync.Store{Rows: s, Summaries: s, Registry: s, Configured: s, Resetter: s, Settler: n.escrow, Viewer: s}
}

// Collect implements deltasync.Rows.
func (n store) Collect(now int64, seq uint64, urgent bool, b *deltasync.Batch) (more bool) {
	due := &n.table.dirty
	if urgent {
		due = &n.table.urgent
	}
	for part := range due.all {
		s := &n.table.shards[part]
		s.mu.Lock()
		all := n.collectShard(s, now, seq, b)
		if all {
			n.table.dirty.remove(part)
			n.table.urgent.remove(part)
		}
		s.mu.Unlock()
		if !all {
			return true
		}
	}
	return false
}

// collectShard sends what is dirty in s and reports whether all of it fitted. s is
// locked.
func (n store) collectShard(s *shard, now int64, seq uint64, b *deltasync.Batch) bool {
	for i, slot := range s.dirty {
		e := s.at(slot)
		if e == nil {
			continue // forgotten, and its chunk given back
		}
		if e.used && e.dirty {
			// What was admitted just before a change of the limit is still to be told.
			old := e.old()
			if old != nil && !n.send(s, e.key, old.rule, old.reset, old.states(), now, true, b) ||
				!n.send(s, e.key, e.rule, e.reset(), e.states(), now, false, b) {
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

// send adds this replica's rows of what counts a client's use to b and reports whether
// they fitted: those with news, and unless onlyNews the first one in any case, since it
// may have been called for to tell a laggard of its stamp.
func (n store) send(s *shard, k crdt.Key, r *rule, reset crdt.Stamp, of limit.States, now int64, onlyNews bool, b *deltasync.Batch) bool {
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
		s.growDigests(k.Slot(slot), laterStamp(r.rev.stamp, reset), n.replica, &r.Frame, st.Start(), st.Sent())
	}
	return true
}

// head is what a state's row shares with others of its group.
func head(r *rule, reset crdt.Stamp, of crdt.Replica, slot int, start int64) *crdt.Delta {
	if reset.Compare(r.rev.stamp) <= 0 {
		reset = crdt.Stamp{}
	}
	return &crdt.Delta{
		Limit: r.rev.limit.name, Revision: r.rev.stamp, Reset: reset, Rule: r.Index, Slot: uint8(slot), //nolint:gosec // at most MaxResolution
		Replica: of, Width: r.Frame.Width, Start: start,
	}
}

// Merge implements deltasync.Rows.
func (n store) Merge(now int64, d *crdt.Delta) (known bool) {
	if d.Replica == n.replica {
		return true
	}
	l := n.limits.get(d.Limit)
	if strings.HasPrefix(d.Limit, calledMark) {
		l = n.limits.calledByName(d.Limit, now)
	}
	if l == nil {
		n.drops[dropLimit].Add(uint64(len(d.Rows)))
		return d.Revision == crdt.Stamp{} // a configured one will not come; one that was set may
	}
	rev := l.find(d.Revision)
	if rev == nil {
		n.drops[dropRevision].Add(uint64(len(d.Rows)))
		return d.Revision.Compare(l.newest().stamp) < 0
	}
	r := rev.numbered(d.Rule)
	if r == nil || r.Silent || r.Frame.Width != d.Width || int(d.Slot) >= r.Slots {
		n.drops[dropRevision].Add(uint64(len(d.Rows)))
		return true
	}
	if d.Start > r.Frame.Start(now+n.tolerance(r)) || r.Frame.Start(d.Start) != d.Start || d.Reset.At > now+n.tolerance(r) {
		n.drops[dropFuture].Add(uint64(len(d.Rows)))
		return true
	}
	for i := range d.Rows {
		n.mergeRow(now, l, r, d, &d.Rows[i])
	}
	return true
}

// tolerance is how far ahead of our clock a peer's windows and origins may lie:
// further ones are refused, so that one wrong clock cannot lock every client out.
func (n *Node) tolerance(r *rule) int64 { return min(int64(n.cfg.ClockTolerance), r.Frame.Width/4) }

// plausible reports whether the row's origins can come from an honest clock. The
// current window's is an instant at which something was admitted. The previous
// one's may also be a TAT: as far ahead as all nodes' bursts together can push it.
// A window algorithm's tell units that were used before a change, in half a window.
func (n *Node) plausible(now int64, r *rule, start int64, row *crdt.Row) bool {
	if r.Policy.Algorithm != GCRA {
		return row.Cur.Origin <= start+r.GCRA.Depth() && row.Prev.Origin <= start+r.GCRA.Depth()
	}
	latest := now + n.tolerance(r)
	nodes := int64(n.view.peers.Load()) + 2
	// Divided, since deep buckets of many nodes do not fit into a product.
	return row.Cur.Origin <= latest && (row.Prev.Origin <= latest || (row.Prev.Origin-latest)/nodes <= r.GCRA.Depth()+2*r.Frame.Width)
}

func (n store) mergeRow(now int64, l *namedLimit, r *rule, d *crdt.Delta, row *crdt.Row) {
	if !n.plausible(now, r, d.Start, row) {
		n.drops[dropFuture].Add(1)
		return
	}
	s := n.table.shard(row.Key)
	s.mu.Lock()
	defer s.mu.Unlock()
	e := s.find(row.Key)
	if e == nil {
		if n.table.full(s) {
			// Never evict for a peer's sake; here this client counts as isolated.
			n.drops[dropFull].Add(1)
			return
		}
		n.table.count.Add(1)
		e = s.insert(row.Key, r, now)
		e.follow(d.Reset, nil)
	}
	stamp := d.Stamp()
	switch c := stamp.Compare(e.stamp()); {
	case c > 0 && d.Reset.Compare(d.Revision) > 0:
		n.restart(s, e, d.Reset, now)
		if e.rule.rev.stamp.Compare(r.rev.stamp) <= 0 && e.rule != r {
			e.begin(r, now)
		}
	case c > 0:
		n.renew(e, r, now)
	case c < 0:
		n.mergeOld(now, s, e, r, d, row)
		if !n.offline && !e.rule.Silent {
			n.table.markDirty(s, e) // so that the laggard learns of the higher stamp
		}
		return
	}
	switch c := e.rule.rev.stamp.Compare(r.rev.stamp); {
	case c < 0: // one reset, two revisions: nobody may have asked for this client since
		n.renew(e, r, now)
	case c > 0:
		return // the later one's rows will come
	case e.rule.Index != r.Index:
		n.adopt(e, r, now)
		if e.rule.Index != r.Index {
			n.drops[dropRevision].Add(1) // the nodes are configured with other overrides
			return
		}
	}
	if e.rule.Slots > 1 {
		// The row moves its own slot along only; what the others hold of windows that are
		// over would be taken for this one's.
		e.rule.Roll(e.states(), now)
	}
	before := e.rule.Excess(e.states(), now)
	iso := n.beginShare(s, e)
	g := e.states().At(int(d.Slot)).Merge(&r.Frame, d.Replica, d.Start, *row)
	s.growDigests(e.key.Slot(int(d.Slot)), stamp, d.Replica, &r.Frame, d.Start, g)
	l.account.overshoot.observe(before, e.rule.Excess(e.states(), now))
	if iso != nil {
		s.chargeShare(e, iso, now, g)
	}
}

// mergeOld merges what was counted before the limit's last change, and carries over
// what that adds. Where the client was not known before, its old life begins with
// it. What was counted before a reset, or before an earlier change, is over.
func (n store) mergeOld(now int64, s *shard, e *entry, r *rule, d *crdt.Delta, row *crdt.Row) {
	if e.reset().Compare(e.rule.rev.stamp) > 0 {
		return
	}
	old := e.old()
	if old == nil {
		if r.rev.stamp == e.rule.rev.stamp || d.Start < r.Frame.Before(r.Frame.Start(now)) {
			return
		}
		old = &life{stamp: d.Stamp(), rule: r, reset: d.Reset}
		old.state, old.slots = r.NewStates(d.Start)
		e.follow(e.reset(), old)
	}
	if old.stamp != d.Stamp() || old.rule.Index != r.Index {
		return
	}
	st := old.states().At(int(d.Slot))
	if st == nil {
		return
	}
	g := st.Merge(&r.Frame, d.Replica, d.Start, *row)
	s.growDigests(e.key.Slot(int(d.Slot)), old.stamp, d.Replica, &r.Frame, d.Start, g)
	n.recarry(e)
}

// Export implements deltasync.Rows. The cursor's index counts slots, and its row
// the rows of a client's two lives: one client's may be more than a message takes.
func (n store) Export(now int64, q *deltasync.Query, b *deltasync.Batch) (next deltasync.Cursor, done bool) {
	at := q.Cursor
	for ; at.Partition < crdt.Partitions; at = (deltasync.Cursor{Partition: at.Partition + 1}) {
		if q.Differ != nil && !q.Differ[at.Partition] {
			continue
		}
		s := &n.table.shards[at.Partition]
		for more := true; more; {
			s.mu.Lock()
			// A decision may wait for as long as the lock is held: not for all slots.
			end := min(at.Index+sweepSlots, s.slots())
			for ; at.Index < end; at.Index, at.Row = at.Index+1, 0 {
				if e := s.at(at.Index); e != nil && e.used && !n.exportEntry(now, q, e, b, &at) {
					s.mu.Unlock()
					return at, false
				}
			}
			more = end < s.slots()
			s.mu.Unlock()
		}
	}
	return at, true
}

// exportEntry adds the entry's rows that q asks for, from at.Row on, and reports
// whether they fitted. Rows that move while their client's are under way are found
// again by digests.
func (n store) exportEntry(now int64, q *deltasync.Query, e *entry, b *deltasync.Batch, at *deltasync.Cursor) bool {
	if q.Of == n.replica && e.sentSeq <= q.Since {
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
	e.rule.Roll(e.states(), now)
	if !n.exportLife(q, e.rule, e.reset(), e.states(), add) {
		return false
	}
	if old := e.old(); old != nil && !n.exportLife(q, old.rule, old.reset, old.states(), add) {
		return false
	}
	if row > 0 || e.reset() == (crdt.Stamp{}) || e.rule.Silent {
		return true
	}
	// Nothing but that the client was reset: who holds what was used before has to learn it.
	return add(head(e.rule, e.reset(), n.replica, 0, e.state.Start()), e.state.Own())
}

func (n store) exportLife(q *deltasync.Query, r *rule, reset crdt.Stamp, of limit.States, add func(*crdt.Delta, crdt.Row) bool) bool {
	if r.Silent {
		return true
	}
	fits := true
	for slot, st := range of.All {
		if q.Of != 0 && q.Of != n.replica {
			if row, ok := st.RowOf(q.Of); ok && !add(head(r, reset, q.Of, slot, st.Start()), row) {
				return false
			}
			continue
		}
		st.Rows(n.replica, func(of crdt.Replica, row crdt.Row) {
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

// Windows implements deltasync.Summaries.
func (n store) Windows(now int64) []deltasync.Window {
	var out []deltasync.Window
	seen := map[deltasync.Window]bool{}
	for l := range n.limits.each {
		for _, r := range l.revisions() {
			for _, f := range r.frames {
				cur := deltasync.Window{Width: f.Width, Start: f.Start(now)}
				if !seen[cur] {
					seen[cur] = true
					out = append(out, cur, deltasync.Window{Width: f.Width, Start: f.Before(cur.Start)})
				}
			}
		}
	}
	return out
}

// Digests implements deltasync.Summaries.
func (n store) Digests(r crdt.Replica, w deltasync.Window, out *[crdt.Partitions]crdt.Digest) {
	*out = [crdt.Partitions]crdt.Digest{}
	k := digestKey{r, w.Width, w.Start}
	for part := range n.table.counted.all {
		s := &n.table.shards[part]
		s.mu.Lock()
		if d := s.digests[k]; d != nil {
			out[part] = *d
		}
		s.mu.Unlock()
	}
}

// Origins implements deltasync.Summaries.
func (n store) Origins(_ int64, w deltasync.Window, partition int) crdt.Digest {
	s := &n.table.shards[partition]
	var d crdt.Digest
	for from, more := uint32(0), true; more; from += sweepSlots {
		s.mu.Lock()
		for slot := from; slot < min(from+sweepSlots, s.slots()); slot++ {
			if e := s.at(slot); e != nil && e.used && e.rule.Policy.Algorithm == GCRA && !e.rule.Silent && e.rule.Frame.Width == w.Width {
				if o, tat := e.state.CarriedOver(&e.rule.Frame, w.Start+w.Width); tat > w.Start+w.Width {
					d.Origin(e.key, e.stamp(), w.Start, o)
				}
			}
		}
		more = from+sweepSlots < s.slots()
		s.mu.Unlock()
	}
	return d
}

// Clients implements deltasync.Summaries.
func (n store) Clients() int { return int(n.table.count.Load()) }

// observe keeps what merging revealed of one limit's over-admission: by how much a
// client was beyond the limit before, and is now.
func (o *overshoot) observe(was, over uint64) {
	if over <= was {
		return
	}
	o.units.Add(over - was)
	for {
		p := o.peak.Load()
		if over <= p || o.peak.CompareAndSwap(p, over) {
			return
		}
	}
}
