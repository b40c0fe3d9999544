package table

import (
	"math/rand/v2"
	"testing"
	"unsafe"

	"pgregory.net/rapid"

	"github.com/distributed-rate-limiter/distributed-rate-limiter/crdt"
	"github.com/distributed-rate-limiter/distributed-rate-limiter/node/limit"
)

// A decision should touch few cache lines, and a client cost little memory: neither
// is to grow by accident.
func TestACellIsACacheLine(t *testing.T) {
	if size := unsafe.Sizeof(cell{}); size != 64 {
		t.Errorf("a cell has %d bytes", size)
	}
	var s Shard
	s.init(newTable(), 0)
	for range 10 {
		s.clients.cells.addChunk()
		at := uintptr(unsafe.Pointer(s.clients.cells.at(s.clients.cells.slots() - chunkSize)))
		if size := unsafe.Sizeof(chunk{}); size != 4096 || at%64 != 0 {
			t.Errorf("a chunk takes %d bytes, not 4 KiB, or is not on a border: %#x", size, at)
		}
	}
	if size := unsafe.Sizeof([recordChunk]record{}); size > 4096 || size < 4000 {
		t.Errorf("a chunk of records takes %d bytes, which is not about 4 KiB", size)
	}
}

// collidingKey is one of few keys that crowd an index: few homes, few tags.
func collidingKey(t *rapid.T) crdt.Key {
	return crdt.Key{
		Hi: uint64(rapid.IntRange(0, 7).Draw(t, "home")) | uint64(rapid.IntRange(0, 31).Draw(t, "hi"))<<16,
		Lo: uint64(rapid.IntRange(0, 3).Draw(t, "tag"))<<slotBits | uint64(rapid.IntRange(0, 3).Draw(t, "lo")),
	}
}

// The shard is compared with a Go map over any sequence of steps, among keys that
// collide in home and tag.
func TestAShardHoldsWhatAMapHolds(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		s := &newTable().shards[0]
		model := map[crdt.Key]int64{}
		next := int64(0)
		where := func(k crdt.Key) uint32 { slot, _ := s.clients.cells.find(k); return slot }
		t.Repeat(map[string]func(*rapid.T){
			"insert": func(t *rapid.T) {
				k := collidingKey(t)
				if _, ok := model[k]; ok {
					return
				}
				next++
				s.admit(k, anyRule, next)
				model[k] = next
			},
			"insert many": func(t *rapid.T) {
				for range rapid.IntRange(1, 200).Draw(t, "n") {
					next++
					k := crdt.Key{Hi: 9, Lo: uint64(next)<<8 | 1<<40}
					s.admit(k, anyRule, next)
					model[k] = next
				}
			},
			"remove": func(t *rapid.T) {
				k := collidingKey(t)
				if _, ok := model[k]; ok {
					s.remove(where(k))
					delete(model, k)
				}
			},
			"remove all others": func(*rapid.T) {
				for k := range model {
					if k.Hi == 9 {
						s.remove(where(k))
						delete(model, k)
					}
				}
			},
			"mark": func(t *rapid.T) {
				if e := s.Find(collidingKey(t)); e != nil {
					s.out.mark(e)
				}
			},
			"trim": func(*rapid.T) { s.trim() },
			"": func(t *rapid.T) {
				s.closeViews()
				if s.clients.cells.live != len(model) || s.table.Clients() != len(model) {
					t.Fatalf("%d live, want %d", s.clients.cells.live, len(model))
				}
				for k, v := range model {
					if e := s.Find(k); e == nil || e.key != k || e.state.Start() != v {
						t.Fatalf("%v is not found", k)
					}
					s.clients.leave()
				}
				if k := collidingKey(t); s.Find(k) != nil {
					if _, ok := model[k]; !ok {
						t.Fatalf("%v is found, but was removed", k)
					}
				}
				used := 0
				for slot := range s.clients.cells.slots() {
					if s.clients.at(slot) != nil {
						used++
					}
					s.clients.leave()
				}
				if used != len(model) || used+len(s.clients.cells.free) != int(s.clients.cells.slots()) {
					t.Fatalf("%d used and %d free of %d slots, want %d used", used, len(s.clients.cells.free), s.clients.cells.slots(), len(model))
				}
				for _, slot := range s.out.slots {
					if s.clients.cells.at(slot) == nil {
						t.Fatalf("slot %d is to be sent, but its chunk is gone", slot)
					}
				}
			},
		})
	})
}

// What a flood of clients took is given back when they are forgotten, though some
// stay.
func TestAShardGivesMemoryBack(t *testing.T) {
	s := &newTable().shards[0]
	rnd := rand.New(rand.NewPCG(1, 2))
	const flood, stay = 50_000, 50
	var keys []crdt.Key
	for range flood {
		k := crdt.Key{Hi: rnd.Uint64(), Lo: rnd.Uint64()}
		s.insert(k, anyRule, 0)
		s.out.mark(s.Find(k))
		s.closeViews()
		keys = append(keys, k)
	}
	rnd.Shuffle(len(keys), func(i, j int) { keys[i], keys[j] = keys[j], keys[i] })
	for _, k := range keys[stay:] {
		slot, _ := s.clients.cells.find(k)
		s.remove(slot)
	}
	for range 500 { // the index halves in small steps
		s.trim()
	}
	chunks := 0
	for c := range *s.clients.cells.chunks.Load() {
		if (*s.clients.cells.chunks.Load())[c].Load() != nil {
			chunks++
		}
	}
	if x := s.clients.cells.index.Load(); chunks > stay || len(x.places) > 16*stay || x.old != nil || len(s.out.slots) != stay {
		t.Errorf("%d chunks, an index of %d and %d to send are kept for %d clients", chunks, len(x.places), len(s.out.slots), stay)
	}
	for _, k := range keys[:stay] {
		if s.Find(k) == nil {
			t.Fatal("one that was to stay is gone")
		}
		s.clients.leave()
	}
	for range flood { // and slots are used again
		s.insert(crdt.Key{Hi: rnd.Uint64(), Lo: rnd.Uint64()}, anyRule, 0)
		s.closeViews()
	}
	if got := len(*s.clients.cells.chunks.Load()); got > (flood+stay)/chunkSize+1 {
		t.Errorf("%d chunks after a second flood of %d", got, flood)
	}
}

// An index that is crowded by one home must not lose anybody: the chain is closed
// up behind whoever is removed.
func TestRemovalKeepsChainsWhole(t *testing.T) {
	s := &newTable().shards[0]
	var keys []crdt.Key
	for i := range uint64(10) {
		k := crdt.Key{Hi: 14 + 16*i, Lo: i << slotBits} // homes at the end, so that it wraps
		keys = append(keys, k)
		s.insert(k, anyRule, 0)
	}
	for i, gone := range keys {
		slot, _ := s.clients.cells.find(gone)
		s.remove(slot)
		for j, k := range keys {
			if found := s.Find(k) != nil; found != (j > i) {
				t.Fatalf("after removing %d keys, number %d is found: %v", i+1, j, found)
			}
		}
	}
}

// anyRule lays windows out.
var anyRule = &limit.Rule{Slots: 1, Frame: crdt.Frame{Width: 1, Drain: func(uint64) int64 { return 0 }}}
