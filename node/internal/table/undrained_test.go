package table

import (
	"testing"
	"time"

	"github.com/distributed-rate-limiter/distributed-rate-limiter/crdt"
	"github.com/distributed-rate-limiter/distributed-rate-limiter/node/limit"
	deltasync "github.com/distributed-rate-limiter/distributed-rate-limiter/sync"
)

// A refund takes all of a client from two nodes, and the client is charged again. A reservation from
// before gives nothing back then, whichever node's part this node heard of first.
func TestAReservationIsNotReturnedAfterAllCameBack(t *testing.T) {
	const here, others, again = 40, 60, 50
	for _, c := range []struct {
		name   string
		before bool  // the others' charge was there before the reservation
		gone   int64 // what others gave back
		want   int64 // what the settlement returns
	}{
		{"charged before", true, others, 0},
		{"charged after", false, others, 0},
		{"a part, charged before", true, others / 2, here}, // as of what lay below
		{"nothing", false, 0, here},
	} {
		t.Run(c.name, func(t *testing.T) {
			l := newLimits(t, hourly)
			table, k, r := l.table(1), crdt.Key{Hi: 1}, &l.rules[0]
			merge := func(count crdt.Count) {
				d := l.delta(2)
				d.Rows = []crdt.Row{{Key: k, Cur: crdt.Part{Origin: begin, Count: count}, Prev: crdt.Part{Origin: crdt.Never}}}
				table.Merge(begin, d, true, begin)
			}
			if c.before {
				merge(crdt.Count{P: others})
			}
			reserved := take(t, table, k, r, begin, here)
			merge(crdt.Count{P: others})
			if c.gone == others {
				table.Refund(k, r, here, begin, true)
			}
			var b deltasync.Batch
			for table.Collect(begin, 1, false, &b) { // so that rows go into the cell alone, if they may
				b.Reset()
			}
			merge(crdt.Count{P: others, N: uint64(c.gone)}) //nolint:gosec // small
			take(t, table, k, r, begin, again)
			if back := table.Settle(&reserved, 0, begin, true); back != c.want {
				t.Errorf("%d units of the reservation came back, want %d", back, c.want)
			}
		})
	}
}

// What others give back is watched of those clients alone whose settlements need it. So a flood of
// clients without room leaves nothing behind.
func TestFewClientsAreWatchedForRefundsOfOthers(t *testing.T) {
	for name, c := range map[string]struct {
		policy limit.Policy
		room   bool
		want   int
	}{
		"with room":               {hourly, true, flood},
		"without room":            {hourly, false, 0},
		"under a window":          {limit.Policy{Algorithm: limit.FixedWindow, Limit: 100, Window: time.Hour}, true, 0},
		"a window's without room": {limit.Policy{Algorithm: limit.SlidingWindow, Limit: 100, Window: time.Hour}, false, 0},
	} {
		l := newLimits(t, c.policy)
		table, r := l.table(1), &l.rules[0]
		s := &table.shards[0]
		for i := range uint64(flood) {
			s.Lock()
			open := s.OpenUnplaced
			if c.room {
				open = s.Open
			}
			e := open(floodKey(i), r, begin)
			r.Charge(e.States(), begin, 1)
			s.Charged(e, begin, 1)
			s.Unlock()
		}
		if got := len(s.refunds.open.of); got != c.want {
			t.Errorf("%s: %d of %d clients are watched, want %d", name, got, flood, c.want)
		}
	}
}
