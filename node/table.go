package node

import (
	"math/bits"
	"slices"
	"sync"
	"sync/atomic"

	"github.com/distributed-rate-limiter/distributed-rate-limiter/crdt"
	"github.com/distributed-rate-limiter/distributed-rate-limiter/node/internal/top"
	"github.com/distributed-rate-limiter/distributed-rate-limiter/node/limit"
)

// table holds the clients of all limits, in one shard for each partition of the
// key space: a shard is the unit of locking, of flushing, of digests and of repair.
type table struct {
	shards [crdt.Partitions]shard
	max    int64
	count  atomic.Int64

	_ [64]byte // count is written whenever a client comes or goes

	// The shards with something to send, and those with something urgent. A bit is
	// set and cleared under its shard's lock.
	dirty, urgent partSet
	counted       partSet // the shards that hold digests
}

// partSet is a set of partitions. Safe for concurrent use.
type partSet [crdt.Partitions / 64]atomic.Uint64

func (p *partSet) add(part int)    { p[part/64].Or(1 << (part % 64)) }
func (p *partSet) remove(part int) { p[part/64].And(^uint64(1 << (part % 64))) }

func (p *partSet) has(part int) bool { return p[part/64].Load()&(1<<(part%64)) != 0 }

// all yields the members, as they are when it comes to them.
func (p *partSet) all(yield func(int) bool) {
	for i := range p {
		for w := p[i].Load(); w != 0; w &= w - 1 {
			if !yield(i*64 + bits.TrailingZeros64(w)) {
				return
			}
		}
	}
}

// full reports whether s must take no further client in.
func (t *table) full(s *shard) bool { return t.count.Load() >= t.max || s.live >= mostInShard }

// shard is a hash table of entries that never move: an open-addressed index of
// slots into chunks. mu guards all of it.
type shard struct {
	mu      sync.Mutex
	index   []place // length a power of two, at most three quarters used
	chunks  []*[chunkSize]entry
	tallies []tally // by limit
	sampler top.Sampler

	live    int
	inChunk []uint8  // entries used, by chunk; a chunk with none may be nil
	free    []uint32 // slots to use again
	dirty   []uint32 // slots with something to send
	digests map[digestKey]*crdt.Digest
	counted *partSet // the table's, to note that there are digests here
	part    int
	// What clients used of their share while nodes cannot hear each other.
	overlays map[crdt.Key]overlay
	scratch  entry // for looking at what would be

	_ [64]byte // keeps neighbours' locks off this cache line
}

// Slots are numbered by chunkSlots to a chunk, of which the first chunkSize exist:
// with the allocator's header of 8 bytes they fill a size class of 4 KiB, where a
// power of two of them would waste a tenth.
const (
	chunkSlots = 32
	chunkSize  = 21
)

// place is what the index holds: slot+1 in the lower bits, 0 where it is empty, and
// a few bits of the key above, so that looking at another client's entry, which is a
// cache miss, is rare.
type place uint32

const (
	slotBits = 24
	slotMask = 1<<slotBits - 1
	// mostInShard keeps slot+1 within slotBits, with room for overflow entries.
	mostInShard = slotMask/chunkSlots*chunkSize - MaxLimits - MaxOverrides - 1
)

func placeOf(k crdt.Key, slot uint32) place { return place(tagOf(k) | (slot + 1)) }

// tagOf is the part of k that a place holds; neither the shard nor the position in
// the index depends on it.
func tagOf(k crdt.Key) uint32 { return uint32(k.Hi) &^ slotMask }

func (p place) slot() uint32 { return uint32(p)&slotMask - 1 }

// entry is one client under one limit, in three cache lines: what is looked up,
// then what a decision reads, then what is needed to send.
type entry struct {
	key   crdt.Key
	rule  *rule
	state crdt.State // of the first slot
	more  *more      // what few clients have

	sentSeq uint64 // the last delta message that carried it
	sentAt  int64
	used    bool
	dirty   bool // has something to send
	listed  bool // its slot is in the dirty list
}

// more is what a client has that was reset, saw a change of its limit, or is counted by
// a window in parts.
type more struct {
	reset crdt.Stamp
	old   *life        // the life before a change of the limit, while its windows live
	slots []crdt.State // but the first
}

// life is a client's state under an earlier revision, read only but for late
// deltas.
type life struct {
	stamp crdt.Stamp
	rule  *rule
	reset crdt.Stamp
	state crdt.State
	slots []crdt.State
}

func (l *life) states() limit.States { return limit.States{First: &l.state, Rest: l.slots} }

func (e *entry) states() limit.States {
	if e.more == nil {
		return limit.States{First: &e.state}
	}
	return limit.States{First: &e.state, Rest: e.more.slots}
}

// begin makes the states of a client of whom nothing is known under a rule.
func (e *entry) begin(r *rule, t int64) {
	first, rest := r.NewStates(t)
	e.rule, e.state = r, first
	e.keep(e.reset(), e.old(), rest)
}

// reset is when the client was last reset, zero if never.
func (e *entry) reset() crdt.Stamp {
	if e.more == nil {
		return crdt.Stamp{}
	}
	return e.more.reset
}

// old is the life before, nil if there was none or its windows are over.
func (e *entry) old() *life {
	if e.more == nil {
		return nil
	}
	return e.more.old
}

// follow says what came before the entry's state.
func (e *entry) follow(reset crdt.Stamp, old *life) {
	e.keep(reset, old, e.states().Rest)
}

func (e *entry) keep(reset crdt.Stamp, old *life, slots []crdt.State) {
	e.more = nil
	if reset != (crdt.Stamp{}) || old != nil || len(slots) > 0 {
		e.more = &more{reset: reset, old: old, slots: slots}
	}
}

// copy makes e a copy of o that shares nothing with it but what is never written.
func (e *entry) copy(o *entry) {
	*e = *o
	e.state = o.state.Clone()
	if rest := o.states().Rest; len(rest) > 0 {
		e.keep(o.reset(), o.old(), limit.States{Rest: rest}.Clone().Rest)
	}
}

// untouched reports whether nothing is known of the client.
func (e *entry) untouched() bool {
	for _, st := range e.states().All {
		if st.Held() || st.Base() != crdt.Never {
			return false
		}
	}
	return e.old() == nil
}

// stamp is the later of the revision's and the last reset's.
func (e *entry) stamp() crdt.Stamp { return laterStamp(e.rule.rev.stamp, e.reset()) }

func laterStamp(a, b crdt.Stamp) crdt.Stamp {
	if b.Compare(a) > 0 {
		return b
	}
	return a
}

// tally counts one limit's decisions in one shard. What a shadow limit would have
// denied is counted as shadowed, and as allowed.
type tally struct {
	of                        *account
	allowed, denied           uint64
	allowedUnits, deniedUnits uint64
	shadowed, shadowedUnits   uint64
}

type digestKey struct {
	replica crdt.Replica
	width   int64
	start   int64
}

func newTable(maxClients, limits int) *table {
	t := &table{max: int64(maxClients)}
	for i := range t.shards {
		t.shards[i].index = make([]place, leastIndex)
		t.shards[i].sampler = top.NewSampler(uint64(i) << 32)
		t.shards[i].digests = map[digestKey]*crdt.Digest{}
		t.shards[i].counted, t.shards[i].part = &t.counted, i
		t.shards[i].tallies = make([]tally, limits)
	}
	return t
}

func (t *table) shard(k crdt.Key) *shard { return &t.shards[k.Partition()] }

// slots is above the numbers of all slots that there are.
func (s *shard) slots() uint32 { return uint32(len(s.chunks)) * chunkSlots } //nolint:gosec // below mostInShard

// at is the entry in a slot, which may be unused; nil if there is no such slot, or
// its chunk was given back.
func (s *shard) at(slot uint32) *entry {
	c, i := s.chunks[slot/chunkSlots], slot%chunkSlots
	if c == nil || i >= chunkSize {
		return nil
	}
	return &c[i]
}

// find returns the entry of k, or nil.
func (s *shard) find(k crdt.Key) *entry {
	mask, tag := uint64(len(s.index)-1), tagOf(k)
	for i := k.Lo & mask; ; i = (i + 1) & mask {
		p := s.index[i]
		if p == 0 {
			return nil
		}
		if uint32(p)&^slotMask == tag {
			slot := p.slot()
			if e := &s.chunks[slot/chunkSlots][slot%chunkSlots]; e.key == k {
				return e
			}
		}
	}
}

// insert makes the entry of k, which is not there yet.
func (s *shard) insert(k crdt.Key, r *rule, now int64) *entry {
	if 4*(s.live+1) > 3*len(s.index) {
		s.reindex(2 * len(s.index))
	}
	if len(s.free) == 0 {
		s.addChunk()
	}
	slot := s.free[len(s.free)-1]
	s.free = s.free[:len(s.free)-1]
	s.live++
	c := slot / chunkSlots
	s.inChunk[c]++
	if s.chunks[c] == nil {
		s.chunks[c] = new([chunkSize]entry)
	}
	e := s.at(slot)
	*e = entry{key: k, used: true, listed: e.listed}
	e.begin(r, now)
	s.place(k, slot)
	return e
}

// addChunk makes room for chunkSize more entries.
func (s *shard) addChunk() {
	from := s.slots()
	s.chunks = append(s.chunks, new([chunkSize]entry))
	s.inChunk = append(s.inChunk, 0)
	for slot := from + chunkSize; slot > from; slot-- { // the lowest is used first
		s.free = append(s.free, slot-1)
	}
}

func (s *shard) place(k crdt.Key, slot uint32) {
	mask := uint64(len(s.index) - 1)
	i := k.Lo & mask
	for s.index[i] != 0 {
		i = (i + 1) & mask
	}
	s.index[i] = placeOf(k, slot)
}

// leastIndex is the length of an empty shard's index.
const leastIndex = 16

// reindex makes the index n long.
func (s *shard) reindex(n int) {
	old := s.index
	s.index = make([]place, n)
	for _, p := range old {
		if p != 0 {
			s.place(s.at(p.slot()).key, p.slot())
		}
	}
}

// remove forgets the entry in slot. The index is closed up behind it, so that no
// tombstones pile up (Knuth, TAOCP 3, 6.4, algorithm R).
func (s *shard) remove(slot uint32) {
	e := s.at(slot)
	mask := uint64(len(s.index) - 1)
	i := e.key.Lo & mask
	for s.index[i] == 0 || s.index[i].slot() != slot {
		i = (i + 1) & mask
	}
	s.index[i] = 0
	for j := (i + 1) & mask; s.index[j] != 0; j = (j + 1) & mask {
		home := s.at(s.index[j].slot()).key.Lo & mask
		if (j-home)&mask >= (j-i)&mask {
			s.index[i], s.index[j] = s.index[j], 0
			i = j
		}
	}
	*e = entry{listed: e.listed}
	s.free = append(s.free, slot)
	s.inChunk[slot/chunkSlots]--
	s.live--
}

// trim gives memory back after entries were removed: chunks without any, and an
// index that became far too long. What is listed to be sent, but was removed, is
// struck off, so that a chunk that comes back starts unlisted.
func (s *shard) trim() {
	kept := s.dirty[:0]
	for _, slot := range s.dirty {
		if e := s.at(slot); e.used {
			kept = append(kept, slot)
		} else {
			e.listed = false
		}
	}
	s.dirty = kept
	for c, n := range s.inChunk {
		if n == 0 {
			s.chunks[c] = nil
		}
	}
	last := len(s.chunks)
	for last > 0 && s.chunks[last-1] == nil {
		last--
	}
	if last < len(s.chunks) {
		s.chunks, s.inChunk = slices.Clone(s.chunks[:last]), slices.Clone(s.inChunk[:last])
		s.free = slices.Clone(slices.DeleteFunc(s.free, func(slot uint32) bool { return slot >= s.slots() }))
	}
	if n := len(s.index) / 2; n >= leastIndex && 8*s.live < len(s.index) {
		s.reindex(n)
	}
}

// digest is the shard's sum of what messages carried of one replica's counters.
func (s *shard) digest(r crdt.Replica, width, start int64) *crdt.Digest {
	k := digestKey{r, width, start}
	d := s.digests[k]
	if d == nil {
		d = new(crdt.Digest)
		s.digests[k] = d
		s.counted.add(s.part)
	}
	return d
}

// growDigests adds to replica r's digests what a row at start added.
func (s *shard) growDigests(k crdt.Key, st crdt.Stamp, r crdt.Replica, f *crdt.Frame, start int64, g crdt.Gain) {
	if g.Cur != (crdt.Count{}) {
		s.digest(r, f.Width, start).Grow(k, st, start, g.Cur)
	}
	if g.Prev != (crdt.Count{}) {
		before := f.Before(start)
		s.digest(r, f.Width, before).Grow(k, st, before, g.Prev)
	}
}

// markDirty puts the entry's slot on the list of what is to be sent. Its shard, s,
// is locked.
func (t *table) markDirty(s *shard, e *entry) {
	e.dirty = true
	if !e.listed {
		e.listed = true
		t.dirty.add(e.key.Partition())
		s.dirty = append(s.dirty, s.slotOf(e))
	}
}

// slotOf is found through the index: it is needed once per flush of an entry.
func (s *shard) slotOf(e *entry) uint32 {
	mask := uint64(len(s.index) - 1)
	for i := e.key.Lo & mask; ; i = (i + 1) & mask {
		if p := s.index[i]; p != 0 && s.at(p.slot()) == e {
			return p.slot()
		}
	}
}
