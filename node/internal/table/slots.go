package table

import (
	"slices"

	"github.com/distributed-rate-limiter/distributed-rate-limiter/crdt"
	"github.com/distributed-rate-limiter/distributed-rate-limiter/node/limit"
)

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

// Find returns the entry of k, or nil. It ends, because the index always has an empty place.
// It mostly touches one cache line of the index and the entry's first one.
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

// insert makes the entry of k, which is not there yet: use admit for a client. It takes constant time but for a
// reindex, which doubles the index. It is the only place in which a decision allocates.
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

// addChunk makes room for chunkSize more entries. Their slots go to the free list in such
// an order that the lowest is used first, so that chunks at the end become empty.
func (s *Shard) addChunk() {
	from := s.slots()
	s.chunks = append(s.chunks, new([chunkSize]Entry))
	s.inChunk = append(s.inChunk, 0)
	for slot := from + chunkSize; slot > from; slot-- {
		s.free = append(s.free, slot-1)
	}
}

// place enters the slot of k into the index, which has an empty place and not k.
func (s *Shard) place(k crdt.Key, slot uint32) {
	mask := uint64(len(s.index) - 1)
	i := k.Lo & mask
	for s.index[i] != 0 {
		i = (i + 1) & mask
	}
	s.index[i] = placeOf(k, slot)
}

// leastIndex is the length of an empty shard's index, a power of two. Raising it costs 1 KiB
// in all shards for each place. Lowering it saves that in nodes with few clients.
const leastIndex = 16

// reindex makes the index n long, a power of two with room for all that it holds. Entries
// stay where they are. A decision that makes the index grow takes longer for it.
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
	if !e.shared {
		s.table.count.Add(-1)
	}
	*e = Entry{listed: e.listed}
	s.free = append(s.free, slot)
	s.inChunk[slot/chunkSlots]--
	s.live--
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
