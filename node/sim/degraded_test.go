package sim_test

import (
	"testing"
	"time"

	"github.com/distributed-rate-limiter/distributed-rate-limiter/node/sim"
)

// Degraded is no way out: a node says so in runs with a join, a crash, a cut or a fault of a
// clock, and in no other.
func TestNobodyIsDegradedWithoutTrouble(t *testing.T) {
	calm := 0
	for seed := uint64(1); calm < 60; seed++ {
		sc := sim.Random(seed)
		faults := false
		for i := range sc.Faults {
			switch sc.Faults[i].Kind {
			case sim.FaultLimit, sim.FaultReset:
			default:
				faults = true
			}
		}
		if faults || sc.MaxClients > 0 || sc.Link.Loss > 0.05 { // many lost beats in a row are a cut
			continue
		}
		calm++
		sc.Duration = min(sc.Duration, 20*time.Second)
		r, err := sim.Run(sc, nil)
		if err != nil {
			t.Fatal(err)
		}
		for _, v := range r.Violations {
			t.Errorf("seed %d: %s", seed, v)
		}
		if r.Degraded > 0 {
			t.Errorf("seed %d: degraded for %v without a reason", seed, r.Degraded)
		}
	}
}
