package sim

import (
	"time"

	"github.com/distributed-rate-limiter/distributed-rate-limiter/node"
)

// allAtOnce spends the whole burst at every node before any hears of another, and
// what drains until they do.
func allAtOnce() adversary {
	return adversary{"all nodes at once", attacksConnected, 0.9, sweep(10, 5*ms, func(shift time.Duration) Scenario {
		sc := cluster(8, perSecond(100, 100), 50*ms, 3*ms, 2*time.Second)
		at := time.Second + shift
		sc.Streams = []Stream{hit(at, 0, 120), pour(at, at+60*ms, 0, ms)}
		return sc
	})}
}

// allAtOnceUrgently is the same where urgent cost is sent at once.
func allAtOnceUrgently() adversary {
	return adversary{"all nodes at once, flushed when urgent", attacksConnected, 0.9, sweep(3, 7*ms, func(shift time.Duration) Scenario {
		sc := cluster(8, perSecond(100, 100), 50*ms, 3*ms, 2*time.Second)
		sc.FixedFlush = false
		sc.Streams = []Stream{hit(time.Second+shift, 0, 120)}
		return sc
	})}
}

// allAtOnceAtAHighRate makes r·Δ the larger part of what a node may admit unheard.
func allAtOnceAtAHighRate() adversary {
	return adversary{"all nodes at once, little burst and much rate", attacksConnected, 0.9, sweep(10, 20*ms, func(shift time.Duration) Scenario {
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
func beforeEachFlush() adversary {
	return adversary{"a burst around each flush", attacksConnected, 0.9, sweep(8, ms, func(shift time.Duration) Scenario {
		sc := cluster(5, perSecond(400, 40), 50*ms, ms, 3*time.Second)
		sc.Streams = []Stream{{Client: victim, Burst: 45, Start: time.Second - 4*ms + shift, Period: 50 * ms}}
		return sc
	})}
}

// acrossTheWindowChange splits the attack between the last moments of a window and
// the first of the next.
func acrossTheWindowChange() adversary {
	return adversary{"across a window change", attacksConnected, 0.9, sweep(12, 8*ms, func(shift time.Duration) Scenario {
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
func acrossTheWindowChangeSkewed() adversary {
	p := perSecond(10, 100)
	end := windowChange(p)
	return adversary{"across a window change, clocks apart", attacksSkew, 0.5, append(
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
func narrowWindows() adversary {
	return adversary{"windows of a thousandth of what a bucket drains in", attacksConnected, 0.9, sweep(4, 20*time.Second, func(shift time.Duration) Scenario {
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
func staleByAlmostAWindow() adversary {
	return adversary{"stale by almost a window", attacksConnected, 0.9, sweep(4, 3*time.Second, func(shift time.Duration) Scenario {
		sc := cluster(3, perSecond(10, 10), 200*ms, 12*time.Second, 110*time.Second)
		at := 60*time.Second + shift
		sc.Streams = []Stream{hit(at, 0, 10), pour(at, at+40*time.Second, 0, 50*ms)}
		return sc
	})}
}
