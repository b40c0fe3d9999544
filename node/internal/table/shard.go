package table

import (
	"cmp"
	"sync"
	"sync/atomic"

	"github.com/distributed-rate-limiter/distributed-rate-limiter/crdt"
	"github.com/distributed-rate-limiter/distributed-rate-limiter/node/internal/isolation"
	"github.com/distributed-rate-limiter/distributed-rate-limiter/node/internal/tally"
	"github.com/distributed-rate-limiter/distributed-rate-limiter/node/internal/top"
	"github.com/distributed-rate-limiter/distributed-rate-limiter/node/limit"
)

// Shard holds the clients of one partition: a hash table of cells that never move. Its lock
// guards all of it, and every method but Glance and the lock's own needs it held. Whoever
// locks several shards does so in the order of Compare.
type Shard struct {
	mu    sync.Mutex
	index atomic.Pointer[index]
	// chunks hold the slots: slot i is in chunk i/chunkSize. A chunk is nil while none of its
	// slots is used; the last one is not nil.
	chunks atomic.Pointer[[]atomic.Pointer[chunk]]
	rules  numbers[*limit.Rule] // of the cells that are not wide
	// joining: this node has not joined its cluster yet. It changes under the lock.
	joining atomic.Bool
	// open are the entries that somebody works on, each of another slot: Unlock packs them.
	// spare are entries for that which nobody uses, at most mostSpare.
	open, spare []*Entry
	// homeless are the entries of clients that found no room: Unlock forgets all but what they
	// have to drain.
	homeless []*Entry
	// wide are the clients that do not fit into a cell, by slot, but for those that are open
	// for the first time.
	wide     sparse[uint32, *Entry]
	records  records
	replicas numbers[crdt.Replica] // of the records

	// Counts are the decisions on this shard's clients, by limit, and Sampler picks those of
	// them that are looked at more closely.
	Counts  tally.Counts
	Sampler top.Sampler

	live    int      // used slots
	inChunk []uint8  // used slots by chunk; as long as chunks
	free    []uint32 // the slots below slots() that exist and are not used; the last is used next
	// dirty are the slots that may have something to send, each once: exactly those whose
	// cell is listed. Trim strikes off those that are not used any more.
	dirty []uint32
	// digests sum up what messages carried of each replica's counters, by window. They grow
	// with sent and merged counters and shrink with resets, so that two nodes that heard the
	// same have equal digests. The table's counted has part while there are any.
	digests map[digestKey]*crdt.Digest
	table   *Table // never changes
	part    int    // the partition; never changes
	// turn is the last turn that Charged or a refund took. It only grows.
	turn uint64
	// refunds are what was lately given back, by client, in the order of their turns; at
	// least one each and at most mostRefunds. Only settling reads them.
	refunds sparse[crdt.Key, []refund]
	// early is what this node admitted while it was joining that the states do not hold, and
	// nil if nothing was.
	early map[crdt.Key]early
	// Shares are what clients used of their group's share while nodes cannot hear each other.
	Shares isolation.Shares
	// accounts are those of bounded limits' clients.
	accounts accounts
	// scratch is the zero Entry between two uses: see Scratch.
	scratch Entry

	_ [64]byte // keeps neighbours' locks off this cache line
}

func (s *Shard) init(t *Table, part int) {
	s.index.Store(&index{places: make([]atomic.Uint32, leastIndex)})
	s.chunks.Store(new([]atomic.Pointer[chunk]))
	s.Sampler = top.NewSampler(uint64(part) << 32) //nolint:gosec // not negative
	s.digests = map[digestKey]*crdt.Digest{}
	s.table, s.part = t, part
}

// Lock locks the shard.
func (s *Shard) Lock() { s.mu.Lock() }

// Unlock packs the entries that were found meanwhile, and unlocks the shard.
func (s *Shard) Unlock() {
	if len(s.open) > 0 {
		s.closeViews()
	}
	if len(s.homeless) > 0 {
		s.closeHomeless()
	}
	s.mu.Unlock()
}

// Compare orders shards. It needs no lock.
func (s *Shard) Compare(o *Shard) int { return cmp.Compare(s.part, o.part) }

// Scratch is an entry for looking at what would be, without allocating. Its user clears it.
func (s *Shard) Scratch() *Entry { return &s.scratch }

// Full reports whether the shard must not take further clients in.
func (s *Shard) Full() bool {
	return s.table.count.Load() >= int64(s.table.cfg.Size) || s.live >= mostInShard
}

// Open finds the entry of k, or makes it, and brings it under r and into now's window. It is
// nil if k is unknown and the shard is full.
func (s *Shard) Open(k crdt.Key, r *limit.Rule, now int64) *Entry {
	e := s.Find(k)
	if e == nil {
		if e = s.admit(k, r, now); e == nil {
			return nil
		}
	}
	return e.enter(r, now)
}

// admit makes the entry of a client that is not there yet, nil if there is no room. Shards
// that fill up at once do not exceed the table's size together.
func (s *Shard) admit(k crdt.Key, r *limit.Rule, now int64) *Entry {
	if s.live >= mostInShard {
		return nil
	}
	for count := &s.table.count; ; {
		n := count.Load()
		if n >= int64(s.table.cfg.Size) {
			return nil
		}
		if count.CompareAndSwap(n, n+1) {
			return s.insert(k, r, now)
		}
	}
}

// OpenShared is Open for the key of an entry that unknown clients share while the shard is
// full. It always has room: there are few such keys, at most one for each rule.
func (s *Shard) OpenShared(k crdt.Key, r *limit.Rule, now int64) *Entry {
	e := s.Find(k)
	if e == nil {
		e = s.insert(k, r, now)
		e.shared = true
	}
	return e.enter(r, now)
}

// enter brings the entry under r and into now's window. For nearly all entries that is three
// comparisons: the rule is the same, it had no other lately, and the window is the same.
func (e *Entry) enter(r *limit.Rule, now int64) *Entry {
	if e.rule != r || e.more != nil {
		e.adopt(r, now)
	}
	if !e.rule.Plain {
		e.rule.Roll(e.States(), now)
	} else if f := &e.rule.Frame; now-e.state.Start() >= f.Width {
		e.state.Roll(f, f.Start(now))
	}
	return e
}
