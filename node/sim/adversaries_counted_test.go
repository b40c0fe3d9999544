package sim

import (
	"fmt"
	"time"

	"github.com/distributed-rate-limiter/distributed-rate-limiter/gcra"
	"github.com/distributed-rate-limiter/distributed-rate-limiter/node"
)

// windowAlgorithms are a limit of 100 in 5 s by each of them.
func windowAlgorithms() []node.Policy {
	const limit, length = 100, 5 * time.Second
	return []node.Policy{
		{Algorithm: node.FixedWindow, Limit: limit, Window: length},
		{Algorithm: node.SlidingWindow, Limit: limit, Window: length},
		{Algorithm: node.SlidingWindow, Limit: limit, Window: length, Resolution: 5},
	}
}

// eachWindow spends the whole limit at every node at once, in each window anew: fixed
// windows admit N times the limit in each. The others count on what was too much, so
// between two bursts they have to be left alone until that is over.
func eachWindow() []adversary {
	const nodes = 8
	var out []adversary
	for i, p := range windowAlgorithms() {
		pause := time.Duration(1 + min(i, 1)) // windows from one burst to the next
		if p.Algorithm == node.SlidingWindow && p.Resolution == 0 {
			pause = 3 // the estimate has the one before in it
		}
		out = append(out, adversary{fmt.Sprintf("%s, all nodes at once in each window", nameOfAlgorithm(p)), attacksConnected, 0.95, sweep(6, 7*ms, func(shift time.Duration) Scenario {
			sc := cluster(nodes, p, 50*ms, 3*ms, 4*pause*p.Window)
			sc.Streams = []Stream{{Client: victim, Burst: 110, Start: time.Second + shift, Period: pause * p.Window}}
			return sc
		})})
	}
	return out
}

func nameOfAlgorithm(p node.Policy) string {
	switch {
	case p.Algorithm == node.FixedWindow:
		return "fixed"
	case p.Resolution > 1:
		return "parts"
	}
	return "estimate"
}

// windowEdges spends the limit at a node whose clock is behind, just before a window or
// part of one ends there, and again at one whose clock is ahead, as soon as that counts
// for it no more.
func windowEdges() adversary {
	var runs []Scenario
	for _, p := range windowAlgorithms() {
		runs = append(runs, sweep(6, 5*ms, func(shift time.Duration) Scenario {
			sc := cluster(3, p, 20*ms, ms, 15*time.Second)
			sc.Clocks = []time.Duration{150 * ms, 0, -150 * ms}
			edge := p.Window - time.Duration((epoch+int64(warmup))%int64(p.Window))
			sc.Streams = []Stream{
				hit(edge+148*ms-shift, 3, 110), hit(edge+p.Window-148*ms+shift, 1, 110), hit(edge+p.Window+60*ms, 2, 110),
				pour(edge+p.Window+time.Second, 15*time.Second, 0, 20*ms),
			}
			return sc
		})...)
	}
	return adversary{"windows, at their edges, clocks apart", attacksSkew, 0.9, runs}
}

// windowPartition pours into both sides of a partition, through several windows: each
// side has the limit in each.
func windowPartition() adversary {
	var runs []Scenario
	for _, p := range windowAlgorithms() {
		runs = append(runs, sweep(3, 400*ms, func(shift time.Duration) Scenario {
			sc := cluster(2, p, 50*ms, 3*ms, 25*time.Second)
			sc.Faults = []Fault{{At: time.Second, For: 14 * time.Second, Kind: FaultPartition, Nodes: []int{1}}}
			sc.Streams = []Stream{pour(time.Second+shift, 25*time.Second, 0, 10*ms)}
			return sc
		})...)
	}
	return adversary{"windows, during a partition", attacksPartition, 0.9, runs}
}

// windowCrash lets a node take with it what it had not told, in the same window in which
// it is hit again when it is back.
func windowCrash() adversary {
	var runs []Scenario
	for _, p := range windowAlgorithms() {
		p.Window = time.Minute
		runs = append(runs, sweep(3, 10*ms, func(shift time.Duration) Scenario {
			sc := cluster(3, p, 50*ms, 3*ms, 12*time.Second)
			at := time.Second + shift
			sc.Faults = []Fault{{At: at + ms, For: time.Second, Kind: FaultCrash, Nodes: []int{1}}}
			sc.Streams = []Stream{hit(at, 1, 110), hit(10*time.Second, 0, 110)}
			return sc
		})...)
	}
	return adversary{"windows, a crash before the flush", attacksCrash, 0.9, runs}
}

// windowChanges goes from every way to count to every other under load, told to a node
// that is cut off, or to one that is not.
func windowChanges() adversary {
	policies := append(windowAlgorithms(),
		perSecond(20, 100),
		node.Policy{Algorithm: node.FixedWindow, Limit: 60, Calendar: gcra.Minute},
		node.Policy{Algorithm: node.FixedWindow, Limit: 40, Window: 5 * time.Second},
		node.Policy{Algorithm: node.SlidingWindow, Limit: 150, Window: 5 * time.Second},
		node.Policy{Algorithm: node.SlidingWindow, Limit: 100, Window: 5 * time.Second, Resolution: 3},
	)
	var runs []Scenario
	for i, from := range policies {
		for j := range policies {
			if i == j {
				continue
			}
			runs = append(runs, sweep(2, 30*ms, func(shift time.Duration) Scenario {
				sc := cluster(3, from, 50*ms, 3*ms, 9*time.Second)
				at := 2*time.Second + changeLead
				sc.Faults = []Fault{
					{At: 2 * time.Second, Kind: FaultLimit, Nodes: []int{1 + (i+j)%3}, Policy: &policies[j]},
					{At: 2*time.Second + 10*ms, For: 10*shift + ms, Kind: FaultPartition, Nodes: []int{3}},
				}
				sc.Streams = []Stream{
					hit(time.Second, 1, 50), hit(at-20*ms, 2, 20), hit(at+200*ms, 1, 20), hit(at+time.Second, 0, 160), hit(at+5*time.Second, 0, 160),
				}
				return sc
			})...)
		}
	}
	return adversary{"windows, a limit that changes how it counts", attacksChange, 0.5, runs}
}

// lateRefundThenBoth has a client refunded while another node does not hear of it, and finds the bucket
// empty. Once it hears, a burst at both nodes at once comes on top.
func lateRefundThenBoth() adversary {
	return adversary{"a refund that is heard late, then all nodes at once", attacksRefund, 0.9, sweep(16, 10*ms, func(shift time.Duration) Scenario {
		sc := cluster(2, perSecond(10, 100), 50*ms, 3*ms, 14*time.Second)
		begin := windowChange(sc.Policy) + 100*ms // all is in one window
		sc.Faults = []Fault{
			{At: begin + 200*ms, For: 6 * time.Second, Kind: FaultOneWay, Nodes: []int{1}},
			{At: begin + 300*ms, Kind: FaultRefund, Nodes: []int{1}, Client: victim, Value: 50},
		}
		sc.Streams = []Stream{
			{Client: victim, Node: 1, Burst: 1, Cost: 50, Start: begin}, hit(begin+5200*ms+shift, 2, 110), hit(begin+9*time.Second, 0, 110),
		}
		return sc
	})}
}

// lateRefund has a reservation settled while others do not hear of it, and another node
// find the bucket empty with it: that raises the origin by what is not there any more.
func lateRefund() adversary {
	return adversary{"a refund that is heard late", attacksRefund, 0.9, sweep(16, 10*ms, func(shift time.Duration) Scenario {
		sc := cluster(2, perSecond(10, 100), 50*ms, 3*ms, 17*time.Second)
		begin := windowChange(sc.Policy) + 100*ms                            // all is in one window
		sc.Clocks = []time.Duration{ms}                                      // so that only the pointwise bound is stated
		sc.Limits = []Limit{{Name: "second", Policy: windowAlgorithms()[0]}} // and by the oracle of windows
		sc.Faults = []Fault{{At: begin + 100*ms, For: 6 * time.Second, Kind: FaultOneWay, Nodes: []int{1}}}
		sc.Streams = []Stream{
			{Client: victim, Node: 1, Burst: 1, Cost: 50, Start: begin, Cancel: 0.999},
			hit(begin+5200*ms+shift, 2, 110), hit(begin+9*time.Second, 2, 110),
		}
		return sc
	})}
}
