package table

import (
	"slices"
	"testing"
	"time"

	"github.com/distributed-rate-limiter/distributed-rate-limiter/crdt"
	"github.com/distributed-rate-limiter/distributed-rate-limiter/node/limit"
	deltasync "github.com/distributed-rate-limiter/distributed-rate-limiter/sync"
)

// flood is how many clients come to one shard at once in these tests.
const flood = 500

// floodKey is the key of a client in the first shard.
func floodKey(i uint64) crdt.Key { return crdt.Key{Hi: (i + 1) * 0x9e3779b97f4a7c15 >> 8} }

// room is the memory that a shard holds on to, in places for what it may contain.
type room struct{ places, chunks, records, spare, open, rules, replicas, wide, refunds int }

func (s *Shard) room() room {
	r := room{
		places: len(s.clients.cells.index.Load().places) + len(s.clients.cells.index.Load().old), spare: len(s.clients.spare),
		wide: s.clients.wide.most, refunds: s.refunds.kept.most + s.refunds.open.most,
	}
	for _, c := range s.clients.records.chunks {
		if c.of != nil {
			r.records += recordChunk
		}
	}
	chunks := *s.clients.cells.chunks.Load()
	for i := range chunks {
		if chunks[i].Load() != nil {
			r.chunks++
		}
	}
	for _, e := range slices.Concat(s.clients.spare[:cap(s.clients.spare)], s.clients.open[:cap(s.clients.open)]) {
		if e != nil {
			r.open++
		}
	}
	if p := s.clients.rules.values.Load(); p != nil {
		for _, rule := range *p {
			if rule != nil {
				r.rules++
			}
		}
	}
	if p := s.clients.records.replicas.values.Load(); p != nil {
		r.replicas = len(*p)
	}
	return r
}

// What a flood of clients took is given back within the minutes in which they are forgotten,
// by sweeps alone, whether some clients stay or none, and whatever the flood brought along.
func TestSweepsGiveMemoryBack(t *testing.T) {
	minute := limit.Policy{Limit: 100, Window: time.Minute}
	for name, f := range map[string]func(l *limits, table *Table, k crdt.Key, now int64){
		"a decision": func(l *limits, table *Table, k crdt.Key, now int64) { take(t, table, k, &l.rules[0], now, 1) },
		"rows of ten peers": func(l *limits, table *Table, k crdt.Key, now int64) {
			d := l.delta(2)
			for replica := range crdt.Replica(10) {
				d.Replica, d.Start = 2+replica, l.rules[0].Frame.Start(now)
				d.Rows = []crdt.Row{used(k, d.Start, 1)}
				table.Merge(now, d, true, now)
			}
		},
		"a change of the limit": func(l *limits, table *Table, k crdt.Key, now int64) {
			r := &l.rules[0]
			if now > begin {
				r = &l.rules[1]
			}
			take(t, table, k, r, now, 1)
		},
		"refunds": func(l *limits, table *Table, k crdt.Key, now int64) {
			c := take(t, table, k, &l.rules[0], now, 5)
			table.Settle(&c, 1, now, true)
		},
	} {
		for _, stay := range []uint64{0, 1} {
			l := newLimits(t, minute, minute)
			table := l.sized(1, 1_000_000)
			s := &table.shards[0]
			now, seq := begin, uint64(0)
			for round := range 150 {
				active := stay
				if round < 20 { // for so long that earlier windows and lives fold meanwhile
					active = flood
				}
				for i := range active {
					f(l, table, floodKey(i), now)
				}
				now += 10 * second
				seq++
				var b deltasync.Batch
				for table.Collect(now, seq, false, &b) {
					b.Reset()
				}
				for range sweepParts {
					table.Sweep(now)
				}
				if n := len(s.clients.spare); n > mostSpare {
					t.Fatalf("%s: %d entries are kept for later", name, n)
				}
			}
			if s.clients.cells.live != int(stay) {
				t.Fatalf("%s: %d clients are left, want %d", name, s.clients.cells.live, stay)
			}
			most := room{
				places: leastIndex, chunks: int(stay), records: 2 * recordChunk, spare: mostSpare, open: mostSpare,
				rules: int(stay), replicas: 10 * int(stay), wide: leastKept, refunds: leastKept,
			}
			got := s.room()
			if got.places > most.places || got.chunks > most.chunks || got.records > most.records || got.spare > most.spare || got.open > most.open ||
				got.rules > most.rules || got.replicas > most.replicas || got.wide > most.wide || got.refunds > most.refunds {
				t.Errorf("%s, of which %d stay: room for %+v, at most %+v", name, stay, got, most)
			}
		}
	}
}
