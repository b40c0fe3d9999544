package sim

import (
	"time"

	"github.com/distributed-rate-limiter/distributed-rate-limiter/node"
)

// partition pours into both sides of one.
func partition() adversary {
	return adversary{"during a partition", attacksPartition, 0.5, sweep(3, 400*ms, func(shift time.Duration) Scenario {
		sc := cluster(2, perSecond(100, 10), 50*ms, 3*ms, 14*time.Second)
		sc.Faults = []Fault{{At: time.Second, For: 8 * time.Second, Kind: FaultPartition, Nodes: []int{1}}}
		sc.Streams = []Stream{pour(time.Second+shift, 14*time.Second, 1, 5*ms), pour(time.Second+shift, 14*time.Second, 2, 5*ms)}
		return sc
	})}
}

// atTheHeal hits all nodes when a partition ends.
func atTheHeal() adversary {
	return adversary{"at the heal of a partition", attacksPartition, 0.5, sweep(6, 500*ms, func(shift time.Duration) Scenario {
		sc := cluster(4, perSecond(20, 100), 50*ms, 3*ms, 17*time.Second)
		sc.Faults = []Fault{{At: time.Second, For: 7 * time.Second, Kind: FaultPartition, Nodes: []int{1, 2}}}
		at := 8*time.Second - 500*ms + shift
		sc.Streams = []Stream{hit(at, 0, 120), pour(2*time.Second, at, 1, 40*ms), pour(2*time.Second, at, 3, 40*ms), hit(at+4*time.Second, 0, 20)}
		return sc
	})}
}

// longPartition outlasts two windows, so that some of it is never charged.
func longPartition() adversary {
	return adversary{"a partition longer than two windows", attacksPartition, 0.5, sweep(3, 6*time.Second, func(shift time.Duration) Scenario {
		sc := cluster(2, perSecond(10, 10), 50*ms, 3*ms, 75*time.Second)
		sc.Faults = []Fault{{At: time.Second + shift, For: 40 * time.Second, Kind: FaultPartition, Nodes: []int{1}}}
		sc.Streams = []Stream{pour(time.Second, 75*time.Second, 1, 50*ms), pour(time.Second, 75*time.Second, 2, 50*ms)}
		return sc
	})}
}

// partitionShared lasts until a silent node would long be forgotten; the limit is to
// be shared out meanwhile.
func partitionShared() adversary {
	return adversary{"a partition in which the limit is shared", attacksPartition, 0.5, sweep(2, 30*time.Second, func(shift time.Duration) Scenario {
		p := perSecond(20, 100)
		p.OnIsolation = node.IsolationShare
		sc := cluster(2, p, 50*ms, 3*ms, 80*time.Second)
		sc.Faults = []Fault{{At: time.Second, For: 20*time.Second + shift, Kind: FaultPartition, Nodes: []int{1}}}
		sc.Streams = []Stream{hit(1100*ms, 0, 120), pour(1100*ms, 80*time.Second, 0, 40*ms)}
		return sc
	})}
}

// crashBeforeTheFlush lets a node take with it what it had not told; when it is
// back, all are hit.
func crashBeforeTheFlush() adversary {
	return adversary{"a crash before the flush", attacksCrash, 0.5, sweep(5, 10*ms, func(shift time.Duration) Scenario {
		sc := cluster(3, node.Policy{Limit: 100, Window: 100 * time.Second}, 50*ms, 3*ms, 12*time.Second)
		at := time.Second + shift
		sc.Faults = []Fault{{At: at + ms, For: time.Second, Kind: FaultCrash, Nodes: []int{1}}}
		sc.Streams = []Stream{hit(at, 1, 120), hit(10*time.Second, 0, 120)}
		return sc
	})}
}

// joinEmpty hits a restarted node before it has heard of what it admitted itself, or
// as soon as it says that it is ready.
func joinEmpty() adversary {
	restarts := func(late bool) func(time.Duration) Scenario {
		return func(shift time.Duration) Scenario {
			sc := cluster(2, node.Policy{Limit: 100, Window: 100 * time.Second}, 50*ms, 3*ms, 14*time.Second)
			sc.Faults = []Fault{
				{At: 2 * time.Second, For: 100 * ms, Kind: FaultCrash, Nodes: []int{1}},
				{At: 4 * time.Second, For: 100 * ms, Kind: FaultLeave, Nodes: []int{1}},
			}
			sc.Streams = []Stream{hit(time.Second, 0, 120), hit(13*time.Second, 0, 120)}
			if late {
				sc.Streams = append(sc.Streams, hit(3*time.Second, 1, 120))
			} else {
				sc.Streams = append(sc.Streams, hit(2*time.Second+101*ms+shift, 1, 120), hit(4*time.Second+101*ms+shift, 1, 120))
			}
			return sc
		}
	}
	return adversary{"a restart with an empty state", attacksJoin, 0.5, append(sweep(6, 2*ms, restarts(false)), sweep(1, 0, restarts(true))...)}
}

// lateJoiner hits a new node before it has heard of anything.
func lateJoiner() adversary {
	return adversary{"a late joiner", attacksJoin, 0.5, sweep(6, 3*ms, func(shift time.Duration) Scenario {
		sc := cluster(2, node.Policy{Limit: 100, Window: 100 * time.Second}, 50*ms, 3*ms, 14*time.Second)
		sc.Faults = []Fault{{At: 3 * time.Second, Kind: FaultJoin}, {At: 5 * time.Second, Kind: FaultJoin}}
		sc.Streams = []Stream{
			hit(time.Second, 1, 120), hit(3*time.Second+ms+shift, 3, 120), hit(5*time.Second+ms+shift, 4, 120),
			hit(13*time.Second, 0, 20),
		}
		return sc
	})}
}

// clocksApart empties the bucket at a node that is behind and goes on at one that
// is ahead, for which more of it has drained.
func clocksApart() adversary {
	return adversary{"clocks apart", attacksSkew, 0.5, sweep(6, 170*ms, func(shift time.Duration) Scenario {
		sc := cluster(2, perSecond(20, 100), 5*ms, ms, 16*time.Second)
		sc.Clocks = []time.Duration{-450 * ms, 450 * ms}
		at := 11*time.Second + shift
		sc.Streams = []Stream{pour(time.Second, 16*time.Second, 1, 25*ms), pour(at, at+3*time.Second, 2, 10*ms)}
		return sc
	})}
}

// lastFlushLost loses what a node says last in a window, and hits another before or
// after that is repaired.
func lastFlushLost() adversary {
	return adversary{"the last flush of a window is lost", attacksLoss, 0.5, sweep(16, 400*ms, func(shift time.Duration) Scenario {
		sc := cluster(2, node.Policy{Limit: 150, Window: 15 * time.Second}, 50*ms, 3*ms, 20*time.Second)
		end := windowChange(sc.Policy)
		sc.Faults = []Fault{{At: end - 70*ms, For: 90 * ms, Kind: FaultOneWay, Nodes: []int{1}}}
		// A request now and then keeps the client's rows coming.
		sc.Streams = []Stream{hit(end-60*ms, 1, 200), pour(end, end+16*time.Second, 1, 300*ms), hit(end+100*ms+shift, 2, 200), hit(end+12*time.Second, 2, 20)}
		return sc
	})}
}

// staleByMoreThanAWindow has what a node admitted around a window change arrive when
// the window before it is folded everywhere: that is never charged, but what came
// after it is. The other node has just admitted a unit: a node that knew nothing of
// the client would take all of the row.
func staleByMoreThanAWindow() adversary {
	return adversary{"stale by a little more than a window", attacksLoss, 0.5, sweep(20, 10*ms, func(shift time.Duration) Scenario {
		p := node.Policy{Limit: 15, Window: 15 * time.Second, Burst: 100}
		sc := cluster(2, p, 200*ms, 15*time.Second, 90*time.Second)
		sc.Link.QuickStart = true
		end := windowChange(p) + 60*time.Second
		sc.Streams = []Stream{hit(end-5*ms, 1, 20), hit(end+shift, 1, 100), hit(end+15001*ms, 2, 1), hit(end+15300*ms, 2, 120), hit(end+16*time.Second, 2, 20)}
		return sc
	})}
}

// pauseInAWindow lets a client's bucket fill up and asks for more in the same
// replicated window, at another node and then at the first. The nodes started at
// different times, so they do not tidy up at the same.
func pauseInAWindow() adversary {
	return adversary{"a pause within a window", attacksConnected, 0.9, sweep(8, 1100*ms, func(shift time.Duration) Scenario {
		sc := cluster(1, perSecond(100, 100), 50*ms, 3*ms, 32*time.Second)
		sc.Faults = []Fault{{At: 500 * ms, Kind: FaultJoin}}
		begin := windowChange(sc.Policy) + 15*time.Second
		at := begin + 3*time.Second + shift
		sc.Streams = []Stream{hit(begin+500*ms, 1, 120), hit(at, 2, 120), hit(at+100*ms, 1, 120), hit(at+3*time.Second, 0, 120)}
		return sc
	})}
}
