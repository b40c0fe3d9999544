package table

import (
	"slices"
	"sync/atomic"

	"github.com/distributed-rate-limiter/distributed-rate-limiter/crdt"
	"github.com/distributed-rate-limiter/distributed-rate-limiter/node/limit"
)

// chunkSize is how many slots a chunk has: slot i is in chunk i/chunkSize. A chunk is then
// 4 KiB, which the allocator puts on the border of a cache line.
const chunkSize = 64

type chunk [chunkSize]cell

// slots is above the numbers of all slots that there are.
func (s *Shard) slots() uint32 { return uint32(len(*s.chunks.Load())) * chunkSize } //nolint:gosec // below mostInShard

// cellAt is the cell in a slot, which may be unused; nil if there is no such slot, or its
// chunk was given back.
func (s *Shard) cellAt(slot uint32) *cell {
	chunks := *s.chunks.Load()
	if int(slot/chunkSize) >= len(chunks) {
		return nil
	}
	c := chunks[slot/chunkSize].Load()
	if c == nil {
		return nil
	}
	return &c[slot%chunkSize]
}

// insert makes the entry of k, which is not there yet: use admit for a client. It takes
// constant time, but for the memory of an index that begins to grow. It is the only place in
// which a decision allocates.
func (s *Shard) insert(k crdt.Key, r *limit.Rule, now int64) *Entry {
	if len(s.free) == 0 {
		s.addChunk()
	}
	slot := s.free[len(s.free)-1]
	s.free = s.free[:len(s.free)-1]
	n := slot / chunkSize
	s.inChunk[n]++
	if chunks := *s.chunks.Load(); chunks[n].Load() == nil {
		chunks[n].Store(new(chunk))
	}
	c := s.cellAt(slot)
	c.word.Store(c.word.Load()&^ownMask | busy) // until the entry is packed
	c.hi.Store(k.Hi)
	c.lo.Store(k.Lo)
	c.what.Store(c.what.Load()&isListed | isUsed | isWide) // the entry is nowhere else yet
	s.addPlace(k, slot)
	s.live++
	e := s.spareView()
	*e = Entry{key: k, used: true, counted: r, listed: c.what.Load()&isListed != 0, slot: slot}
	s.open = append(s.open, e)
	e.begin(r, now)
	s.place(e, now)
	return e
}

// addChunk makes room for chunkSize more clients. Their slots go to the free list in such an
// order that the lowest is used first, so that chunks at the end become empty.
func (s *Shard) addChunk() {
	chunks := *s.chunks.Load()
	from := uint32(len(chunks)) * chunkSize //nolint:gosec // below mostInShard
	if len(chunks) == cap(chunks) {
		chunks = grown(chunks, len(chunks), 2*len(chunks)+1)
	}
	chunks = chunks[:len(chunks)+1]
	chunks[len(chunks)-1].Store(new(chunk))
	s.chunks.Store(&chunks)
	s.inChunk = append(s.inChunk, 0)
	for slot := from + chunkSize; slot > from; slot-- {
		s.free = append(s.free, slot-1)
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

// remove forgets the client in slot.
func (s *Shard) remove(slot uint32) {
	s.dropView(slot)
	c := s.cellAt(slot)
	s.removePlace(c.key(), slot)
	what := c.what.Load()
	if what&isShared == 0 {
		s.table.count.Add(-1)
	}
	s.release(c, what)
	s.accounts.drop(slot)
	s.wide.remove(slot)
	word := c.word.Load() | busy
	c.word.Store(word)
	c.what.Store(what & isListed)
	c.hi.Store(0)
	c.lo.Store(0)
	c.sent, c.rest, c.seq = 0, 0, 0
	c.word.Store(nextVersion(word))
	s.free = append(s.free, slot)
	s.inChunk[slot/chunkSize]--
	s.live--
}

// release drops what a cell refers to.
func (s *Shard) release(c *cell, what uint32) {
	if what&isWide != 0 {
		return
	}
	s.rules.drop(what & ruleMask)
	if what&hasRecords != 0 {
		s.dropRecords(c.rest)
		c.rest = 0
	}
}

// trim gives memory back after clients were removed: chunks without any, and an index that
// became far too long. Slots on the dirty list whose client was removed are struck off, so
// that a chunk that comes back starts unlisted.
func (s *Shard) trim() {
	kept := s.dirty[:0]
	for _, slot := range s.dirty {
		if c := s.cellAt(slot); c.what.Load()&isUsed != 0 {
			kept = append(kept, slot)
		} else {
			c.what.Store(0)
		}
	}
	s.dirty = kept
	chunks := *s.chunks.Load()
	for c, n := range s.inChunk {
		if n == 0 {
			chunks[c].Store(nil)
		}
	}
	last := len(chunks)
	for last > 0 && chunks[last-1].Load() == nil {
		last--
	}
	if last < len(chunks) {
		chunks = grown(chunks, last, last)
		s.chunks.Store(&chunks)
		s.accounts.trim(last)
		s.inChunk = slices.Clone(s.inChunk[:last])
		s.free = slices.Clone(slices.DeleteFunc(s.free, func(slot uint32) bool { return slot >= s.slots() }))
	}
	s.move(holdSlots)
	if x := s.index.Load(); x.old == nil && s.indexTooLong() {
		s.resize(len(x.places) / 2)
		s.move(holdSlots)
	}
}

// indexTooLong reports whether trim has something to do at the index.
func (s *Shard) indexTooLong() bool {
	x := s.index.Load()
	return x.old != nil || len(x.places) > leastIndex && 8*s.live < len(x.places)
}

// trimRest gives back what few clients had, and have no longer.
func (s *Shard) trimRest() {
	s.wide.trim()
	s.refunds.trim()
	s.records.trim()
	s.rules.trim()
	s.replicas.trim()
}
