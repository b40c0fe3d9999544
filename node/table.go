package node

import (
	"sync"
	"sync/atomic"

	"github.com/distributed-rate-limiter/distributed-rate-limiter/crdt"
)

// table holds the clients of all limits, in one shard for each partition of the
// key space: a shard is the unit of locking, of flushing, of digests and of repair.
type table struct {
	shards [crdt.Partitions]shard
	max    int64
	count  atomic.Int64
}

// shard is a hash table of entries that never move: an open-addressed index of
// slots into chunks. mu guards all of it.
type shard struct {
	mu      sync.Mutex
	index   []uint32 // slot+1, 0 is empty; length a power of two
	chunks  []*[chunkSize]entry
	slots   uint32   // slots ever used
	free    []uint32 // slots to use again
	live    int
	dirty   []uint32 // slots with something to send, each once
	urgent  bool     // some client in it reached its quantum
	digests map[digestKey]*crdt.Digest
	tallies []tally // by limit
	samples uint64

	_ [64]byte // keeps neighbours' locks off this cache line
}

const chunkSize = 64

// entry is one client under one limit. Its stamp is the later of its revision's
// and its last reset.
type entry struct {
	key   crdt.Key
	state crdt.State
	rev   *revision
	reset crdt.Stamp
	old   *life // the life before a change of the limit, while its windows live

	sentSeq uint64 // the last delta message that carried it
	sentAt  int64
	used    bool
	dirty   bool // has something to send
	listed  bool // its slot is in the dirty list
}

// life is a client's state under an earlier revision, read only but for late
// deltas.
type life struct {
	stamp crdt.Stamp
	rev   *revision
	reset crdt.Stamp
	state crdt.State
}

func (e *entry) stamp() crdt.Stamp { return laterStamp(e.rev.stamp, e.reset) }

func laterStamp(a, b crdt.Stamp) crdt.Stamp {
	if b.Compare(a) > 0 {
		return b
	}
	return a
}

// tally counts one limit's decisions in one shard.
type tally struct {
	allowed, denied           uint64
	allowedUnits, deniedUnits uint64
}

type digestKey struct {
	replica crdt.Replica
	width   int64
	start   int64
}

func newTable(maxClients, limits int) *table {
	t := &table{max: int64(maxClients)}
	for i := range t.shards {
		t.shards[i].index = make([]uint32, 16)
		t.shards[i].digests = map[digestKey]*crdt.Digest{}
		t.shards[i].tallies = make([]tally, limits)
	}
	return t
}

func (t *table) shard(k crdt.Key) *shard { return &t.shards[k.Partition()] }

func (s *shard) at(slot uint32) *entry { return &s.chunks[slot/chunkSize][slot%chunkSize] }

// find returns the entry of k, or nil.
func (s *shard) find(k crdt.Key) *entry {
	mask := uint64(len(s.index) - 1)
	for i := k.Lo & mask; ; i = (i + 1) & mask {
		slot := s.index[i]
		if slot == 0 {
			return nil
		}
		if e := s.at(slot - 1); e.key == k {
			return e
		}
	}
}

// insert makes the entry of k, which is not there yet.
func (s *shard) insert(k crdt.Key, r *revision, start int64) *entry {
	if 4*(s.live+1) > 3*len(s.index) {
		s.grow()
	}
	slot := s.slots
	if n := len(s.free); n > 0 {
		slot, s.free = s.free[n-1], s.free[:n-1]
	} else {
		if s.slots%chunkSize == 0 {
			s.chunks = append(s.chunks, new([chunkSize]entry))
		}
		s.slots++
	}
	s.live++
	e := s.at(slot)
	*e = entry{key: k, rev: r, state: crdt.New(start), used: true, listed: e.listed}
	s.place(k, slot+1)
	return e
}

func (s *shard) place(k crdt.Key, value uint32) {
	mask := uint64(len(s.index) - 1)
	i := k.Lo & mask
	for s.index[i] != 0 {
		i = (i + 1) & mask
	}
	s.index[i] = value
}

func (s *shard) grow() {
	old := s.index
	s.index = make([]uint32, 2*len(old))
	for _, v := range old {
		if v != 0 {
			s.place(s.at(v-1).key, v)
		}
	}
}

// remove forgets the entry in slot. The index is closed up behind it, so that no
// tombstones pile up (Knuth, TAOCP 3, 6.4, algorithm R).
func (s *shard) remove(slot uint32) {
	e := s.at(slot)
	mask := uint64(len(s.index) - 1)
	i := e.key.Lo & mask
	for s.index[i] != slot+1 {
		i = (i + 1) & mask
	}
	s.index[i] = 0
	for j := (i + 1) & mask; s.index[j] != 0; j = (j + 1) & mask {
		home := s.at(s.index[j]-1).key.Lo & mask
		if (j-home)&mask >= (j-i)&mask {
			s.index[i], s.index[j] = s.index[j], 0
			i = j
		}
	}
	*e = entry{listed: e.listed}
	s.free = append(s.free, slot)
	s.live--
}

// digest is the shard's sum of what messages carried of one replica's counters.
func (s *shard) digest(r crdt.Replica, width, start int64) *crdt.Digest {
	k := digestKey{r, width, start}
	d := s.digests[k]
	if d == nil {
		d = new(crdt.Digest)
		s.digests[k] = d
	}
	return d
}

// grow adds to replica r's digests what a row at start added.
func (s *shard) growDigests(k crdt.Key, st crdt.Stamp, r crdt.Replica, width, start int64, g crdt.Gain) {
	if g.Cur != (crdt.Count{}) {
		s.digest(r, width, start).Grow(k, st, start, g.Cur)
	}
	if g.Prev != (crdt.Count{}) {
		s.digest(r, width, start-width).Grow(k, st, start-width, g.Prev)
	}
}

// markDirty puts the entry's slot on the list of what is to be sent.
func (s *shard) markDirty(e *entry) {
	e.dirty = true
	if !e.listed {
		e.listed = true
		s.dirty = append(s.dirty, s.slotOf(e))
	}
}

// slotOf is found through the index: it is needed once per flush of an entry.
func (s *shard) slotOf(e *entry) uint32 {
	mask := uint64(len(s.index) - 1)
	for i := e.key.Lo & mask; ; i = (i + 1) & mask {
		if slot := s.index[i]; slot != 0 && s.at(slot-1) == e {
			return slot - 1
		}
	}
}
