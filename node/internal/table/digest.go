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

// digest is the shard's sum of what messages carried of one replica's counters.
func (s *Shard) digest(r crdt.Replica, width, start int64) *crdt.Digest {
	k := digestKey{r, width, start}
	d := s.digests[k]
	if d == nil {
		d = new(crdt.Digest)
		s.digests[k] = d
		s.table.counted.add(s.part)
	}
	return d
}

// grow adds to replica r's digests what a row at start added to the states of k.
func (s *Shard) grow(k crdt.Key, l crdt.Life, r crdt.Replica, f *crdt.Frame, start int64, g crdt.Gain) {
	if g.Cur != (crdt.Count{}) {
		s.digest(r, f.Width, start).Grow(k, l, start, g.Cur)
	}
	if g.Prev != (crdt.Count{}) {
		before := f.Before(start)
		s.digest(r, f.Width, before).Grow(k, l, before, g.Prev)
	}
}

// shrink takes off the digests what one of the entry's lives added to them.
func (s *Shard) shrink(e *Entry, r *limit.Rule, of limit.States) {
	if r.Silent {
		return // what is not sent is in no digest
	}
	life := e.name(r)
	for slot, st := range of.All {
		k, width, start, before := e.key.Slot(slot), r.Frame.Width, st.Start(), r.Frame.Before(st.Start())
		st.Carried(s.table.cfg.Self, func(of crdt.Replica, g crdt.Gain) {
			s.digest(of, width, start).Shrink(k, life, start, g.Cur)
			s.digest(of, width, before).Shrink(k, life, before, g.Prev)
		})
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
		if d := s.digests[k]; d != nil {
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
		for k, d := range s.digests {
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
		for slot := from; slot < min(from+holdSlots, s.slots()); slot++ {
			if e := s.at(slot); e != nil {
				e.foldOver(now) // or nodes that sweep at another moment would differ
				e.addOrigins(&d, now, w)
			}
			s.leaveViews()
		}
		more = from+holdSlots < s.slots()
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
