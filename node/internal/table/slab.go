package table

import (
	"slices"
	"sync/atomic"

	"github.com/distributed-rate-limiter/distributed-rate-limiter/crdt"
)

// chunkSize is how many slots a chunk has: slot i is in chunk i/chunkSize. A chunk is then
// 4 KiB, which the allocator puts on the border of a cache line. Raising it keeps more memory for one
// client in a shard. Lowering it makes more objects for the collector, and a longer list of chunks.
const chunkSize = 64

type chunk [chunkSize]cell

// slab is where the cells of one shard's clients lie, and the index that finds them. Each slot
// below slots() is either used or in free: live + len(free) == slots(). The key of a used slot
// has a place in the index, or still in its old places.
//
// Finding a cell and reading it need no lock. Everything else needs the shard's. Make it with
// init.
type slab struct {
	index atomic.Pointer[index]
	// chunks hold the slots: slot i is in chunk i/chunkSize. A chunk is nil while none of its
	// slots is used; the last one is not nil.
	chunks  atomic.Pointer[[]atomic.Pointer[chunk]]
	inChunk []uint8  // used slots by chunk; as long as chunks
	free    []uint32 // the last is used next
	live    int      // used slots
}

func (m *slab) init() {
	m.index.Store(&index{places: make([]atomic.Uint32, leastIndex)})
	m.chunks.Store(new([]atomic.Pointer[chunk]))
}

// slots is above the numbers of all slots that there are.
func (m *slab) slots() uint32 { return uint32(len(*m.chunks.Load())) * chunkSize } //nolint:gosec // below mostInShard

// at is the cell in a slot, which may be unused; nil if there is no such slot, or its chunk was
// given back.
func (m *slab) at(slot uint32) *cell {
	chunks := *m.chunks.Load()
	if int(slot/chunkSize) >= len(chunks) {
		return nil
	}
	c := chunks[slot/chunkSize].Load()
	if c == nil {
		return nil
	}
	return &c[slot%chunkSize]
}

// add makes a cell for k, which has none. It is busy and wide: its user has the client's entry,
// and packs it. It takes constant time, but for the memory of an index that begins to grow.
func (m *slab) add(k crdt.Key) (uint32, *cell) {
	if len(m.free) == 0 {
		m.addChunk()
	}
	slot := m.free[len(m.free)-1]
	m.free = m.free[:len(m.free)-1]
	n := slot / chunkSize
	m.inChunk[n]++
	if chunks := *m.chunks.Load(); chunks[n].Load() == nil {
		chunks[n].Store(new(chunk))
	}
	c := m.at(slot)
	c.word.Store(c.word.Load()&^ownMask | busy)
	c.hi.Store(k.Hi)
	c.lo.Store(k.Lo)
	c.what.Store(c.what.Load()&isListed | isUsed | isWide)
	m.addPlace(k, slot)
	m.live++
	return slot, c
}

// remove takes a cell away, whose client refers to nothing any more.
func (m *slab) remove(slot uint32) {
	c := m.at(slot)
	m.removePlace(c.key(), slot)
	word := c.word.Load() | busy
	c.word.Store(word)
	c.what.Store(c.what.Load() & isListed)
	c.hi.Store(0)
	c.lo.Store(0)
	c.sent, c.rest, c.seq = 0, 0, 0
	c.word.Store(nextVersion(word))
	m.free = append(m.free, slot)
	m.inChunk[slot/chunkSize]--
	m.live--
}

// addChunk makes room for chunkSize more clients. Their slots go to the free list in such an
// order that the lowest is used first, so that chunks at the end become empty.
func (m *slab) addChunk() {
	chunks := *m.chunks.Load()
	from := uint32(len(chunks)) * chunkSize //nolint:gosec // below mostInShard
	if len(chunks) == cap(chunks) {
		chunks = grown(chunks, len(chunks), 2*len(chunks)+1)
	}
	chunks = chunks[:len(chunks)+1]
	chunks[len(chunks)-1].Store(new(chunk))
	m.chunks.Store(&chunks)
	m.inChunk = append(m.inChunk, 0)
	for slot := from + chunkSize; slot > from; slot-- {
		m.free = append(m.free, slot-1)
	}
}

// grown is a list with the first n of chunks, and room for most.
func grown(chunks []atomic.Pointer[chunk], n, most int) []atomic.Pointer[chunk] {
	next := make([]atomic.Pointer[chunk], n, most)
	for i := range next {
		next[i].Store(chunks[i].Load())
	}
	return next
}

// trim gives memory back after cells were removed: chunks without any, and an index that became
// far too long. It returns how many chunks are left. No list may hold an unused slot of a chunk
// without used ones, since the chunk comes back with its flags unset.
func (m *slab) trim() (left int) {
	chunks := *m.chunks.Load()
	for c, n := range m.inChunk {
		if n == 0 {
			chunks[c].Store(nil)
		}
	}
	left = len(chunks)
	for left > 0 && chunks[left-1].Load() == nil {
		left--
	}
	if left < len(chunks) {
		chunks = grown(chunks, left, left)
		m.chunks.Store(&chunks)
		m.inChunk = slices.Clone(m.inChunk[:left])
		m.free = slices.Clone(slices.DeleteFunc(m.free, func(slot uint32) bool { return slot >= m.slots() }))
	}
	m.move(holdSlots)
	if x := m.index.Load(); x.old == nil && m.tooLong() {
		m.resize(len(x.places) / 2)
		m.move(holdSlots)
	}
	return left
}

// tooLong reports whether trim has something to do at the index.
func (m *slab) tooLong() bool {
	x := m.index.Load()
	return x.old != nil || len(x.places) > leastIndex && 8*m.live < len(x.places)
}
