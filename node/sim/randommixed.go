package sim

import (
	"fmt"
	"time"

	"github.com/distributed-rate-limiter/distributed-rate-limiter/gcra"
	"github.com/distributed-rate-limiter/distributed-rate-limiter/node"
)

// windowedEvery: one random scenario in so many has other algorithms than GCRA.
const windowedEvery = 3

// windowed is a random scenario with other algorithms than GCRA.
func (d draw) windowed(seed uint64) Scenario {
	sc := Scenario{
		Seed: seed, Nodes: 2 + d.upTo(3), Policy: d.window(),
		Duration: d.between(5*time.Second, 25*time.Second),
		Flush:    d.pick(5, 20, 50, 50, 200),
		Link:     d.link(),
	}
	if d.one(2) {
		sc.Stagger = 200 * time.Millisecond
	}
	if d.one(2) {
		sc.Skew = d.between(0, 30*time.Millisecond)
		sc.Drift = 1e-4 * d.r.Float64()
	}
	if d.one(4) {
		sc.Limits = []Limit{{Name: "second", Policy: d.other()}}
		if d.one(3) {
			sc.Limits = append(sc.Limits, Limit{Name: "third", Policy: d.other()})
		}
	}
	if d.one(4) {
		sc.Policy = d.overridden(sc.Policy)
	}
	sc.Streams = d.windowStreams(&sc)
	for range d.upTo(4) {
		f := d.fault(&sc)
		if f.Kind == FaultLimit {
			p := d.other()
			if d.one(3) { // the same windows, another limit
				p = sc.Policy
				p.Overrides, p.Limit, p.Burst = nil, 1+d.r.Int64N(200), 0
			}
			if d.one(4) {
				p = d.overridden(p)
			}
			f.Policy = &p
		}
		sc.Faults = append(sc.Faults, f)
	}
	if sc.windowed() { // or the draws came to plain GCRA after all
		for i := range sc.Faults {
			sc.Faults[i].For = min(sc.Faults[i].For, 8*time.Second)
		}
	}
	return sc
}

// window is a policy of a window algorithm.
func (d draw) window() node.Policy {
	lengths := []time.Duration{time.Second, time.Second, 2 * time.Second, 5 * time.Second, 10 * time.Second, time.Minute}
	p := node.Policy{Limit: 1 + d.r.Int64N(200), Window: lengths[d.r.IntN(len(lengths))]}
	switch d.r.IntN(5) {
	case 0, 1:
		p.Algorithm = node.FixedWindow
		if d.one(4) {
			p.Window, p.Calendar = 0, gcra.Minute
		}
	case 2:
		p.Algorithm = node.SlidingWindow
	default:
		p.Algorithm, p.Resolution = node.SlidingWindow, 1+d.r.IntN(12)
	}
	if d.one(3) {
		p.MaxOvershoot = 0.01 + 0.5*d.r.Float64()
	}
	return p
}

// other is a policy of any algorithm.
func (d draw) other() node.Policy {
	if d.one(4) {
		p := d.policy()
		p.OnIsolation, p.Window = node.IsolationKeep, max(p.Window, time.Second)
		return p
	}
	return d.window()
}

// overridden gives one client a limit of its own.
func (d draw) overridden(p node.Policy) node.Policy {
	o := node.Override{Clients: []string{"c1"}, Limit: 1 + d.r.Int64N(50)}
	if d.one(2) {
		o.Clients, o.Prefixes = nil, []string{"c1"}
	}
	if d.one(3) && p.Calendar == gcra.NoUnit {
		o.Window = 2 * time.Second
	}
	p.Overrides = []node.Override{o, {Clients: []string{"vip"}, Access: node.Unlimited}}
	return p
}

// lengthOf is how long a policy's window is.
func lengthOf(p *node.Policy) time.Duration {
	if p.Calendar == gcra.Minute {
		return time.Minute
	}
	return p.Window
}

// windowStreams are a few clients that ask for more than the limit, evenly or in
// bursts.
func (d draw) windowStreams(sc *Scenario) []Stream {
	var out []Stream
	limit, length := sc.Policy.Limit, lengthOf(&sc.Policy)
	rate := float64(limit) / min(length, sc.Duration).Seconds()
	for i := range 1 + d.upTo(2) {
		s := Stream{Client: fmt.Sprintf("c%d", i), Cost: 1, Rate: min(200, max(1, rate*(0.5+3*d.r.Float64())))}
		if limit > 20 && d.one(3) {
			s.MaxCost = 1 + d.r.Int64N(max(1, limit/4))
		}
		if d.one(3) {
			s.Cancel = d.r.Float64() / 2
		}
		if d.one(4) {
			s.Node = 1 + d.r.IntN(sc.Nodes)
		}
		for _, l := range sc.Limits {
			if d.one(2) {
				s.Also = append(s.Also, l.Name)
			}
		}
		out = append(out, s)
	}
	if d.one(2) {
		out = append(out, Stream{
			Client: "c0", Burst: int(min(limit+2, 100)), Cost: max(1, limit/100), Start: d.between(0, sc.Duration/2),
			Period: d.between(300*time.Millisecond, 5*time.Second),
		})
	}
	if len(sc.Policy.Overrides) > 0 {
		out = append(out, Stream{Client: "vip", Rate: 20})
	}
	return out
}
