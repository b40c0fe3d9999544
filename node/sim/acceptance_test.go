package sim_test

import (
	"testing"
	"time"

	"github.com/distributed-rate-limiter/distributed-rate-limiter/node"
	"github.com/distributed-rate-limiter/distributed-rate-limiter/node/sim"
)

// One client at fifty times its limit, on ten nodes: what urgent flushes are for.
func TestUrgentFlushesKeepTheOvershootToAFifthOfTheBurst(t *testing.T) {
	t.Parallel()
	worst := func(flush time.Duration, fixed bool) (e float64, messages uint64) {
		for seed := uint64(1); seed <= 5; seed++ {
			r, err := sim.Run(sim.Scenario{
				Seed: seed, Nodes: 10, Policy: node.Policy{Limit: 100, Window: time.Second}, Duration: 3 * time.Second,
				Flush: flush, FixedFlush: fixed, Stagger: 200 * time.Millisecond,
				Link:    sim.Link{DelayMin: time.Millisecond, DelayMax: 3 * time.Millisecond},
				Streams: []sim.Stream{{Client: "hot", Rate: 5000}},
			}, nil)
			if err != nil {
				t.Fatal(err)
			}
			for _, v := range r.Violations {
				t.Errorf("seed %d, flush %v: %s", seed, flush, v)
			}
			if r.E > e {
				e, messages = r.E, r.Messages
			}
		}
		return e, messages
	}
	urgent, n := worst(0, false)
	t.Logf("default flush, urgent cost at once: E is %.1f units of a burst of 100, with %d messages in 3 s", urgent, n)
	if urgent > 20 {
		t.Errorf("E is %.1f, want at most 20", urgent)
	}
	fixed, n := worst(100*time.Millisecond, true)
	t.Logf("fixed flush of 100 ms:              E is %.1f units, with %d messages", fixed, n)
	if fixed < 200 {
		t.Errorf("without urgent flushes E is %.1f, want at least 200: the comparison compares nothing", fixed)
	}
}
