package isolation

import (
	"testing"

	"github.com/distributed-rate-limiter/distributed-rate-limiter/crdt"
	"github.com/distributed-rate-limiter/distributed-rate-limiter/gcra"
)

// A node that restarts in a cut does not know what it let pass before. Each client's share
// begins used up, and drains at the group's part of the rate.
func TestSharesBeginUsedUpAfterARestartInACut(t *testing.T) {
	g := limit(t, 10)
	for _, restarted := range []bool{false, true} {
		var w Watch
		w.Restarted(restarted)
		w.Set(begin, true, 1, 4)
		w.Restarted(false) // it has joined since
		w.Set(begin+second, true, 2, 4)
		var s Shares
		c := Client{Key: crdt.Key{Lo: 1}, GCRA: g, Used: gcra.Level{Base: gcra.Never}}
		want := []int{10, 5}
		if restarted {
			want = []int{1, 5} // of half a unit a second
		}
		for i, at := range []int64{begin + 3*second, begin + 13*second} {
			if got := admit(&s, w.Group(), c, at); got != want[i] {
				t.Errorf("restarted %t: %d pass at %d s, want %d", restarted, got, (at-begin)/second, want[i])
			}
		}
	}
}
