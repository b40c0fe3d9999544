package sim_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/distributed-rate-limiter/distributed-rate-limiter/node"
	"github.com/distributed-rate-limiter/distributed-rate-limiter/node/sim"
)

// A reset is repeated with each beat, for those who did not hear it. A node that has
// forgotten the client must not take that for another reset.
func TestARepeatedResetGivesNothingBack(t *testing.T) {
	t.Parallel()
	for k := range 40 { // clients of different partitions, which are swept at different times
		client := fmt.Sprint("c", k)
		sc := sim.Scenario{
			Seed: uint64(k), Nodes: 2, Duration: 60 * time.Second, Flush: 50 * time.Millisecond,
			Policy: node.Policy{Algorithm: node.FixedWindow, Limit: 10, Window: time.Second},
			Link:   sim.Link{DelayMin: time.Millisecond, DelayMax: time.Millisecond},
			Faults: []sim.Fault{{At: time.Second, Kind: sim.FaultReset, Nodes: []int{1}, Client: client}},
		}
		for i := range 14 {
			at := 7*time.Second + time.Duration(i)*3700*time.Millisecond
			sc.Streams = append(sc.Streams, sim.Stream{Client: client, Node: 2, Burst: 1, Period: 20 * time.Millisecond, Start: at, Stop: at + 1200*time.Millisecond})
		}
		if r := play(t, sc); r.E > 0 {
			t.Errorf("%s: one node alone admitted %.0f units too many", client, r.E)
		}
	}
}
