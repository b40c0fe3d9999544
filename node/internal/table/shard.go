package table

import (
	"cmp"
	"slices"
	"sync"

	"github.com/distributed-rate-limiter/distributed-rate-limiter/crdt"
	"github.com/distributed-rate-limiter/distributed-rate-limiter/node/internal/isolation"
	"github.com/distributed-rate-limiter/distributed-rate-limiter/node/internal/tally"
	"github.com/distributed-rate-limiter/distributed-rate-limiter/node/internal/top"
	"github.com/distributed-rate-limiter/distributed-rate-limiter/node/limit"
)

// Shard holds the entries of one partition: a hash table of entries that never move. Its
// lock guards all of it, and every method but the lock's own needs it held. Whoever locks
// several shards does so in the order of Compare.
type Shard struct {
	sync.Mutex
	// index maps keys to slots by open addressing with linear probing. Its length is a power
	// of two, at least leastIndex, and at most three quarters of it are used: there is always
	// an empty place at which a search ends.
	index []place
	// chunks hold the slots: slot i is in chunk i/chunkSlots. A chunk is nil while none of
	// its slots is used; the last one is not nil.
	chunks []*[chunkSize]Entry

	// Counts are the decisions on this shard's clients, by limit, and Sampler picks those of
	// them that are looked at more closely.
	Counts  tally.Counts
	Sampler top.Sampler

	live    int      // used slots: also the used places of index
	inChunk []uint8  // used slots by chunk; as long as chunks
	free    []uint32 // the slots below slots() that exist and are not used; the last is used next
	// dirty are the slots that may have something to send, each once: exactly those whose
	// entry is listed. Trim strikes off those that are not used any more.
	dirty   []uint32
	digests map[digestKey]*crdt.Digest
	table   *Table
	part    int // the partition; never changes
	// Shares are what clients used of their group's share while nodes cannot hear each other.
	Shares isolation.Shares
	// scratch is the zero Entry between two uses: see Scratch.
	scratch Entry

	_ [64]byte // keeps neighbours' locks off this cache line
}

func (s *Shard) init(t *Table, part int) {
	s.index = make([]place, leastIndex)
	s.Sampler = top.NewSampler(uint64(part) << 32) //nolint:gosec // not negative
	s.digests = map[digestKey]*crdt.Digest{}
	s.table, s.part = t, part
}

// Compare orders shards. It needs no lock.
func (s *Shard) Compare(o *Shard) int { return cmp.Compare(s.part, o.part) }

// Scratch is an entry for looking at what would be, without allocating. Its user clears it.
func (s *Shard) Scratch() *Entry { return &s.scratch }

// Full reports whether the shard must not take further clients in. It goes by the whole
// table's count, so shards that fill up at once may exceed the table's size by a few.
func (s *Shard) Full() bool {
	return s.table.count.Load() >= int64(s.table.cfg.Size) || s.live >= mostInShard
}

// Open finds the entry of k, or makes it, and brings it under r and into now's window. It is
// nil if k is unknown and the shard is full.
func (s *Shard) Open(k crdt.Key, r *limit.Rule, now int64) *Entry {
	e := s.Find(k)
	if e == nil {
		if s.Full() {
			return nil
		}
		e = s.insert(k, r, now)
	}
	return e.enter(r, now)
}

// OpenShared is Open for the key of an entry that unknown clients share while the shard is
// full. It always has room: there are few such keys, at most one for each rule.
func (s *Shard) OpenShared(k crdt.Key, r *limit.Rule, now int64) *Entry {
	e := s.Find(k)
	if e == nil {
		e = s.insert(k, r, now)
	}
	return e.enter(r, now)
}

// enter brings the entry under r and into now's window.
func (e *Entry) enter(r *limit.Rule, now int64) *Entry {
	if e.rule != r {
		e.adopt(r, now)
	}
	if !e.rule.Plain {
		e.rule.Roll(e.States(), now)
	} else if f := &e.rule.Frame; now-e.state.Start() >= f.Width {
		e.state.Roll(f, f.Start(now))
	}
	return e
}

// Slots are numbered by chunkSlots to a chunk, of which the first chunkSize exist. A chunk
// with the allocator's header of 8 bytes then fills a size class of 4 KiB. A power of two of
// entries would waste a tenth of the memory.
const (
	chunkSlots = 32
	chunkSize  = 21
)

// place is what the index holds. It is 0 where it is empty. Otherwise its lower slotBits are
// slot+1, and the bits above are some of the key's: they make it rare that a search looks at
// another client's entry, which is a cache miss.
type place uint32

const (
	// slotBits is how many bits of a place number a slot. One more doubles the clients that
	// a shard can hold, and doubles how often a search looks at a wrong entry.
	slotBits = 24
	slotMask = 1<<slotBits - 1
	// mostShared is the most entries that clients of a full shard share: one for each rule.
	mostShared = maxLimits + limit.MaxOverrides + 1
	// maxLimits is the most limits that a node has by name.
	maxLimits = 1024
	// mostInShard keeps slot+1 within slotBits, with room for shared entries.
	mostInShard = slotMask/chunkSlots*chunkSize - mostShared
)

func placeOf(k crdt.Key, slot uint32) place { return place(tagOf(k) | (slot + 1)) }

// tagOf is the part of k that a place holds. Neither the shard nor the position in the index
// depends on it.
func tagOf(k crdt.Key) uint32 { return uint32(k.Hi) &^ slotMask } //nolint:gosec // its lower half

func (p place) slot() uint32 { return uint32(p)&slotMask - 1 }

// slots is above the numbers of all slots that there are.
func (s *Shard) slots() uint32 { return uint32(len(s.chunks)) * chunkSlots } //nolint:gosec // below mostInShard

// at is the entry in a slot, which may be unused; nil if there is no such slot, or its chunk
// was given back.
func (s *Shard) at(slot uint32) *Entry {
	c, i := s.chunks[slot/chunkSlots], slot%chunkSlots
	if c == nil || i >= chunkSize {
		return nil
	}
	return &c[i]
}

// Find returns the entry of k, or nil.
func (s *Shard) Find(k crdt.Key) *Entry {
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
func (s *Shard) insert(k crdt.Key, r *limit.Rule, now int64) *Entry {
	if 4*(s.live+1) > 3*len(s.index) {
		s.reindex(2 * len(s.index))
	}
	if len(s.free) == 0 {
		s.addChunk()
	}
	slot := s.free[len(s.free)-1]
	s.free = s.free[:len(s.free)-1]
	s.live++
	s.table.count.Add(1)
	c := slot / chunkSlots
	s.inChunk[c]++
	if s.chunks[c] == nil {
		s.chunks[c] = new([chunkSize]Entry)
	}
	e := s.at(slot)
	*e = Entry{key: k, used: true, listed: e.listed}
	e.begin(r, now)
	s.place(k, slot)
	return e
}

// addChunk makes room for chunkSize more entries.
func (s *Shard) addChunk() {
	from := s.slots()
	s.chunks = append(s.chunks, new([chunkSize]Entry))
	s.inChunk = append(s.inChunk, 0)
	for slot := from + chunkSize; slot > from; slot-- { // the lowest is used first
		s.free = append(s.free, slot-1)
	}
}

func (s *Shard) place(k crdt.Key, slot uint32) {
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
func (s *Shard) reindex(n int) {
	old := s.index
	s.index = make([]place, n)
	for _, p := range old {
		if p != 0 {
			s.place(s.at(p.slot()).key, p.slot())
		}
	}
}

// remove forgets the entry in slot. The index is closed up behind it, so that no tombstones
// pile up (Knuth, TAOCP 3, 6.4, algorithm R).
func (s *Shard) remove(slot uint32) {
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
	*e = Entry{listed: e.listed}
	s.free = append(s.free, slot)
	s.inChunk[slot/chunkSlots]--
	s.live--
	s.table.count.Add(-1)
}

// trim gives memory back after entries were removed: chunks without any, and an index that
// became far too long. Slots on the dirty list whose entry was removed are struck off, so
// that a chunk that comes back starts unlisted.
func (s *Shard) trim() {
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
