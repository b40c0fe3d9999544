package sim_test

import (
	"testing"
	"time"

	"github.com/distributed-rate-limiter/distributed-rate-limiter/node"
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

// A node that dies and starts anew is sure of all again, and the others are, soon after it is back:
// also if it is back before anybody missed it.
func TestARestartDoesNotLeaveNodesDegraded(t *testing.T) {
	for _, down := range []time.Duration{500 * time.Millisecond, 2 * time.Second, 2900 * time.Millisecond, 5 * time.Second, 40 * time.Second} {
		sc := sim.Scenario{
			Nodes: 3, Policy: node.Policy{Limit: 100, Window: 10 * time.Second}, Duration: 2 * time.Minute,
			Link:    sim.Link{DelayMin: time.Millisecond, DelayMax: 3 * time.Millisecond},
			Streams: []sim.Stream{{Client: "c", Cost: 1, Rate: 20}},
			Faults:  []sim.Fault{{At: 10 * time.Second, For: down, Kind: sim.FaultCrash, Nodes: []int{2}}},
		}
		r, err := sim.Run(sc, nil)
		if err != nil {
			t.Fatal(err)
		}
		// Until it is back, the two others may be degraded. Then all three are for a moment.
		if most := 2*down + 3*3*time.Second; r.Degraded > most || len(r.Violations) > 0 {
			t.Errorf("down for %v: degraded for %v, want at most %v: %v, %v", down, r.Degraded, most, r.DegradedBy, r.Violations)
		}
	}
}
