package table

import (
	"sync/atomic"

	"github.com/distributed-rate-limiter/distributed-rate-limiter/crdt"
	"github.com/distributed-rate-limiter/distributed-rate-limiter/node/limit"
)

// index maps keys to slots by open addressing with linear probing. Its length is a power of
// two, at least leastIndex, and at most three quarters of it are used: there is always an
// empty place at which a search ends. A search begins where a key's upper half says, which the
// hash yields before the lower one.
//
// When it changes its length, both lengths are searched for a while, the new one first. Every
// insert moves moveStep places over, so none takes long. Nothing is ever taken out of the old
// places, so their chains stay whole. A place there may so be of a client that is moved or
// gone: a search compares keys anyway.
type index struct {
	places []atomic.Uint32
	old    []atomic.Uint32 // nil unless places are being moved over
	moved  int             // how many of old are moved; read under the lock alone
}

// place is what the index holds. It is 0 where it is empty. Otherwise its lower slotBits are
// slot+1, and the bits above are some of the key's: they make it rare that a search looks at
// another client's cell, which is a cache miss.
type place uint32

const (
	// slotBits is how many bits of a place number a slot. One more doubles the clients that
	// a shard can hold, and doubles how often a search looks at a wrong cell.
	slotBits = 24
	slotMask = 1<<slotBits - 1
	// mostShared is the most entries that clients of a full shard share: one for each rule.
	mostShared = maxLimits + limit.MaxOverrides + 1
	// maxLimits is the most limits that a node has by name. Raising it takes slots away from clients of
	// a shard at its cap; below limits.MaxLimits there may be no room for shared entries.
	maxLimits = 1024
	// mostInShard keeps slot+1 within slotBits, with room for shared entries.
	mostInShard = slotMask/chunkSize*chunkSize - mostShared

	// leastIndex is the length of an empty shard's index, a power of two. Raising it costs 1 KiB
	// in all shards for each place. Lowering it saves that in nodes with few clients.
	leastIndex = 16
	// moveStep is how many places an insert moves over while the index changes its length.
	// Raising it makes those inserts slower. Below 2, a growing index could be full again
	// before all is moved.
	moveStep = 8
)

func placeOf(k crdt.Key, slot uint32) place { return place(tagOf(k) | (slot + 1)) }

// tagOf is the part of k that a place holds. Neither the shard nor the position in the index
// depends on it.
func tagOf(k crdt.Key) uint32 { return uint32(k.Lo) &^ slotMask } //nolint:gosec // its lower half

func (p place) slot() uint32 { return uint32(p)&slotMask - 1 }

// find finds the cell of k, nil if there is none. Without the lock, it may miss one that was
// just inserted, and the cell may be another client's by the time it is read.
func (m *slab) find(k crdt.Key) (uint32, *cell) {
	x, tag := m.index.Load(), tagOf(k)
	for places, i := x.places, k.Hi; ; i++ {
		p := places[i&uint64(len(places)-1)].Load()
		if p&^slotMask == tag && p != 0 {
			slot := place(p).slot()
			if c := m.at(slot); c != nil && c.hi.Load() == k.Hi && c.lo.Load() == k.Lo && c.what.Load()&isUsed != 0 {
				return slot, c
			}
		}
		if p == 0 {
			if len(x.old) == 0 || len(places) == len(x.old) { // old is searched: its length is another than that of places
				return 0, nil
			}
			places, i = x.old, k.Hi-1
		}
	}
}

// enter gives k's slot a place in an index that has neither.
func enter(places []atomic.Uint32, k crdt.Key, slot uint32) {
	mask := uint64(len(places) - 1)
	i := k.Hi & mask
	for places[i].Load() != 0 {
		i = (i + 1) & mask
	}
	places[i].Store(uint32(placeOf(k, slot)))
}

// positionOf is where a slot of key k is among places, -1 if it is not.
func positionOf(places []atomic.Uint32, k crdt.Key, slot uint32) int {
	mask, p := uint64(len(places)-1), uint32(placeOf(k, slot))
	for i := k.Hi & mask; ; i = (i + 1) & mask {
		switch places[i].Load() {
		case p:
			return int(i) //nolint:gosec // an index
		case 0:
			return -1
		}
	}
}

// addPlace enters a new client into the index, and moves some places over if that is due.
func (m *slab) addPlace(k crdt.Key, slot uint32) {
	if x := m.index.Load(); 4*(m.live+1) > 3*len(x.places) {
		m.move(len(x.old))
		m.resize(2 * len(x.places))
	}
	m.move(moveStep)
	enter(m.index.Load().places, k, slot)
}

// resize begins to make the index n long, a power of two with room for all that it holds. No
// other resize is under way.
func (m *slab) resize(n int) {
	m.index.Store(&index{places: make([]atomic.Uint32, n), old: m.index.Load().places})
}

// move moves at most n places over.
func (m *slab) move(n int) {
	x := m.index.Load()
	if x.old == nil {
		return
	}
	for ; n > 0 && x.moved < len(x.old); n, x.moved = n-1, x.moved+1 {
		p := place(x.old[x.moved].Load())
		if p == 0 {
			continue
		}
		c := m.at(p.slot())
		if c == nil || c.what.Load()&isUsed == 0 {
			continue // forgotten since
		}
		// Its slot may be another client's by now, who has a place among the new ones.
		if k := c.key(); positionOf(x.places, k, p.slot()) < 0 {
			enter(x.places, k, p.slot())
		}
	}
	if x.moved == len(x.old) {
		m.index.Store(&index{places: x.places})
	}
}

// removePlace takes a client out of the index. The places are closed up behind it, so that no
// tombstones pile up (Knuth, TAOCP 3, 6.4, algorithm R).
func (m *slab) removePlace(k crdt.Key, slot uint32) {
	places := m.index.Load().places
	mask := uint64(len(places) - 1)
	at := positionOf(places, k, slot)
	if at < 0 {
		return // not moved over yet, and it never will be
	}
	i := uint64(at) //nolint:gosec // not negative
	for j := (i + 1) & mask; places[j].Load() != 0; j = (j + 1) & mask {
		home := m.at(place(places[j].Load()).slot()).hi.Load() & mask
		if (j-home)&mask >= (j-i)&mask {
			places[i].Store(places[j].Load())
			i = j
		}
	}
	places[i].Store(0)
}
