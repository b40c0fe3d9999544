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

// restarting is a cut of one node from the others, in which it restarts every half minute.
func restarting(kind sim.FaultKind) []sim.Fault {
	faults := []sim.Fault{{At: 5 * time.Second, For: 400 * time.Second, Kind: sim.FaultPartition, Nodes: []int{1}}}
	for at := 20 * time.Second; at < 390*time.Second; at += 30 * time.Second {
		faults = append(faults, sim.Fault{At: at, For: time.Second, Kind: kind, Nodes: []int{1}})
	}
	return faults
}

// The shares of all nodes together stay within the rate however the cluster is split.
func TestSharesStayFlatHoweverTheClusterIsSplit(t *testing.T) {
	const (
		rate, burst = 10, 100
		long        = 400 * time.Second
		second      = time.Second
	)
	flapping := []sim.Fault{{At: 5 * second, For: long, Kind: sim.FaultPartition, Nodes: []int{1, 2}}}
	for i := range 30 {
		flapping = append(flapping, sim.Fault{At: time.Duration(15+12*i) * second, For: 6 * second, Kind: sim.FaultPartition, Nodes: []int{1 + i%4}})
	}
	for _, c := range []struct {
		name   string
		nodes  int
		faults []sim.Fault
		// detections is how often a node goes on at the whole rate until it notices.
		detections float64
		ask        []int // the nodes that are asked; none is all
	}{
		{
			"a single pair is cut, so the two hear different groups", 5,
			[]sim.Fault{{At: 5 * second, For: long, Kind: sim.FaultPartition, Nodes: []int{1}, Against: []int{2}}},
			1,
			[]int{1, 2},
		},
		{
			"a node leaves whose name another one bears, which stays", 3,
			[]sim.Fault{
				{At: 5 * second, For: long, Kind: sim.FaultPartition, Nodes: []int{1}},
				{At: 15 * second, Kind: sim.FaultJoin, Nodes: []int{2}},
				{At: 25 * second, Kind: sim.FaultLeave, Nodes: []int{4}},
			},
			2, nil,
		},
		{"groups come and go", 4, flapping, 1, nil},
		{"a node restarts again and again within a cut", 3, restarting(sim.FaultLeave), 1, nil},
		{"a node crashes again and again within a cut", 3, restarting(sim.FaultCrash), 1, nil},
		{
			"a side of a cut restarts as a whole, and another node comes", 4,
			[]sim.Fault{
				{At: 5 * second, For: long, Kind: sim.FaultPartition, Nodes: []int{1, 2, 5}},
				{At: 30 * second, For: second, Kind: sim.FaultCrash, Nodes: []int{1, 2}},
				{At: 60 * second, Kind: sim.FaultJoin},
				{At: 90 * second, For: 20 * second, Kind: sim.FaultLeave, Nodes: []int{1}},
			},
			2, nil,
		},
		{
			"a node restarts in a cut between a pair", 4,
			[]sim.Fault{
				{At: 5 * second, For: long, Kind: sim.FaultPartition, Nodes: []int{1}, Against: []int{2}},
				{At: 30 * second, For: second, Kind: sim.FaultCrash, Nodes: []int{1}},
				{At: 100 * second, For: second, Kind: sim.FaultCrash, Nodes: []int{3}},
			},
			1, nil,
		},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			streams := []sim.Stream{{Client: "a", Burst: 1, Period: 50 * time.Millisecond, Start: second}}
			if len(c.ask) > 0 {
				streams = nil
			}
			for _, n := range c.ask {
				streams = append(streams, sim.Stream{Client: "a", Node: n, Burst: 1, Period: 50 * time.Millisecond, Start: second})
			}
			r := play(t, sim.Scenario{
				Seed: 1, Nodes: c.nodes, Duration: long + 30*second, Flush: 20 * time.Millisecond,
				Policy:  node.Policy{Limit: rate, Window: second, Burst: burst, OnIsolation: node.IsolationShare},
				Link:    sim.Link{DelayMin: time.Millisecond, DelayMax: 3 * time.Millisecond},
				Streams: streams, Faults: c.faults,
			})
			const detect = 3 + 1.2
			flat := float64(c.nodes-1) * (burst + c.detections*rate*detect)
			t.Logf("E %.1f, flat bound %.1f", r.E, flat)
			if r.E > flat {
				t.Errorf("E is %.1f, over %.1f", r.E, flat)
			}
		})
	}
}
