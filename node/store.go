package node

import (
	"github.com/distributed-rate-limiter/distributed-rate-limiter/crdt"
	"github.com/distributed-rate-limiter/distributed-rate-limiter/gcra"
	deltasync "github.com/distributed-rate-limiter/distributed-rate-limiter/sync"
)

// store is the node as the protocol sees it.
type store struct{ *Node }

var _ deltasync.Store = store{}

// Collect implements deltasync.Store.
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
			fits := true
			if old := e.old(); old != nil && old.state.Pending() {
				fits = n.send(s, e.key, old.rev, old.reset, &old.state, now, b)
			}
			if !fits || !n.send(s, e.key, e.rev, e.reset(), &e.state, now, b) {
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

// send adds this replica's row of a state to b and reports whether it fitted.
func (n store) send(s *shard, k crdt.Key, r *revision, reset crdt.Stamp, st *crdt.State, now int64, b *deltasync.Batch) bool {
	st.Roll(&r.frame, r.frame.Start(now))
	row := st.Own()
	row.Key = k
	if !b.Add(head(r, reset, 0, st.Start()), row) {
		return false
	}
	s.growDigests(k, laterStamp(r.stamp, reset), n.replica, r.frame.Width, st.Start(), st.Sent())
	return true
}

// head is what a state's row shares with others of its group.
func head(r *revision, reset crdt.Stamp, of crdt.Replica, start int64) *crdt.Delta {
	if reset.Compare(r.stamp) <= 0 {
		reset = crdt.Stamp{}
	}
	return &crdt.Delta{Limit: r.limit.name, Revision: r.stamp, Reset: reset, Replica: of, Width: r.frame.Width, Start: start}
}

// Merge implements deltasync.Store.
func (n store) Merge(now int64, d *crdt.Delta) (known bool) {
	if d.Replica == n.replica {
		return true
	}
	l := n.limits.get(d.Limit)
	if l == nil {
		n.drops[dropLimit].Add(uint64(len(d.Rows)))
		return d.Revision == crdt.Stamp{} // a configured one will not come; one that was set may
	}
	r := l.find(d.Revision)
	if r == nil || r.frame.Width != d.Width {
		n.drops[dropRevision].Add(uint64(len(d.Rows)))
		return r != nil || d.Revision.Compare(l.newest.Load().stamp) < 0
	}
	if d.Start%d.Width != 0 || d.Start > r.frame.Start(now+n.tolerance(r)) || d.Reset.At > now+n.tolerance(r) {
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
func (n *Node) tolerance(r *revision) int64 { return min(int64(n.cfg.ClockTolerance), r.frame.Width/4) }

// plausible reports whether the row's origins can come from an honest clock. The
// current window's is an instant at which something was admitted. The previous
// one's may also be a TAT: as far ahead as all nodes' bursts together can push it.
func (n *Node) plausible(now int64, r *revision, row *crdt.Row) bool {
	latest := now + n.tolerance(r)
	nodes := int64(n.view.peers.Load()) + 2
	// Divided, since deep buckets of many nodes do not fit into a product.
	return row.Cur.Origin <= latest && (row.Prev.Origin <= latest || (row.Prev.Origin-latest)/nodes <= r.gcra.Depth()+2*r.frame.Width)
}

func (n store) mergeRow(now int64, l *limit, r *revision, d *crdt.Delta, row *crdt.Row) {
	if !n.plausible(now, r, row) {
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
		e = s.insert(row.Key, r, r.frame.Start(now))
		e.follow(d.Reset, nil)
	}
	stamp := d.Stamp()
	switch c := stamp.Compare(e.stamp()); {
	case c > 0 && d.Reset.Compare(d.Revision) > 0:
		n.restart(s, e, d.Reset, now)
		if e.rev.stamp.Compare(r.stamp) < 0 {
			e.rev, e.state = r, crdt.New(r.frame.Start(now))
		}
	case c > 0:
		n.renew(e, r, now)
	case c < 0:
		n.mergeOld(now, s, e, r, d, row)
		if !n.offline {
			n.table.markDirty(s, e) // so that the laggard learns of the higher stamp
		}
		return
	}
	switch c := e.rev.stamp.Compare(r.stamp); {
	case c < 0: // one reset, two revisions: nobody may have asked for this client since
		n.renew(e, r, now)
	case c > 0:
		return // the later one's rows will come
	}
	before := e.state.TAT(&r.frame)
	iso := n.beginShare(s, e)
	g := e.state.Merge(&r.frame, d.Replica, d.Start, *row)
	s.growDigests(e.key, stamp, d.Replica, d.Width, d.Start, g)
	l.overshoot.observe(r, now, before, e.state.TAT(&r.frame))
	if iso != nil {
		s.chargeShare(e, iso, now, g)
	}
}

// mergeOld merges what was counted before the limit's last change, and carries over
// what that adds. Where the client was not known before, its old life begins with
// it. What was counted before a reset, or before an earlier change, is over.
func (n store) mergeOld(now int64, s *shard, e *entry, r *revision, d *crdt.Delta, row *crdt.Row) {
	if e.reset().Compare(e.rev.stamp) > 0 {
		return
	}
	old := e.old()
	if old == nil {
		if r.stamp == e.rev.stamp || d.Start < r.frame.Start(now)-r.frame.Width {
			return
		}
		old = &life{stamp: d.Stamp(), rev: r, reset: d.Reset, state: crdt.New(d.Start)}
		e.follow(e.reset(), old)
	}
	if old.stamp != d.Stamp() {
		return
	}
	g := old.state.Merge(&r.frame, d.Replica, d.Start, *row)
	s.growDigests(e.key, old.stamp, d.Replica, r.frame.Width, d.Start, g)
	n.recarry(e)
}

// Export implements deltasync.Store. The cursor's index counts slots, and its row
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
	e.state.Roll(&e.rev.frame, e.rev.frame.Start(now))
	if !n.exportLife(q, e.rev, e.reset(), &e.state, add) {
		return false
	}
	old := e.old()
	return old == nil || n.exportLife(q, old.rev, old.reset, &old.state, add)
}

func (n store) exportLife(q *deltasync.Query, r *revision, reset crdt.Stamp, st *crdt.State, add func(*crdt.Delta, crdt.Row) bool) bool {
	if q.Of != 0 && q.Of != n.replica {
		row, ok := st.RowOf(q.Of)
		return !ok || add(head(r, reset, q.Of, st.Start()), row)
	}
	fits := true
	st.Rows(n.replica, func(of crdt.Replica, row crdt.Row) {
		if fits && (q.Of == 0 || of == q.Of) {
			fits = add(head(r, reset, of, st.Start()), row)
		}
	})
	return fits
}

// Windows implements deltasync.Store.
func (n store) Windows(now int64) []deltasync.Window {
	var out []deltasync.Window
	seen := map[int64]bool{}
	for _, l := range n.limits.all() {
		for r := l.newest.Load(); r != nil; r = r.before {
			if w := r.frame.Width; !seen[w] {
				seen[w] = true
				start := r.frame.Start(now)
				out = append(out, deltasync.Window{Width: w, Start: start}, deltasync.Window{Width: w, Start: start - w})
			}
		}
	}
	return out
}

// Digests implements deltasync.Store.
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

// Origins implements deltasync.Store.
func (n store) Origins(_ int64, w deltasync.Window, partition int) crdt.Digest {
	s := &n.table.shards[partition]
	var d crdt.Digest
	for from, more := uint32(0), true; more; from += sweepSlots {
		s.mu.Lock()
		for slot := from; slot < min(from+sweepSlots, s.slots()); slot++ {
			if e := s.at(slot); e != nil && e.used && e.rev.frame.Width == w.Width {
				if o, tat := e.state.CarriedOver(&e.rev.frame, w.Start+w.Width); tat > w.Start+w.Width {
					d.Origin(e.key, e.stamp(), w.Start, o)
				}
			}
		}
		more = from+sweepSlots < s.slots()
		s.mu.Unlock()
	}
	return d
}

// Clients implements deltasync.Store.
func (n store) Clients() int { return int(n.table.count.Load()) }

// overshoot keeps what merging revealed of one limit's over-admission.
func (o *overshoot) observe(r *revision, now, before, after int64) {
	const never = gcra.Never / 2
	if after <= now+r.gcra.Depth() || after < never {
		return
	}
	over := r.gcra.Units(after - now - r.gcra.Depth())
	was := uint64(0)
	if before > now+r.gcra.Depth() {
		was = r.gcra.Units(before - now - r.gcra.Depth())
	}
	if over > was {
		o.units.Add(over - was)
	}
	for {
		p := o.peak.Load()
		if over <= p || o.peak.CompareAndSwap(p, over) {
			return
		}
	}
}
