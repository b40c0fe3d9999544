package table

import (
	"math"
	"testing"
	"time"

	"github.com/distributed-rate-limiter/distributed-rate-limiter/crdt"
	"github.com/distributed-rate-limiter/distributed-rate-limiter/node/limit"
)

func TestDeepestBucketOfAFullClusterIsPlausible(t *testing.T) {
	l := newLimits(t, limit.Policy{Limit: 1, Window: 24 * time.Hour, Burst: 3600})
	table, own := l.table(1), &l.rules[0]
	for _, peers := range []int{0, 1, 30, 998} {
		table.SetView(peers, 0)
		row := &crdt.Row{Cur: crdt.Part{Origin: crdt.Never}, Prev: crdt.Part{Origin: begin + own.GCRA.Depth()}}
		if !table.plausible(begin, own, begin, row) {
			t.Errorf("%d peers: a TAT one burst ahead is refused", peers)
		}
		row.Prev.Origin = begin + 10*own.GCRA.Depth()
		if !table.plausible(begin, own, begin, row) {
			t.Errorf("%d peers: the debt of ten incarnations that have left is refused", peers)
		}
		// The debts of many nodes saturate at the end of time.
		row.Prev.Origin = int64(min(float64(crdt.End-1024), float64(begin)+float64(peers+1)*float64(own.DeepestDebt())))
		if !table.plausible(begin, own, begin, row) {
			t.Errorf("%d peers: the deepest debts of all of them are refused", peers)
		}
		row.Cur.Origin, row.Prev.Origin = math.MaxInt64, crdt.Never
		if table.plausible(begin, own, begin, row) {
			t.Errorf("%d peers: something admitted at the end of time is taken over", peers)
		}
	}
}
