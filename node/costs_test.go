package node_test

import (
	"context"
	"math"
	"testing"
	"time"

	"github.com/distributed-rate-limiter/distributed-rate-limiter/node"
)

// A client that a node knows takes the short way. A cost that is none is refused there as well,
// and gives nothing back.
func TestACostThatIsNoneIsRefusedForKnownClientsToo(t *testing.T) {
	n, err := node.Open(context.Background(), node.Config{Limit: 10, Window: time.Hour})
	must(t, err)
	defer n.Close()
	if got := times(4, func() bool { return n.Allow("alice") }); got != 4 {
		t.Fatalf("%d of 4 pass", got)
	}
	for _, cost := range []int64{0, -1, -5, math.MinInt64, 11, math.MaxInt64} {
		want := node.ReasonBadCost
		if cost > 0 {
			want = node.ReasonCostTooHigh
		}
		if d := n.Take("alice", cost); d.Allowed || d.Cost != 0 || d.Reason != want {
			t.Errorf("cost %d: %+v, want it refused as %v", cost, d, want)
		}
	}
	if got := times(10, func() bool { return n.Allow("alice") }); got != 6 {
		t.Errorf("%d more pass, want the 6 that are left", got)
	}
}
