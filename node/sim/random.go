package sim

import (
	"cmp"
	"fmt"
	"math/rand/v2"
	"time"

	"github.com/distributed-rate-limiter/distributed-rate-limiter/node"
)

// Random is the scenario of a seed: cluster, policy, load, network and faults drawn at
// random. Every third seed has other algorithms than GCRA, overrides or several limits.
func Random(seed uint64) Scenario {
	d := draw{rand.New(rand.NewPCG(seed, 0))} //nolint:gosec // repeatable on purpose
	if seed%windowedEvery == 0 {
		return d.windowed(seed)
	}
	sc := Scenario{
		Seed: seed, Nodes: 2 + d.upTo(3), Policy: d.policy(),
		Duration: d.between(5*time.Second, 25*time.Second),
		Flush:    d.pick(5, 20, 50, 50, 200),
		Link:     d.link(),
	}
	if d.one(2) {
		sc.Stagger = 200 * time.Millisecond
	}
	if d.one(10) {
		sc.Nodes = 5 + d.upTo(5)
	}
	if d.one(2) {
		sc.Skew = d.between(0, 30*time.Millisecond)
		sc.Drift = 1e-4 * d.r.Float64()
	}
	sc.Streams = d.streams(&sc)
	for range d.upTo(4) {
		sc.Faults = append(sc.Faults, d.fault(&sc))
	}
	if len(sc.Faults) == 0 && sc.Link.Loss == 0 {
		if s, some := Conforming(sc); some {
			sc.Streams = append(sc.Streams, s)
		}
	}
	return sc
}

// draw draws parts of scenarios.
type draw struct{ r *rand.Rand }

func (d draw) upTo(n int) int   { return d.r.IntN(n + 1) }
func (d draw) one(in int) bool  { return d.r.IntN(in) == 0 }
func (d draw) node(n int) []int { return []int{1 + d.r.IntN(n)} }
func (d draw) pick(ms ...int) time.Duration {
	return time.Duration(ms[d.r.IntN(len(ms))]) * time.Millisecond
}

func (d draw) between(lo, hi time.Duration) time.Duration {
	return lo + time.Duration(d.r.Int64N(int64(hi-lo)+1))
}

// policy draws rates from a few units an hour to thousands a second, and bursts from one
// unit to many windows' worth. So a full bucket drains now within one replicated window,
// now in a thousand of them.
func (d draw) policy() node.Policy {
	windows := []time.Duration{100 * time.Millisecond, time.Second, 7 * time.Second, time.Minute, 10 * time.Minute, time.Hour, 24 * time.Hour}
	p := node.Policy{Limit: 1 + d.r.Int64N(200), Window: windows[d.r.IntN(len(windows))]}
	switch d.r.IntN(4) {
	case 0:
		p.Burst = 1 + d.r.Int64N(10)
	case 1:
		p.Burst = p.Limit * (1 + d.r.Int64N(20))
	}
	if d.one(5) {
		p.OnIsolation = node.IsolationShare
	}
	if d.one(3) {
		p.MaxOvershoot = 0.01 + 0.5*d.r.Float64()
	}
	return p
}

func (d draw) link() Link {
	l := Link{DelayMin: d.pick(0, 1, 1, 5)}
	l.DelayMax = l.DelayMin + d.pick(0, 2, 5, 50)
	if d.one(3) {
		l.Loss = 0.3 * d.r.Float64() * d.r.Float64()
	}
	if d.one(4) {
		l.Duplicate = 0.2 * d.r.Float64()
	}
	l.Reorder = d.one(4)
	if d.one(8) {
		l.Bandwidth = 20_000 + d.r.Int64N(200_000)
	}
	return l
}

// streams are a few clients whose offered rates lie around and above the limit.
func (d draw) streams(sc *Scenario) []Stream {
	var out []Stream
	rate := float64(sc.Policy.Limit) / sc.Policy.Window.Seconds()
	burst := sc.Policy.Burst
	if burst == 0 {
		burst = sc.Policy.Limit
	}
	most := 60.0
	if d.one(4) {
		most = 1000 // many requests a message
	}
	for i := range 1 + d.upTo(2) {
		s := Stream{Client: fmt.Sprintf("c%d", i), Cost: 1}
		// Enough to empty the bucket within the run, and not too much to simulate.
		s.Rate = min(most, max(1, rate*(0.5+3*d.r.Float64())+float64(burst)/sc.Duration.Seconds()))
		if burst > 20 && d.one(3) {
			s.MaxCost = 1 + d.r.Int64N(max(1, burst/4))
		}
		if d.one(4) {
			s.Cancel = d.r.Float64() / 2
		}
		if d.one(4) {
			s.Node = 1 + d.r.IntN(sc.Nodes)
		}
		out = append(out, s)
	}
	if d.one(3) {
		out = append(out, Stream{Client: "c0", Burst: int(min(burst+2, 100)), Cost: max(1, burst/100), Start: d.between(0, sc.Duration/2), Period: d.between(time.Second, 10*time.Second)})
	}
	return out
}

// Conforming is a client "good" that no node may deny while there are no faults and no
// message is lost: it keeps to the limit, with as much to spare as nodes may be behind and
// their clocks apart. It is false if the policy does not leave that much room.
func Conforming(sc Scenario) (Stream, bool) {
	p := sc.Policy
	burst := p.Burst
	if burst == 0 {
		burst = p.Limit
	}
	slack := cmp.Or(sc.Flush, defaultFlush) + sc.Link.DelayMax + 2*sc.Skew + time.Duration(1e-4*float64(2*sc.Duration)) + 20*time.Millisecond
	if sc.Link.Bandwidth > 0 {
		slack += time.Second
	}
	room := time.Duration(float64(burst-1) * float64(p.Window) / float64(p.Limit))
	if room <= slack {
		return Stream{}, false
	}
	rate := float64(p.Limit) / p.Window.Seconds()
	return Stream{Client: "good", Rate: min(60, 3*rate+1), Conforming: true, Slack: slack}, true
}

func (d draw) fault(sc *Scenario) Fault {
	f := Fault{At: d.between(0, sc.Duration), Nodes: d.node(sc.Nodes), For: d.between(100*time.Millisecond, 8*time.Second)}
	switch d.r.IntN(12) {
	case 0, 1:
		f.Kind = FaultPartition
		if sc.Nodes > 3 && d.one(2) {
			f.Nodes = append(f.Nodes, d.node(sc.Nodes)...)
		}
		if d.one(4) {
			f.For = d.between(10*time.Second, 100*time.Second)
		}
	case 2:
		f.Kind = FaultOneWay
	case 3:
		f.Kind, f.Value = FaultLoss, 0.9*d.r.Float64()
	case 4:
		f.Kind, f.Value = FaultSlow, 5+100*d.r.Float64()
	case 5, 6:
		f.Kind = FaultCrash
		if d.one(4) {
			f.For = 0
		}
	case 7:
		f.Kind = FaultLeave
	case 8:
		f.Kind = FaultJoin
	case 9:
		f.Kind, f.By = FaultClock, d.between(-100*time.Millisecond, 100*time.Millisecond)
	case 10:
		p := d.policy()
		f.Kind, f.Policy = FaultLimit, &p
	case 11:
		f.Kind, f.Client = FaultReset, "c0"
	}
	return f
}
