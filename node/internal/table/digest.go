package table

import (
	"slices"

	"github.com/distributed-rate-limiter/distributed-rate-limiter/crdt"
	"github.com/distributed-rate-limiter/distributed-rate-limiter/node/limit"
	deltasync "github.com/distributed-rate-limiter/distributed-rate-limiter/sync"
)

// digestKey names one digest of a shard: of one replica's counters in one window.
type digestKey struct {
	replica crdt.Replica
	width   int64
	start   int64
}

// digests sum up what messages carried of each replica's counters, by window. They grow with
// sent and merged counters and shrink with resets, so that two nodes that heard the same have
// equal digests.
type digests struct {
	of map[digestKey]*crdt.Digest
	// counted has part, which is the shard's, while there are any. Both never change.
	counted *partSet
	part    int
}

// at is the sum of one replica's counters in one window.
func (x *digests) at(r crdt.Replica, width, start int64) *crdt.Digest {
	k := digestKey{r, width, start}
	d := x.of[k]
	if d == nil {
		d = new(crdt.Digest)
		x.of[k] = d
		x.counted.add(x.part)
	}
	return d
}

// grow adds to replica r's digests what a row at start added to the states of k.
func (x *digests) grow(k crdt.Key, l crdt.Life, r crdt.Replica, f *crdt.Frame, start int64, g crdt.Gain) {
	if g.Cur != (crdt.Count{}) {
		x.at(r, f.Width, start).Grow(k, l, start, g.Cur)
	}
	if g.Prev != (crdt.Count{}) {
		before := f.Before(start)
		x.at(r, f.Width, before).Grow(k, l, before, g.Prev)
	}
}

// shrink takes off the digests what one of the entry's lives added to them. self is this node.
func (x *digests) shrink(e *Entry, r *limit.Rule, of limit.States, self crdt.Replica) {
	if r.Silent {
		return // what is not sent is in no digest
	}
	life := e.name(r)
	for slot, st := range of.All {
		k, width, start, before := e.key.Slot(slot), r.Frame.Width, st.Start(), r.Frame.Before(st.Start())
		st.Carried(self, func(of crdt.Replica, g crdt.Gain) {
			x.at(of, width, start).Shrink(k, life, start, g.Cur)
			x.at(of, width, before).Shrink(k, life, before, g.Prev)
		})
	}
}

// sweep drops the digests of windows that nobody compares any more.
func (x *digests) sweep(now int64) {
	for k := range x.of {
		if k.start+3*k.width < now {
			delete(x.of, k)
		}
	}
	if len(x.of) == 0 {
		x.counted.remove(x.part)
	}
}

// Windows implements deltasync.Summaries.
func (t *Table) Windows(now int64) []deltasync.Window { return t.cfg.Limits.Windows(now) }

// Digests implements deltasync.Summaries.
func (t *Table) Digests(r crdt.Replica, w deltasync.Window, out *[crdt.Partitions]crdt.Digest) {
	*out = [crdt.Partitions]crdt.Digest{}
	k := digestKey{r, w.Width, w.Start}
	for part := range t.counted.all {
		s := &t.shards[part]
		s.Lock()
		if d := s.digests.of[k]; d != nil {
			out[part] = *d
		}
		s.Unlock()
	}
}

// Roots implements deltasync.Summaries.
func (t *Table) Roots(now int64) []deltasync.Root {
	live := map[deltasync.Window]bool{}
	for _, w := range t.Windows(now) {
		live[w] = true
	}
	sums := map[digestKey]crdt.Digest{}
	for part := range t.counted.all {
		s := &t.shards[part]
		s.Lock()
		for k, d := range s.digests.of {
			if *d != 0 && live[deltasync.Window{Width: k.width, Start: k.start}] {
				sums[k] += *d
			}
		}
		s.Unlock()
	}
	roots := make([]deltasync.Root, 0, len(sums))
	for k, d := range sums {
		if d != 0 {
			roots = append(roots, deltasync.Root{Replica: k.replica, Window: deltasync.Window{Width: k.width, Start: k.start}, Digest: d})
		}
	}
	slices.SortFunc(roots, deltasync.Root.Compare)
	return roots
}

// Origins implements deltasync.Summaries.
func (t *Table) Origins(now int64, w deltasync.Window, partition int) crdt.Digest {
	s := &t.shards[partition]
	var d crdt.Digest
	for from, more := uint32(0), true; more; from += holdSlots {
		s.Lock()
		for slot := from; slot < min(from+holdSlots, s.clients.cells.slots()); slot++ {
			if !s.clients.carries(slot, now, w) {
				continue
			}
			if e := s.clients.at(slot); e != nil {
				e.foldOver(now) // or nodes that sweep at another moment would differ
				e.addOrigins(&d, now, w)
			}
			s.clients.leave()
		}
		more = from+holdSlots < s.clients.cells.slots()
		s.Unlock()
	}
	return d
}

// addOrigins adds to d what the client's lives carry in origins alone.
func (e *Entry) addOrigins(d *crdt.Digest, now int64, w deltasync.Window) {
	for r, of := range e.each {
		e.addOriginsOf(d, r, of, now, w)
	}
}

// addOriginsOf adds those of one life. Under GCRA that is what a closed window leaves to drain:
// the origin of an open one moves with each admission. A window algorithm carries units over a
// change in the window that they count in. They count there until it ends, so they are in the
// digests of an open window, too.
func (e *Entry) addOriginsOf(d *crdt.Digest, r *limit.Rule, of limit.States, now int64, w deltasync.Window) {
	f, end := &r.Frame, w.Start+w.Width
	if r.Silent || f.Width != w.Width {
		return
	}
	if r.Policy.Algorithm == limit.GCRA {
		if o, tat := of.First.CarriedOver(f, end); end <= now && tat > end {
			d.Origin(e.key, e.name(r), w.Start, o)
		}
		return
	}
	for slot, st := range of.All {
		if o := st.OriginAt(f, w.Start); o > w.Start {
			d.Origin(e.key.Slot(slot), e.name(r), w.Start, o)
		}
	}
}

// carries reports whether the client in a slot may carry something that is in the digest of w's
// origins. Of nearly all clients the cell alone tells that they do not: what they used has
// drained. Opening each of a million would take a hundredth of a core.
func (c *clients) carries(slot uint32, now int64, w deltasync.Window) bool {
	at := c.cells.at(slot)
	if at == nil {
		return false
	}
	what := at.what.Load()
	if what&(isUsed|isWide) != isUsed {
		return what&isUsed != 0
	}
	r := c.rules.at(what & ruleMask)
	f, end := &r.Frame, w.Start+w.Width
	switch start := int64(at.window.Load()) * f.Width; {
	case r.Silent || f.Width != w.Width:
		return false
	case r.Policy.Algorithm != limit.GCRA:
		return true
	case end > now || end < start:
		return false // see Entry.addOriginsOf, and crdt.State.CarriedOver
	case end == start:
		return at.carry.Load() > end
	}
	count := at.word.Load()&ownMask + uint64(int64(at.others.Load())) //nolint:gosec // their sum is not negative
	return max(at.origin.Load(), at.carry.Load())+f.Drain(count) > end
}
