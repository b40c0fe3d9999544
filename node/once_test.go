package node_test

import (
	"math"
	"testing"
	"time"

	"github.com/distributed-rate-limiter/distributed-rate-limiter/node"
)

// What came once leaves the bound again, and a counter keeps its sum.
func TestWhatCameOnceIsSummedUp(t *testing.T) {
	l := newLab(t, 2, node.Config{Limit: 120, Window: time.Minute, Burst: 20})
	l.run(3 * time.Second)
	once := func(i int) map[string]float64 { return l.nodes[i].Node.Stats().Limits[0].OvershootOnce }
	if got := once(0); len(got) != len(node.OnceNames()) {
		t.Fatalf("%v, want %v", got, node.OnceNames())
	}
	for reason, units := range once(0) {
		if units != 0 {
			t.Errorf("%s: %.3f before anything happened", reason, units)
		}
	}
	l.nodes[1].dead = true
	l.run(4 * time.Second)
	if got := once(0)["crash"]; got != 0 {
		t.Errorf("%.3f while the node may be there", got)
	}
	if !l.nodes[0].Node.Forget("n1") {
		t.Fatal("it is not known")
	}
	l.run(3 * time.Second)
	crash := once(0)["crash"]
	if crash < 20 || crash > 20+2*6 {
		t.Errorf("%.3f after a crash and 4 s: want a burst, and what drained meanwhile", crash)
	}
	l.run(11 * time.Minute)
	if got := once(0)["crash"]; math.Abs(got-crash) > 1e-9 {
		t.Errorf("%.3f later, and it was %.3f", got, crash)
	}
	if got := l.nodes[0].Node.Stats().Limits[0].OvershootBound; got > 25 {
		t.Errorf("the bound still holds it: %.3f", got)
	}
}
