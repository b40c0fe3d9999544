package node

import (
	"math"
	"testing"
	"time"

	"github.com/distributed-rate-limiter/distributed-rate-limiter/crdt"
)

func TestDeepestBucketOfAFullClusterIsPlausible(t *testing.T) {
	const now = int64(1_900_000_000e9)
	l := newLimit("default", 0)
	r, err := l.newRevision(Policy{Limit: 1, Window: 24 * time.Hour, Burst: 3600}, crdt.Stamp{})
	if err != nil {
		t.Fatal(err)
	}
	n, own := &Node{}, &r.rules[0]
	for _, peers := range []int32{0, 1, 30, 998} {
		n.view.peers.Store(peers)
		row := &crdt.Row{Cur: crdt.Part{Origin: crdt.Never}, Prev: crdt.Part{Origin: now + own.GCRA.Depth()}}
		if !n.plausible(now, own, now, row) {
			t.Errorf("%d peers: a TAT one burst ahead is refused", peers)
		}
		row.Cur.Origin = math.MaxInt64
		if n.plausible(now, own, now, row) {
			t.Errorf("%d peers: something admitted at the end of time is taken over", peers)
		}
	}
}
