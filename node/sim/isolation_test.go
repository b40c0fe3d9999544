package sim_test

import (
	"testing"
	"time"

	"github.com/distributed-rate-limiter/distributed-rate-limiter/node"
	"github.com/distributed-rate-limiter/distributed-rate-limiter/node/sim"
)

// cutInTwo is a cluster of four, split in halves for long enough that what each side
// admits is not charged to the other any more when they meet again.
func cutInTwo(choice node.OnIsolation, length time.Duration) sim.Scenario {
	return sim.Scenario{
		Seed: 7, Nodes: 4, Duration: length + 30*time.Second, Flush: 20 * time.Millisecond,
		Policy:  node.Policy{Limit: 600, Window: time.Minute, Burst: 100, OnIsolation: choice},
		Link:    sim.Link{DelayMin: time.Millisecond, DelayMax: 3 * time.Millisecond},
		Streams: []sim.Stream{{Client: "a", Rate: 60}},
		Faults:  []sim.Fault{{At: 10 * time.Second, Kind: sim.FaultPartition, Nodes: []int{1, 2}, For: length}},
	}
}

func play(t *testing.T, sc sim.Scenario) sim.Result {
	t.Helper()
	r, err := sim.Run(sc, nil)
	if err != nil {
		t.Fatal(err)
	}
	for _, v := range r.Violations {
		t.Error(v)
	}
	return r
}

func TestSharingKeepsTheBoundFlatInAPartition(t *testing.T) {
	const rate, burst = 10.0, 100.0
	// Silence is noticed after SuspectAfter and a beat; until then each side goes on
	// at the whole rate.
	const detect = 3 + 1.2
	flat := (2 - 1) * (burst + rate*detect)
	for _, length := range []time.Duration{30 * time.Second, 200 * time.Second} {
		shared, kept := play(t, cutInTwo(node.IsolationShare, length)), play(t, cutInTwo(node.IsolationKeep, length))
		t.Logf("%v: E %.1f shared (flat bound %.1f), %.1f kept", length, shared.E, flat, kept.E)
		if shared.E > flat {
			t.Errorf("%v: E is %.1f, over %.1f", length, shared.E, flat)
		}
		// Without sharing each second costs the rate once more.
		if least := 0.9 * rate * (length.Seconds() - 10); kept.E < least {
			t.Errorf("%v: E is %.1f though both sides went on, want at least %.1f", length, kept.E, least)
		}
	}
}
