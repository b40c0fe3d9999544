package table

import (
	"sync/atomic"

	"github.com/distributed-rate-limiter/distributed-rate-limiter/crdt"
	"github.com/distributed-rate-limiter/distributed-rate-limiter/node/internal/isolation"
	"github.com/distributed-rate-limiter/distributed-rate-limiter/node/internal/tally"
	"github.com/distributed-rate-limiter/distributed-rate-limiter/node/limit"
	deltasync "github.com/distributed-rate-limiter/distributed-rate-limiter/sync"
)

// Limits is what a table needs to know of the node's limits. The table calls it without
// holding a lock.
type Limits interface {
	// RuleOf is the rule that counted a delta's rows, and its limit's account. r is nil if
	// this node has no such rule; the owner then counts the rows as dropped. alike says that
	// the delta's replica is configured as this node is. same says that the replica counts by
	// r too: another one counts by the rule of its own configuration. known is false if the
	// delta is of a newer revision than the owner knows.
	RuleOf(now int64, d *crdt.Delta, alike bool) (r *limit.Rule, a *tally.Account, same, known bool)
	// Windows lists the windows that are live at now, over all limits.
	Windows(now int64) []deltasync.Window
}

// Config configures a table. Set every field but Size.
type Config struct {
	// Self is this incarnation, whose counters decisions write.
	Self crdt.Replica
	// Size caps the clients in the table: see Shard.Open.
	Size int
	// Tolerance is how far ahead of this node's clock a peer's may be, in nanoseconds.
	Tolerance int64
	Limits    Limits
	Isolation *isolation.Watch
	// Dropped counts the peers' rows that the table did not merge.
	Dropped *tally.Drops
	// Rights are of bounded limits; nil where there are none.
	Rights Rights
	// Urgent calls for a flush. It must not block, because the caller holds a shard's lock.
	Urgent func()
}

// Table holds the clients of all limits. Make one with New. Its methods are safe for concurrent
// use. They take the locks of shards one at a time, so call none of them with a shard's lock
// held.
type Table struct {
	shards   [crdt.Partitions]Shard
	cfg      Config
	audience audience
	sends    sends
	// unplaced are the clients that found no room.
	unplaced unplaced

	_ [64]byte // decisions read the fields above, and many goroutines write those below

	// count is how many clients all shards hold, at most cfg.Size. Entries that unknown
	// clients share are none.
	count atomic.Int64
	// A partition is in dirty while its shard's dirty list is not empty, and in urgent while
	// one of those entries has reached its quantum: urgent is within dirty. Both change under
	// the shard's lock.
	dirty, urgent partSet
	// asking are the partitions in which a client is to ask others for loans.
	asking partSet
	// counted are the partitions whose shards hold digests.
	counted partSet
	// sweepTurn is the part of the table that Sweep visited last.
	sweepTurn int
	// liar is the replica whose row was last refused as more than one node can have admitted.
	liar atomic.Uint64
}

// Liar is the replica that last stated more than one node can have admitted; 0 for none.
func (t *Table) Liar() crdt.Replica { return crdt.Replica(t.liar.Load()) }

// New makes an empty table.
func New(cfg Config) *Table {
	t := &Table{cfg: cfg}
	for i := range t.shards {
		t.shards[i].init(t, i)
	}
	return t
}

// Shard is the one that holds k, if anybody does.
func (t *Table) Shard(k crdt.Key) *Shard { return &t.shards[k.Partition()] }

// Clients implements deltasync.Summaries. It is never above the table's size.
func (t *Table) Clients() int { return int(t.count.Load()) }

// SetView takes what the table has to know of the cluster: how many peers can admit, and the
// largest delay to one of them in nanoseconds.
func (t *Table) SetView(peers int, delay int64) {
	t.audience.peers.Store(int32(peers)) //nolint:gosec // at most deltasync.MaxPeers
	t.audience.delay.Store(delay)
}

// Decisions sums up what was decided under a limit.
func (t *Table) Decisions(a *tally.Account) (sum tally.Decisions) {
	for i := range t.shards {
		s := &t.shards[i]
		s.Lock()
		d := s.Counts.Of(a)
		s.Unlock()
		sum.Add(&d)
	}
	a.Refusals.AddTo(&sum)
	return sum
}

// All yields every entry, each with its shard's lock held for as long as yield runs.
func (t *Table) All(yield func(*Entry) bool) {
	for i := range t.shards {
		s := &t.shards[i]
		for from, more := uint32(0), true; more; from += holdSlots {
			s.Lock()
			for slot := from; slot < min(from+holdSlots, s.clients.cells.slots()); slot++ {
				if e := s.clients.at(slot); e != nil && !yield(e) {
					s.Unlock()
					return
				}
				s.closeViews()
			}
			more = from+holdSlots < s.clients.cells.slots()
			s.Unlock()
		}
	}
}

// holdSlots is how many slots are visited under one hold of a shard's lock, wherever all of
// them are. A decision may wait for that long: raising it makes the slowest decisions
// slower, lowering it makes passes over the table take the locks more often.
const holdSlots = 1024
