package sim

import (
	"fmt"
	"time"

	"github.com/distributed-rate-limiter/distributed-rate-limiter/node"
)

// lossy hits all nodes at once, over a network that loses a fifth.
func lossy() adversary {
	return adversary{"all nodes at once, a fifth of all messages lost", attacksLoss, 0.5, sweep(6, 9*ms, func(shift time.Duration) Scenario {
		sc := cluster(5, perSecond(100, 50), 50*ms, 3*ms, 6*time.Second)
		sc.Link.Loss = 0.2
		at := time.Second + shift
		sc.Streams = []Stream{hit(at, 0, 60), pour(at, 6*time.Second, 0, 20*ms)}
		return sc
	})}
}

// changes are what a limit of 100 a second may become.
func changes() []node.Policy {
	return []node.Policy{
		perSecond(200, 100), perSecond(10, 100), perSecond(100, 500), perSecond(100, 10),
		{Limit: 100, Window: 20 * time.Second},
		{Limit: 6000, Window: time.Minute, Burst: 100},
		perSecond(1000, 1000),
	}
}

// changeLead is how far ahead of the call a changed limit takes effect.
const changeLead = 250 * ms

// limitChange hits all nodes around the instant at which a limit changes.
func limitChange() adversary {
	var runs []Scenario
	for i, p := range changes() {
		runs = append(runs, sweep(3, 30*ms, func(shift time.Duration) Scenario {
			sc := cluster(3, perSecond(100, 100), 50*ms, 3*ms, 9*time.Second)
			at := 2*time.Second + changeLead
			sc.Faults = []Fault{{At: 2 * time.Second, Kind: FaultLimit, Nodes: []int{1 + i%3}, Policy: &p}}
			sc.Streams = []Stream{
				pour(time.Second, 9*time.Second, 0, 20*ms), hit(time.Second, 0, 80),
				hit(at-31*ms+shift, 0, 600), hit(at+time.Second, 0, 600), hit(at+4*time.Second, 0, 600),
			}
			return sc
		})...)
	}
	// A client that is idle at the change, and comes back to each node at another time.
	runs = append(runs, sweep(4, 400*ms, func(shift time.Duration) Scenario {
		sc := cluster(3, perSecond(100, 100), 50*ms, 3*ms, 9*time.Second)
		p := perSecond(1, 100)
		sc.Faults = []Fault{{At: 2 * time.Second, Kind: FaultLimit, Nodes: []int{2}, Policy: &p}}
		sc.Streams = []Stream{hit(2200*ms, 1, 100), hit(2500*ms+shift, 3, 1), hit(3500*ms+shift, 2, 120), hit(7*time.Second, 0, 120)}
		return sc
	})...)
	return adversary{"a limit that changes under load", attacksChange, 0.5, runs}
}

// lateOldDelta keeps what a node admitted before a change from the others until
// after it.
func lateOldDelta() adversary {
	var runs []Scenario
	for _, p := range changes() {
		for _, kind := range []FaultKind{FaultOneWay, FaultPartition} {
			runs = append(runs, sweep(2, 800*ms, func(shift time.Duration) Scenario {
				sc := cluster(3, node.Policy{Limit: 100, Window: 10 * time.Second}, 50*ms, 3*ms, 14*time.Second)
				sc.Faults = []Fault{
					{At: 2 * time.Second, For: time.Second + shift, Kind: kind, Nodes: []int{3}},
					{At: 2*time.Second + 20*ms, Kind: FaultLimit, Nodes: []int{1}, Policy: &p},
				}
				sc.Streams = []Stream{
					hit(2*time.Second+10*ms, 3, 100), pour(2*time.Second, 4*time.Second, 3, 50*ms),
					hit(3*time.Second, 1, 30), hit(8*time.Second, 1, 1000), hit(10*time.Second, 0, 1000),
				}
				return sc
			})...)
		}
	}
	return adversary{"old deltas after a limit changed", attacksChange, 0.5, runs}
}

// resetUnderLoad gives a client its burst back while all nodes are hit, and while
// messages of its life before are under way.
func resetUnderLoad() adversary {
	p := node.Policy{Limit: 100, Window: 100 * time.Second}
	runs := sweep(8, 3*ms, func(shift time.Duration) Scenario {
		sc := cluster(4, p, 50*ms, 3*ms, 14*time.Second)
		sc.Faults = []Fault{{At: 3 * time.Second, Kind: FaultReset, Nodes: []int{2}, Client: victim}}
		sc.Streams = []Stream{
			hit(time.Second, 0, 120), pour(2900*ms, 3100*ms, 0, 7*ms),
			hit(3*time.Second-2*ms+shift, 0, 120), hit(6*time.Second, 0, 20), hit(12*time.Second, 0, 20),
		}
		return sc
	})
	return adversary{"a reset under load", attacksReset, 0.5, append(runs, sweep(4, 10*ms, func(shift time.Duration) Scenario {
		sc := cluster(3, p, 10*ms, 50*ms, 14*time.Second)
		sc.Faults = []Fault{{At: 3 * time.Second, Kind: FaultReset, Nodes: []int{1}, Client: victim}}
		sc.Streams = []Stream{hit(2960*ms+shift, 3, 60), hit(5*time.Second, 2, 120), hit(8*time.Second, 0, 120)}
		return sc
	})...)}
}

// resetAfterChange changes a limit and resets a client while a node does not hear,
// and hits that node when it hears again.
func resetAfterChange() adversary {
	return adversary{"a reset after a change that a node missed", attacksReset, 0.5, sweep(4, 500*ms, func(shift time.Duration) Scenario {
		sc := cluster(3, node.Policy{Limit: 60, Window: 100 * time.Second, Burst: 100}, 50*ms, 3*ms, 14*time.Second)
		p := node.Policy{Limit: 100, Window: 100 * time.Second}
		sc.Faults = []Fault{
			{At: time.Second, For: 2500 * ms, Kind: FaultPartition, Nodes: []int{3}},
			{At: 1500 * ms, Kind: FaultLimit, Nodes: []int{1}, Policy: &p},
			{At: 2 * time.Second, Kind: FaultReset, Nodes: []int{1}, Client: victim},
		}
		sc.Streams = []Stream{hit(500*ms, 3, 30), hit(2500*ms, 1, 120), hit(2500*ms, 2, 120), hit(10*time.Second+shift, 3, 120)}
		return sc
	})}
}

// fullTable fills the nodes' tables, and attacks a client that they hold.
func fullTable() adversary {
	return adversary{"a full table", attacksConnected, 0.9, sweep(4, 13*ms, func(shift time.Duration) Scenario {
		sc := cluster(3, perSecond(10, 100), 50*ms, 3*ms, 8*time.Second)
		sc.MaxClients = 5
		sc.Streams = []Stream{hit(time.Second, 1, 1)}
		for i := range 60 {
			sc.Streams = append(sc.Streams, Stream{Client: fmt.Sprintf("flood-%d", i), Burst: 30, Start: 1500 * ms, Period: time.Second})
		}
		at := 3*time.Second + shift
		sc.Streams = append(sc.Streams, hit(at, 0, 120), hit(at+time.Second, 0, 40), hit(at+3*time.Second, 0, 40))
		return sc
	})}
}
