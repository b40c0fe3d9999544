package sim_test

import (
	"testing"
	"time"

	"github.com/distributed-rate-limiter/distributed-rate-limiter/node"
	"github.com/distributed-rate-limiter/distributed-rate-limiter/node/sim"
)

// Five a minute are less than two units at each of three nodes. A request there often finds no tokens, and
// what comes too late for it must not be lost.
func TestLoansOfSmallLimitsComeBackUnspent(t *testing.T) {
	t.Parallel()
	admitted, central := uint64(0), uint64(0)
	for seed := uint64(1); seed <= 5; seed++ {
		r, err := sim.Run(sim.Scenario{
			Seed: seed, Nodes: 3, Policy: node.Policy{Limit: 5, Window: time.Minute, Consistency: node.Bounded}, Duration: 20 * time.Minute,
			Link:    sim.Link{DelayMin: time.Millisecond, DelayMax: 3 * time.Millisecond},
			Streams: []sim.Stream{{Client: "c", Rate: 0.8 * 5 / 60}},
		}, nil)
		if err != nil {
			t.Fatal(err)
		}
		for _, v := range r.Violations {
			t.Errorf("seed %d: %s", seed, v)
		}
		admitted, central = admitted+r.Admitted, central+r.Central
	}
	t.Logf("%d of %d that a central limiter admits", admitted, central)
	if 100*admitted < 60*central { // 31 % if unspent loans are lost
		t.Errorf("%d of %d that a central limiter admits, want 60 %%", admitted, central)
	}
}
