package table

import (
	"math"
	"testing"
	"time"

	"github.com/distributed-rate-limiter/distributed-rate-limiter/crdt"
	"github.com/distributed-rate-limiter/distributed-rate-limiter/node/limit"
)

// What came back while a node did not hear of it is what can have drained by then, for a client that
// it admitted something to.
func TestUnitsThatCameBackLateAreWhatDrainedMeanwhile(t *testing.T) {
	const other, second = 2, int64(time.Second)
	k := crdt.Key{Hi: 1, Lo: 2}
	perSecond := limit.Policy{Limit: 60, Window: time.Minute, Burst: 100}
	for name, c := range map[string]struct {
		policy limit.Policy
		own    int64 // units that the node took itself
		gave   int64 // and gave back
		back   uint64
		heard  int64
		want   float64
	}{
		"all, after a long time":        {perSecond, 1, 0, 20, begin - 100*second, 20},
		"as much as drained, rounded":   {perSecond, 1, 0, 20, begin - 5*second, 6},
		"and as much as it gave back":   {perSecond, 8, 7, 20, begin - 5*second, 13},
		"whoever is not known":          {perSecond, 1, 0, 20, math.MinInt64, 20},
		"nothing of what it never took": {perSecond, 0, 0, 20, math.MinInt64, 0},
		"nothing where nothing drains":  {limit.Policy{Algorithm: limit.FixedWindow, Limit: 60, Window: time.Minute}, 1, 0, 20, math.MinInt64, 0},
		"nothing came back":             {perSecond, 1, 0, 0, math.MinInt64, 0},
	} {
		t.Run(name, func(t *testing.T) {
			l := newLimits(t, c.policy)
			table := l.table(1)
			d := l.delta(other)
			d.Rows = []crdt.Row{used(k, d.Start, 30)}
			table.Merge(begin, d, true, begin)
			if c.own > 0 {
				take(t, table, k, &l.rules[0], begin, c.own)
			}
			if c.gave > 0 {
				if did := table.Refund(k, &l.rules[0], c.gave, begin, true); did.Given != c.gave {
					t.Fatalf("%+v", did)
				}
			}
			d.Rows[0].Cur.Count.N = c.back
			table.Merge(begin, d, true, c.heard)
			if got := l.account.Late.Since(0); got != c.want {
				t.Errorf("%v units came back late, want %v", got, c.want)
			}
		})
	}
}
