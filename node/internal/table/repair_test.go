package table

import (
	"fmt"
	"testing"
	"time"

	"github.com/distributed-rate-limiter/distributed-rate-limiter/crdt"
	"github.com/distributed-rate-limiter/distributed-rate-limiter/gcra"
	"github.com/distributed-rate-limiter/distributed-rate-limiter/node/limit"
	deltasync "github.com/distributed-rate-limiter/distributed-rate-limiter/sync"
)

// What only origins carry is told apart and repaired, whoever counts the client since: the
// node that misses it, the one that has it, another one, or nobody.
func TestOriginsAreRepairedWhoeverCountsTheClient(t *testing.T) {
	slow := limit.Policy{Limit: 60, Window: time.Hour, Burst: 100}
	brief := limit.Policy{Limit: 100, Window: 10 * time.Second, Algorithm: limit.FixedWindow}
	for name, revisions := range map[string][]limit.Policy{
		"GCRA, folded":      {slow},
		"GCRA, changed":     {brief, slow},
		"fixed window":      {brief, {Limit: 100, Window: time.Hour, Algorithm: limit.FixedWindow}},
		"sliding window":    {brief, {Limit: 100, Window: time.Hour, Algorithm: limit.SlidingWindow}},
		"window in parts":   {brief, {Limit: 100, Window: time.Hour, Algorithm: limit.SlidingWindow, Resolution: 4}},
		"calendar":          {brief, {Limit: 100, Calendar: gcra.Day, TimeZone: "UTC", Algorithm: limit.FixedWindow}},
		"window after GCRA": {slow, {Limit: 100, Window: time.Hour, Algorithm: limit.FixedWindow}},
	} {
		for _, counter := range []crdt.Replica{0, 1, 2, 3} {
			t.Run(fmt.Sprintf("%s, counted by %d", name, counter), func(t *testing.T) {
				l := newLimits(t, revisions...)
				asker, answerer, k := l.table(1), l.table(2), crdt.Key{Hi: 1}
				take(t, answerer, k, &l.rules[0], begin, 50)
				r := &l.rules[len(l.rules)-1]
				take(t, answerer, k, r, begin+2*int64(time.Second), 1)
				// The asker heard nothing of it until all these windows were folded, or those before
				// the change.
				now := begin + 200*int64(time.Second)
				count1(t, r, counter, asker, answerer, k, now)
				if had := usedAt(asker, k, r, now); had > 10 && counter != 2 {
					t.Fatalf("the asker holds %d already: this proves nothing", had)
				}
				repairOrigins(t, asker, answerer, now)
				if had, want := usedAt(asker, k, r, now), usedAt(answerer, k, r, now); had != want || want < 45 {
					t.Errorf("after the repair %d of %d units count", had, want)
				}
			})
		}
	}
}

// count1 lets a replica count one unit, of which both tables know.
func count1(t *testing.T, r *limit.Rule, counter crdt.Replica, a, b *Table, k crdt.Key, now int64) {
	t.Helper()
	if counter == 0 {
		return
	}
	d := head(r, crdt.Stamp{}, counter, r.Slot(now), r.Frame.Start(now))
	d.Rows = []crdt.Row{used(k, d.Start, 1)}
	for _, table := range []*Table{a, b} {
		switch table.cfg.Self {
		case counter:
			take(t, table, k, r, now, 1)
		default:
			table.Merge(now, &d, true, now)
		}
	}
}

func usedAt(table *Table, k crdt.Key, r *limit.Rule, now int64) uint64 {
	s := table.Shard(k)
	s.Lock()
	defer s.Unlock()
	var look Entry
	look.Imitate(s.Find(k), k, r, now)
	return r.Used(look.States(), now)
}

// repairOrigins does what the engine does for origins, if digests call for it: it asks for
// everybody's rows. Afterwards they call for nothing.
func repairOrigins(t *testing.T, asker, answerer *Table, now int64) {
	t.Helper()
	differ := func() bool {
		for _, w := range answerer.Windows(now) {
			for p := range crdt.Partitions {
				if d := answerer.Origins(now, w, p); d != 0 && d != asker.Origins(now, w, p) {
					return true
				}
			}
		}
		return false
	}
	if !differ() {
		return
	}
	var rows []*crdt.Delta
	add := func(head crdt.Delta, row crdt.Row) bool {
		row.Key = crdt.Key{Hi: 1}
		head.Rows = []crdt.Row{row}
		rows = append(rows, &head)
		return true
	}
	for e := range answerer.All {
		e.foldOver(now)
		e.rule.Roll(e.States(), now)
		for r, of := range e.each {
			answerer.exportLife(&deltasync.Query{}, r, e.Reset(), of, add)
		}
	}
	for _, d := range rows {
		if d.Replica == 0 {
			d.Replica = answerer.cfg.Self
		}
		asker.Merge(now, d, true, now)
	}
	if differ() {
		t.Error("digests differ after the repair")
	}
}
