package table

import (
	"testing"
	"time"

	"github.com/distributed-rate-limiter/distributed-rate-limiter/crdt"
	"github.com/distributed-rate-limiter/distributed-rate-limiter/node/limit"
	deltasync "github.com/distributed-rate-limiter/distributed-rate-limiter/sync"
)

// What is merged into a cell alone is in the digests, and what mergeCell declines is merged all the
// same.
func TestRowsMergedIntoACellAreInTheDigests(t *testing.T) {
	const other = 2
	k := crdt.Key{Hi: 1, Lo: 2}
	l := newLimits(t, limit.Policy{Limit: 100, Window: time.Minute})
	digest := func(table *Table) (all crdt.Digest) {
		var parts [crdt.Partitions]crdt.Digest
		r := &l.rules[0]
		table.Digests(other, deltasync.Window{Width: r.Frame.Width, Start: r.Frame.Start(begin)}, &parts)
		for _, d := range parts {
			all += d
		}
		return all
	}
	for name, c := range map[string]struct {
		units  uint64
		before func(*Table)
		quick  bool
	}{
		"more of the same window": {50, func(*Table) {}, true},
		"nothing new":             {10, func(*Table) {}, true},
		"beyond the burst":        {101, func(*Table) {}, false},
		"a client with something to send": {50, func(table *Table) {
			r := &l.rules[0]
			take(t, table, k, r, begin, 1)
			s := table.Shard(k)
			s.Lock()
			e := s.Find(k)
			s.Note(e, e.First(), begin)
			s.Unlock()
		}, false},
	} {
		t.Run(name, func(t *testing.T) {
			table, fresh := l.table(1), l.table(1)
			d := l.delta(other)
			d.Rows = []crdt.Row{used(k, d.Start, 10)}
			table.Merge(begin, d, false, begin)
			c.before(table)
			d.Rows = []crdt.Row{used(k, d.Start, c.units)}
			s := table.Shard(k)
			s.Lock()
			quick, _ := s.mergeCell(begin, &l.rules[0], d, &d.Rows[0])
			s.Unlock()
			if quick != c.quick {
				t.Errorf("merged into the cell alone: %t", quick)
			}
			table.Merge(begin, d, false, begin)
			fresh.Merge(begin, d, false, begin)
			if got, want := digest(table), digest(fresh); got != want || want == 0 {
				t.Errorf("the digest is %x, want %x", got, want)
			}
		})
	}
}
