package table

import (
	"cmp"
	"sync"

	"github.com/distributed-rate-limiter/distributed-rate-limiter/crdt"
	"github.com/distributed-rate-limiter/distributed-rate-limiter/node/internal/isolation"
	"github.com/distributed-rate-limiter/distributed-rate-limiter/node/internal/tally"
	"github.com/distributed-rate-limiter/distributed-rate-limiter/node/internal/top"
	"github.com/distributed-rate-limiter/distributed-rate-limiter/node/limit"
)

// Shard holds the clients of one partition: a hash table of cells that never move. Its lock
// guards all of it. Lock takes the lock, and Decide does if it has to; every other method needs it held,
// but for Compare. Whoever locks several shards does so in the order of Compare.
type Shard struct {
	// What a decision reads comes first, so that it touches few cache lines.
	mu      sync.Mutex
	aside   aside
	clients clients
	out     outbox

	// Counts are the decisions on this shard's clients, by limit, and Sampler picks those of
	// them that are looked at more closely.
	Counts  tally.Counts
	Sampler top.Sampler

	table *Table // never changes
	part  int    // the partition; never changes

	digests digests
	refunds refunds
	// Shares are what clients used of their group's share while nodes cannot hear each other.
	Shares isolation.Shares
	// accounts are those of bounded limits' clients.
	accounts accounts
	// homeless are the entries of clients that found no room: Unlock forgets all but what they
	// have to drain.
	homeless []*Entry
	// scratch is the zero Entry between two uses: see Scratch.
	scratch Entry

	_ [64]byte // keeps neighbours' locks off this cache line
}

func (s *Shard) init(t *Table, part int) {
	s.table, s.part = t, part
	s.clients.init(&t.sends)
	s.out = outbox{dirty: &t.dirty, urgentIn: &t.urgent, part: part, flush: t.cfg.Urgent}
	s.digests = digests{of: map[digestKey]*crdt.Digest{}, counted: &t.counted, part: part}
	s.accounts.rights = t.cfg.Rights
	s.Sampler = top.NewSampler(uint64(part) << 32) //nolint:gosec // not negative
}

// Lock locks the shard.
func (s *Shard) Lock() { s.mu.Lock() }

// Unlock packs the entries that were found meanwhile, and unlocks the shard.
func (s *Shard) Unlock() {
	if len(s.clients.open) > 0 {
		s.closeViews()
	}
	if len(s.homeless) > 0 {
		s.closeHomeless()
	}
	s.mu.Unlock()
}

// Find returns the entry of k, or nil. It is good until the shard is unlocked.
func (s *Shard) Find(k crdt.Key) *Entry { return s.clients.find(k) }

// closeViews packs all open entries. Nobody uses them after it.
func (s *Shard) closeViews() {
	for _, e := range s.clients.open {
		if e.counted != e.rule {
			s.accounts.renew(e)
		}
	}
	s.clients.close()
}

// Compare orders shards. It needs no lock.
func (s *Shard) Compare(o *Shard) int { return cmp.Compare(s.part, o.part) }

// Scratch is an entry for looking at what would be, without allocating. Its user clears it.
func (s *Shard) Scratch() *Entry { return &s.scratch }

// Full reports whether the shard must not take further clients in.
func (s *Shard) Full() bool {
	return s.table.count.Load() >= int64(s.table.cfg.Size) || s.clients.cells.live >= mostInShard
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
	if s.clients.cells.live >= mostInShard {
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

// insert makes the entry of k, which is not there yet: use admit for a client. It is the only
// place in which a decision allocates.
func (s *Shard) insert(k crdt.Key, r *limit.Rule, now int64) *Entry {
	e := s.clients.add(k)
	e.counted = r
	e.begin(r, now)
	s.table.place(e, now)
	return e
}

// remove forgets the client in slot.
func (s *Shard) remove(slot uint32) {
	if shared := s.clients.remove(slot); !shared {
		s.table.count.Add(-1)
	}
	s.accounts.drop(slot)
}

// trim gives memory back after clients were removed.
func (s *Shard) trim() {
	s.out.trim(&s.clients.cells)
	s.accounts.trim(s.clients.cells.trim())
}
