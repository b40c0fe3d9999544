package sim

import (
	"math/rand/v2"
	"time"

	"github.com/distributed-rate-limiter/distributed-rate-limiter/node"
)

// victim is the client that correlated faults are aimed at.
const victim = "victim"

// Correlated is the scenario of a seed in which faults come together. Nodes are cut off from
// each other for 0.1 to 3 windows. Inside the cut and just after it nodes restart, leave and
// join, some under names that are in use, limits change, clients are reset and clocks step.
// The load bursts around these moments. In the end a client stays at one node for a while,
// and then bursts again.
func Correlated(seed uint64) Scenario {
	d := draw{rand.New(rand.NewPCG(seed, 1))} //nolint:gosec // repeatable on purpose
	crowd := d.one(12)
	sc := Scenario{
		Seed: seed, Nodes: 2 + d.upTo(3), Policy: d.held(crowd), Flush: d.pick(20, 50, 50, 200),
		Link: Link{DelayMin: time.Millisecond, DelayMax: 3 * time.Millisecond},
	}
	if d.one(4) {
		sc.Link = d.link()
	}
	if d.one(4) {
		sc.Skew = d.between(0, 300*time.Millisecond)
	}
	if d.one(2) {
		sc.Stagger = 200 * time.Millisecond
	}
	width := sc.width()
	at := d.between(time.Second, 5*time.Second)
	storms := 1
	if width <= 20*time.Second {
		storms += d.upTo(2)
	}
	for range storms {
		length := d.between(width/10, 3*width)
		sc.Faults = append(sc.Faults, d.cut(&sc, at, length))
		for range 1 + d.upTo(4) {
			sc.Faults = append(sc.Faults, d.during(&sc, at, length))
		}
		sc.Streams = append(sc.Streams, d.around(&sc, at, length)...)
		if crowd {
			n := 1000 + d.upTo(2000)
			sc.Streams = append(sc.Streams, Stream{Client: "crowd", Clients: n, Burst: n, Node: 1 + d.r.IntN(sc.Nodes), Start: d.moment(at, length)})
		}
		at += length + d.between(time.Second, width)
	}
	sc.Streams = append(sc.Streams, d.staying(&sc, at)...)
	if d.one(2) {
		limit := float64(sc.Policy.Limit) / sc.Policy.Window.Seconds()
		s := Stream{Client: victim, Rate: min(20, max(0.1, limit*(0.3+2*d.r.Float64()))), Stop: at}
		if d.one(3) {
			s.Cancel = d.r.Float64() / 2
		}
		sc.Streams = append(sc.Streams, s)
	}
	sc.Duration = at + d.between(width/2, 3*width)
	return sc
}

// width is how wide the default limit's replicated windows are.
func (sc *Scenario) width() time.Duration {
	y, err := newYardstick(sc.Policy)
	if err != nil {
		return widthOf(sc.Policy.Window) // Validate tells what is wrong
	}
	return time.Duration(y.width)
}

// held is a policy under which clients are held for long: what is lost shows. With a crowd
// of clients its windows are short, or the runs would take too long.
func (d draw) held(crowd bool) node.Policy {
	if d.one(3) {
		p := d.window()
		p.Window = min(p.Window, 20*time.Second)
		return p
	}
	windows := []time.Duration{time.Second, 15 * time.Second, 20 * time.Second, time.Minute, time.Hour}
	if crowd {
		windows = windows[:3]
	}
	p := node.Policy{Limit: 10 + d.r.Int64N(190), Window: windows[d.r.IntN(len(windows))]}
	if d.one(2) {
		p.Burst = 5 + d.r.Int64N(200)
	}
	if d.one(6) {
		p.OnIsolation = node.IsolationShare
	}
	return p
}

// cut is a fault that keeps some nodes from hearing others.
func (d draw) cut(sc *Scenario, at, length time.Duration) Fault {
	f := Fault{At: at, For: length, Kind: FaultPartition, Nodes: d.node(sc.Nodes)}
	switch d.r.IntN(8) {
	case 0:
		f.Kind = FaultOneWay
	case 1, 2:
		f.Against = []int{1 + f.Nodes[0]%sc.Nodes}
		if d.one(3) {
			f.Kind = FaultOneWay
		}
	case 3:
		f.Kind, f.Value, f.Nodes = FaultLoss, 0.5+0.499*d.r.Float64(), nil
		if d.one(2) {
			f.For = d.between(20*time.Millisecond, 200*time.Millisecond)
		}
	case 4:
		f.For = d.between(20*time.Millisecond, 2*time.Second)
	case 5:
		if sc.Nodes > 3 {
			f.Nodes = append(f.Nodes, 1+f.Nodes[0]%sc.Nodes)
		}
	}
	return f
}

// moment is a time inside a cut, close to one of its ends, or just after it.
func (d draw) moment(at, length time.Duration) time.Duration {
	const near = 300 * time.Millisecond
	switch d.r.IntN(5) {
	case 0:
		return at + d.between(-near, near)
	case 1:
		return at + length + d.between(-near, near)
	case 2:
		return at + length + d.between(0, 4*time.Second)
	}
	return at + d.between(0, length)
}

// during is one more fault in or around a cut.
func (d draw) during(sc *Scenario, at, length time.Duration) Fault {
	f := Fault{At: d.moment(at, length), Nodes: d.node(sc.Nodes)}
	switch d.r.IntN(12) {
	case 0, 1, 2, 3:
		f.Kind, f.For = FaultCrash, d.away(length)
	case 4, 5, 6:
		f.Kind, f.For = FaultLeave, d.away(length)
	case 7:
		f.Kind, f.Nodes = FaultJoin, nil
	case 8:
		f.Kind = FaultJoin // under the name of that node
	case 9:
		f.Kind, f.Client = FaultReset, victim
	case 10:
		p := sc.Policy
		p.Limit = 1 + d.r.Int64N(200)
		if p.Burst != 0 {
			p.Burst = 1 + d.r.Int64N(200)
		}
		if d.one(3) {
			p = d.other()
		}
		f.Kind, f.Policy = FaultLimit, &p
	case 11:
		f.Kind, f.By = FaultClock, d.between(-900*time.Millisecond, 900*time.Millisecond)
	}
	return f
}

// away is how long a node is gone: 0 for ever.
func (d draw) away(length time.Duration) time.Duration {
	switch d.r.IntN(6) {
	case 0:
		return 0
	case 1:
		return d.between(100*time.Millisecond, length)
	}
	return d.between(100*time.Millisecond, 3*time.Second)
}

// around are bursts of the victim before, inside and after a cut.
func (d draw) around(sc *Scenario, at, length time.Duration) []Stream {
	burst := max(sc.Policy.Burst, sc.Policy.Limit)
	var out []Stream
	for range 3 + d.upTo(4) {
		s := Stream{Client: victim, Start: d.moment(at, length), Burst: int(min(burst+2, 100)), Cost: max(1, burst/100)}
		if d.one(3) {
			s.Burst = 1 + d.upTo(10)
		}
		if !d.one(3) {
			s.Node = 1 + d.r.IntN(sc.Nodes)
		}
		out = append(out, s)
	}
	return out
}

// staying is a client that comes to one node again and again after the last cut, and bursts
// at another one in the end.
func (d draw) staying(sc *Scenario, from time.Duration) []Stream {
	n := 1 + d.r.IntN(sc.Nodes)
	burst := max(sc.Policy.Burst, sc.Policy.Limit)
	return []Stream{
		{Client: victim, Node: n, Burst: 1, Period: d.between(time.Second, 15*time.Second), Start: from},
		{
			Client: victim, Node: 1 + n%sc.Nodes, Burst: int(min(burst+2, 100)), Cost: max(1, burst/100),
			Start: from + d.between(0, sc.width()), Period: d.between(5*time.Second, 30*time.Second),
		},
	}
}
