package sim

import (
	"fmt"
	"time"

	"github.com/distributed-rate-limiter/distributed-rate-limiter/node"
)

// Adversary is a hand-made attack on one term of the documented bound: a few
// schedules that differ in their timing, of which the best should come close to it.
// A bound that no schedule comes close to may hide a mistake as large as the rest.
type Adversary struct {
	Name    string
	Attacks string // the term
	// Floor is the share of the bound that the best schedule has to reach: of the
	// oracle's pointwise bound, and of the documented one if there is one.
	Floor float64
	Runs  []Scenario
}

// What the adversaries attack.
const (
	attacksConnected = "connected"
	attacksPartition = "partition"
	attacksCrash     = "crash"
	attacksJoin      = "join"
	attacksSkew      = "skew"
	attacksLoss      = "loss"
	attacksChange    = "limit change"
	attacksReset     = "reset"
	attacksRefund    = "refund"
)

const ms = time.Millisecond

// Adversaries lists them all. Their scenarios are always the same.
func Adversaries() []Adversary {
	return append([]Adversary{
		allAtOnce(), allAtOnceUrgently(), allAtOnceAtAHighRate(), beforeEachFlush(),
		acrossTheWindowChange(), acrossTheWindowChangeSkewed(), narrowWindows(), staleByAlmostAWindow(),
		partition(), atTheHeal(), longPartition(), partitionShared(),
		crashBeforeTheFlush(), joinEmpty(), lateJoiner(),
		clocksApart(), lastFlushLost(), staleByMoreThanAWindow(), lossy(), pauseInAWindow(),
		limitChange(), lateOldDelta(), resetUnderLoad(), resetAfterChange(), fullTable(),
		windowEdges(), windowPartition(), windowCrash(), windowChanges(), lateRefund(),
	}, eachWindow()...)
}

// perSecond is rate units a second, and a burst.
func perSecond(rate, burst int64) node.Policy {
	return node.Policy{Limit: rate, Window: time.Second, Burst: burst}
}

// victim is the client that all adversaries use.
const victim = "victim"

// hit sends n requests to a node at once, or to each node.
func hit(at time.Duration, nodeNumber, n int) Stream {
	return Stream{Client: victim, Node: nodeNumber, Burst: n, Start: at}
}

// pour sends a request to a node every so often, or to each node.
func pour(from, to time.Duration, nodeNumber int, every time.Duration) Stream {
	return Stream{Client: victim, Node: nodeNumber, Burst: 1, Period: every, Start: from, Stop: to}
}

// sweep makes one scenario for each delay of an attack from 0 on.
func sweep(runs int, step time.Duration, attack func(shift time.Duration) Scenario) []Scenario {
	var out []Scenario
	for i := range runs {
		sc := attack(time.Duration(i) * step)
		sc.Seed = uint64(i) //nolint:gosec // small
		out = append(out, sc)
	}
	return out
}

// windowChange is when the first window ends after the load began.
func windowChange(p node.Policy) time.Duration {
	width := int64(widthOf(p.Window))
	return time.Duration(width - (epoch+int64(warmup))%width)
}

// cluster is n nodes on a network with a constant delay, whose flushes are not
// hastened, so that an attack can rely on how stale they are.
func cluster(n int, p node.Policy, flush, delay, duration time.Duration) Scenario {
	return Scenario{Nodes: n, Policy: p, Flush: flush, FixedFlush: true, Link: Link{DelayMin: delay, DelayMax: delay}, Duration: duration}
}

// allAtOnce spends the whole burst at every node before any hears of another, and
// what drains until they do.
func allAtOnce() Adversary {
	return Adversary{"all nodes at once", attacksConnected, 0.9, sweep(10, 5*ms, func(shift time.Duration) Scenario {
		sc := cluster(8, perSecond(100, 100), 50*ms, 3*ms, 2*time.Second)
		at := time.Second + shift
		sc.Streams = []Stream{hit(at, 0, 120), pour(at, at+60*ms, 0, ms)}
		return sc
	})}
}

// allAtOnceUrgently is the same where urgent cost is sent at once.
func allAtOnceUrgently() Adversary {
	return Adversary{"all nodes at once, flushed when urgent", attacksConnected, 0.9, sweep(3, 7*ms, func(shift time.Duration) Scenario {
		sc := cluster(8, perSecond(100, 100), 50*ms, 3*ms, 2*time.Second)
		sc.FixedFlush = false
		sc.Streams = []Stream{hit(time.Second+shift, 0, 120)}
		return sc
	})}
}

// allAtOnceAtAHighRate makes r·Δ the larger part of what a node may admit unheard.
func allAtOnceAtAHighRate() Adversary {
	return Adversary{"all nodes at once, little burst and much rate", attacksConnected, 0.9, sweep(10, 20*ms, func(shift time.Duration) Scenario {
		sc := cluster(4, perSecond(1000, 20), 200*ms, 5*ms, 2*time.Second)
		at := time.Second + shift
		sc.Streams = []Stream{hit(at, 0, 30), pour(at, at+220*ms, 0, ms)}
		for i := range 4 { // twice the rate that drains, at each
			sc.Streams = append(sc.Streams, pour(at, at+220*ms, i+1, ms))
		}
		return sc
	})}
}

// beforeEachFlush sends what drained since the last flush to all nodes at once, just
// before or after they flush, again and again.
func beforeEachFlush() Adversary {
	return Adversary{"a burst around each flush", attacksConnected, 0.9, sweep(8, ms, func(shift time.Duration) Scenario {
		sc := cluster(5, perSecond(400, 40), 50*ms, ms, 3*time.Second)
		sc.Streams = []Stream{{Client: victim, Burst: 45, Start: time.Second - 4*ms + shift, Period: 50 * ms}}
		return sc
	})}
}

// acrossTheWindowChange splits the attack between the last moments of a window and
// the first of the next.
func acrossTheWindowChange() Adversary {
	return Adversary{"across a window change", attacksConnected, 0.9, sweep(12, 8*ms, func(shift time.Duration) Scenario {
		sc := cluster(6, perSecond(100, 100), 50*ms, 3*ms, 7*time.Second)
		at := windowChange(sc.Policy) - 48*ms + shift
		for i := range sc.Nodes {
			begin := at + time.Duration(i)*8*ms
			sc.Streams = append(sc.Streams, hit(begin, i+1, 120), pour(begin, begin+60*ms, i+1, ms))
		}
		// Again, when all know all: nothing may be left.
		sc.Streams = append(sc.Streams, hit(at+500*ms, 0, 10), hit(at+time.Second, 0, 10))
		return sc
	})}
}

// acrossTheWindowChangeSkewed uses nodes whose clocks do not agree on the window.
func acrossTheWindowChangeSkewed() Adversary {
	p := perSecond(10, 100)
	end := windowChange(p)
	return Adversary{"across a window change, clocks apart", attacksSkew, 0.5, append(
		// The one that is ahead fills a window that the other is not in yet.
		sweep(8, 200*ms, func(shift time.Duration) Scenario {
			sc := cluster(2, p, 20*ms, ms, 9*time.Second)
			sc.Clocks = []time.Duration{450 * ms, -450 * ms}
			at := end - 900*ms + shift
			sc.Streams = []Stream{
				hit(at, 1, 100), hit(at+100*ms, 2, 120), hit(at+300*ms, 1, 20), hit(at+950*ms, 2, 20),
				hit(at+3*time.Second, 2, 40), hit(at+3100*ms, 1, 40),
			}
			return sc
		}),
		// The one that is behind empties the bucket, and the other goes on in the next
		// window.
		sweep(8, 200*ms, func(shift time.Duration) Scenario {
			sc := cluster(2, perSecond(10, 20), 20*ms, ms, 9*time.Second)
			sc.Clocks = []time.Duration{-450 * ms, 450 * ms}
			at := end - 900*ms + shift
			sc.Streams = []Stream{pour(500*ms, 9*time.Second, 1, 40*ms), pour(at, at+time.Second, 2, 10*ms)}
			return sc
		})...,
	)}
}

// narrowWindows has a bucket that drains in twelve hundred windows, and lets some
// pass before and after it is empty.
func narrowWindows() Adversary {
	return Adversary{"windows of a thousandth of what a bucket drains in", attacksConnected, 0.9, sweep(4, 20*time.Second, func(shift time.Duration) Scenario {
		p := node.Policy{Limit: 100, Window: time.Hour, Burst: 2000}
		sc := cluster(3, p, 50*ms, 3*ms, 330*time.Second)
		if shift > 0 {
			sc.Streams = []Stream{hit(time.Second+shift, 1, 600), hit(70*time.Second+shift, 2, 300)}
		}
		sc.Streams = append(sc.Streams,
			hit(140*time.Second+shift, 0, 2000),
			hit(150*time.Second+shift, 0, 5), hit(200*time.Second+shift, 0, 5), hit(240*time.Second+shift, 0, 2000),
		)
		return sc
	})}
}

// staleByAlmostAWindow has a network so slow that what a node hears is from the
// window before.
func staleByAlmostAWindow() Adversary {
	return Adversary{"stale by almost a window", attacksConnected, 0.9, sweep(4, 3*time.Second, func(shift time.Duration) Scenario {
		sc := cluster(3, perSecond(10, 10), 200*ms, 12*time.Second, 110*time.Second)
		at := 60*time.Second + shift
		sc.Streams = []Stream{hit(at, 0, 10), pour(at, at+40*time.Second, 0, 50*ms)}
		return sc
	})}
}

// partition pours into both sides of one.
func partition() Adversary {
	return Adversary{"during a partition", attacksPartition, 0.5, sweep(3, 400*ms, func(shift time.Duration) Scenario {
		sc := cluster(2, perSecond(100, 10), 50*ms, 3*ms, 14*time.Second)
		sc.Faults = []Fault{{At: time.Second, For: 8 * time.Second, Kind: FaultPartition, Nodes: []int{1}}}
		sc.Streams = []Stream{pour(time.Second+shift, 14*time.Second, 1, 5*ms), pour(time.Second+shift, 14*time.Second, 2, 5*ms)}
		return sc
	})}
}

// atTheHeal hits all nodes when a partition ends.
func atTheHeal() Adversary {
	return Adversary{"at the heal of a partition", attacksPartition, 0.5, sweep(6, 500*ms, func(shift time.Duration) Scenario {
		sc := cluster(4, perSecond(20, 100), 50*ms, 3*ms, 17*time.Second)
		sc.Faults = []Fault{{At: time.Second, For: 7 * time.Second, Kind: FaultPartition, Nodes: []int{1, 2}}}
		at := 8*time.Second - 500*ms + shift
		sc.Streams = []Stream{hit(at, 0, 120), pour(2*time.Second, at, 1, 40*ms), pour(2*time.Second, at, 3, 40*ms), hit(at+4*time.Second, 0, 20)}
		return sc
	})}
}

// longPartition outlasts two windows, so that some of it is never charged.
func longPartition() Adversary {
	return Adversary{"a partition longer than two windows", attacksPartition, 0.5, sweep(3, 6*time.Second, func(shift time.Duration) Scenario {
		sc := cluster(2, perSecond(10, 10), 50*ms, 3*ms, 75*time.Second)
		sc.Faults = []Fault{{At: time.Second + shift, For: 40 * time.Second, Kind: FaultPartition, Nodes: []int{1}}}
		sc.Streams = []Stream{pour(time.Second, 75*time.Second, 1, 50*ms), pour(time.Second, 75*time.Second, 2, 50*ms)}
		return sc
	})}
}

// partitionShared lasts until a silent node would long be forgotten; the limit is to
// be shared out meanwhile.
func partitionShared() Adversary {
	return Adversary{"a partition in which the limit is shared", attacksPartition, 0.5, sweep(2, 30*time.Second, func(shift time.Duration) Scenario {
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
func crashBeforeTheFlush() Adversary {
	return Adversary{"a crash before the flush", attacksCrash, 0.5, sweep(5, 10*ms, func(shift time.Duration) Scenario {
		sc := cluster(3, node.Policy{Limit: 100, Window: 100 * time.Second}, 50*ms, 3*ms, 12*time.Second)
		at := time.Second + shift
		sc.Faults = []Fault{{At: at + ms, For: time.Second, Kind: FaultCrash, Nodes: []int{1}}}
		sc.Streams = []Stream{hit(at, 1, 120), hit(10*time.Second, 0, 120)}
		return sc
	})}
}

// joinEmpty hits a restarted node before it has heard of what it admitted itself, or
// as soon as it says that it is ready.
func joinEmpty() Adversary {
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
	return Adversary{"a restart with an empty state", attacksJoin, 0.5, append(sweep(6, 2*ms, restarts(false)), sweep(1, 0, restarts(true))...)}
}

// lateJoiner hits a new node before it has heard of anything.
func lateJoiner() Adversary {
	return Adversary{"a late joiner", attacksJoin, 0.5, sweep(6, 3*ms, func(shift time.Duration) Scenario {
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
func clocksApart() Adversary {
	return Adversary{"clocks apart", attacksSkew, 0.5, sweep(6, 170*ms, func(shift time.Duration) Scenario {
		sc := cluster(2, perSecond(20, 100), 5*ms, ms, 16*time.Second)
		sc.Clocks = []time.Duration{-450 * ms, 450 * ms}
		at := 11*time.Second + shift
		sc.Streams = []Stream{pour(time.Second, 16*time.Second, 1, 25*ms), pour(at, at+3*time.Second, 2, 10*ms)}
		return sc
	})}
}

// lastFlushLost loses what a node says last in a window, and hits another before or
// after that is repaired.
func lastFlushLost() Adversary {
	return Adversary{"the last flush of a window is lost", attacksLoss, 0.5, sweep(16, 400*ms, func(shift time.Duration) Scenario {
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
// after it is.
func staleByMoreThanAWindow() Adversary {
	return Adversary{"stale by a little more than a window", attacksLoss, 0.5, sweep(20, 10*ms, func(shift time.Duration) Scenario {
		p := node.Policy{Limit: 15, Window: 15 * time.Second, Burst: 100}
		sc := cluster(2, p, 200*ms, 14900*ms, 90*time.Second)
		end := windowChange(p) + 60*time.Second
		sc.Streams = []Stream{hit(end-5*ms, 1, 20), hit(end+shift, 1, 100), hit(end+15300*ms, 2, 120), hit(end+16*time.Second, 2, 20)}
		return sc
	})}
}

// pauseInAWindow lets a client's bucket fill up and asks for more in the same
// replicated window, at another node and then at the first. The nodes started at
// different times, so they do not tidy up at the same.
func pauseInAWindow() Adversary {
	return Adversary{"a pause within a window", attacksConnected, 0.9, sweep(8, 1100*ms, func(shift time.Duration) Scenario {
		sc := cluster(1, perSecond(100, 100), 50*ms, 3*ms, 32*time.Second)
		sc.Faults = []Fault{{At: 500 * ms, Kind: FaultJoin}}
		begin := windowChange(sc.Policy) + 15*time.Second
		at := begin + 3*time.Second + shift
		sc.Streams = []Stream{hit(begin+500*ms, 1, 120), hit(at, 2, 120), hit(at+100*ms, 1, 120), hit(at+3*time.Second, 0, 120)}
		return sc
	})}
}

// lossy hits all nodes at once, over a network that loses a fifth.
func lossy() Adversary {
	return Adversary{"all nodes at once, a fifth of all messages lost", attacksLoss, 0.5, sweep(6, 9*ms, func(shift time.Duration) Scenario {
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
func limitChange() Adversary {
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
	return Adversary{"a limit that changes under load", attacksChange, 0.5, runs}
}

// lateOldDelta keeps what a node admitted before a change from the others until
// after it.
func lateOldDelta() Adversary {
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
	return Adversary{"old deltas after a limit changed", attacksChange, 0.5, runs}
}

// resetUnderLoad gives a client its burst back while all nodes are hit, and while
// messages of its life before are under way.
func resetUnderLoad() Adversary {
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
	return Adversary{"a reset under load", attacksReset, 0.5, append(runs, sweep(4, 10*ms, func(shift time.Duration) Scenario {
		sc := cluster(3, p, 10*ms, 50*ms, 14*time.Second)
		sc.Faults = []Fault{{At: 3 * time.Second, Kind: FaultReset, Nodes: []int{1}, Client: victim}}
		sc.Streams = []Stream{hit(2960*ms+shift, 3, 60), hit(5*time.Second, 2, 120), hit(8*time.Second, 0, 120)}
		return sc
	})...)}
}

// resetAfterChange changes a limit and resets a client while a node does not hear,
// and hits that node when it hears again.
func resetAfterChange() Adversary {
	return Adversary{"a reset after a change that a node missed", attacksReset, 0.5, sweep(4, 500*ms, func(shift time.Duration) Scenario {
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
func fullTable() Adversary {
	return Adversary{"a full table", attacksConnected, 0.9, sweep(4, 13*ms, func(shift time.Duration) Scenario {
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
