package sim

import (
	"fmt"
	"math"
	"math/rand/v2"
	"strings"
	"time"

	"github.com/distributed-rate-limiter/distributed-rate-limiter/node"
)

// Bounded is a scenario of a seed whose limit is bounded: a cluster under loads and faults that
// know how such limits work. They spend a client's rights at all nodes at one instant, and on both
// sides of a cut. They spend loans at their end and just after. They restart those who lent and
// those who borrowed.
func Bounded(seed uint64) Scenario {
	d := draw{rand.New(rand.NewPCG(seed, 3))} //nolint:gosec // repeatable on purpose
	nodes := 2 + d.upTo(3)
	if d.one(8) {
		nodes = 6 + d.upTo(2)
	}
	burst := 1 + d.r.Int64N(60)
	whole := !d.one(3) // shares are whole units, so that nothing is left over
	if whole {
		burst = int64(nodes) * (4 + d.r.Int64N(12))
	}
	depth := d.pick(200, 500, 1000, 2000, 2000, 4000, 8000)
	p := node.Policy{Limit: burst, Burst: burst, Window: depth, Consistency: node.Bounded}
	switch kind := d.r.IntN(4); {
	case kind == 0:
	case whole:
		p.MaxExcess = float64(nodes) * float64(1+d.r.IntN(4))
	case kind == 1:
		p.MaxExcess = float64(1 + d.r.Int64N(burst))
	default:
		p.MaxExcess = d.r.Float64() / 2
	}
	sc := Scenario{
		Seed: seed, Nodes: nodes, Policy: p, Flush: d.pick(5, 20, 50, 50, 200), Link: d.link(),
		// All accounts are full once the loans of the runs before are over.
		Duration: 2*d.loan(depth) + 3*depth + d.between(time.Second, 3*time.Second),
	}
	sc.Link.Bandwidth = 0
	if d.one(3) {
		sc.Link.Loss = 0.4 * d.r.Float64()
	}
	if d.one(3) {
		sc.Link.Duplicate = d.r.Float64() / 2
	}
	if d.one(6) { // messages that arrive when their loans are over
		sc.Link.Reorder, sc.Link.DelayMax, sc.Link.QuickStart = true, min(2*time.Second, 2*d.loan(depth)), true
	}
	if d.one(2) {
		sc.Skew, sc.Drift = d.between(0, 30*time.Millisecond), 1e-4*d.r.Float64()
	}
	rate := float64(p.Limit) / p.Window.Seconds()
	if d.one(3) {
		s := Stream{Client: "c0", Cost: 1, Rate: min(200, rate*(0.3+4*d.r.Float64()))}
		if burst > 3 && d.one(2) {
			s.MaxCost = 1 + d.r.Int64N(burst/2)
		}
		if d.one(4) {
			s.Cancel = d.r.Float64() / 2
		}
		sc.Streams = append(sc.Streams, s)
	}
	full := 2*d.loan(depth) + depth
	for range 1 + d.upTo(3) {
		d.press(&sc, full+d.between(0, sc.Duration-full), depth)
	}
	for range d.upTo(3) {
		sc.Faults = append(sc.Faults, d.boundedFault(&sc, depth))
	}
	if c := (draw{rand.New(rand.NewPCG(seed, 4))}); c.one(3) { //nolint:gosec // repeatable on purpose
		c.changeRoster(&sc, depth)
	}
	return sc
}

// changeRoster lets nodes join, and strikes some off, and tries to spend what they have at such times:
// before all know of it, while shares wait, and when they have changed.
func (d draw) changeRoster(sc *Scenario, depth time.Duration) {
	const soon = 8 * time.Second // nodes agree in two or three, and then wait for loans to end
	sc.Duration += soon
	hold := max(2*time.Second, d.loan(depth))
	number := sc.Nodes
	for range 1 + d.upTo(2) {
		f := Fault{At: d.between(0, sc.Duration-soon), Kind: FaultJoin}
		if kind := d.r.IntN(4); kind < 2 {
			number++
		} else {
			f.Kind, f.Nodes = FaultStrikeOff, []int{1 + d.r.IntN(number)}
			if kind == 3 {
				f.Kind = FaultRetire
			}
		}
		sc.Faults = append(sc.Faults, f)
		if f.Kind == FaultJoin && d.one(3) {
			sc.Faults = append(sc.Faults, Fault{At: f.At + d.between(0, soon), Kind: FaultCrash, Nodes: []int{1 + d.r.IntN(number)}, For: d.pick(1, 20, 200, 1000)})
		}
		burst := int(sc.Policy.Limit)
		for range 1 + d.upTo(2) {
			at := f.At + d.between(0, soon)
			if d.one(3) {
				at = f.At + hold + d.between(0, 2*time.Second)
			}
			sc.Streams = append(sc.Streams, Stream{Client: "c0", Cost: 1, Burst: burst + burst/2 + 1, Start: at})
		}
		if d.one(3) {
			cut := Fault{At: f.At + d.between(0, soon), Kind: FaultPartition, Nodes: []int{1 + d.r.IntN(number)}, For: d.between(time.Millisecond, soon)}
			sc.Faults = append(sc.Faults, cut)
		}
	}
}

// Quotas is Bounded with a fixed window instead of a bucket, of as many whole seconds as the bucket
// takes to drain.
func Quotas(seed uint64) Scenario {
	sc := Bounded(seed)
	p := &sc.Policy
	p.Algorithm, p.Window = node.FixedWindow, max(time.Second, p.Window.Round(time.Second))
	switch half := float64(p.Limit) / 2; {
	case p.MaxExcess >= 1:
		p.MaxExcess = math.Floor(min(p.MaxExcess, half))
	default:
		p.MaxExcess = min(p.MaxExcess, 0.5)
	}
	return sc
}

// loan is about how long a loan lasts, as rights.NewTerms has it.
func (d draw) loan(depth time.Duration) time.Duration {
	return min(max(depth/4, 200*time.Millisecond), 10*time.Second) * 1004 / 1000
}

// press adds a script that tries to spend a right twice, from at on.
func (d draw) press(sc *Scenario, at, depth time.Duration) {
	burst, loan := int(sc.Policy.Limit), d.loan(depth)
	hit := func(start time.Duration, number int) {
		sc.Streams = append(sc.Streams, Stream{Client: "c0", Cost: 1, Burst: burst + burst/2 + 1, Node: number, Start: max(0, start)})
	}
	fault := func(f Fault) { sc.Faults = append(sc.Faults, f) }
	one := d.node(sc.Nodes)
	soon := d.between(0, 4*sc.Link.DelayMin+20*time.Millisecond)
	switch d.r.IntN(7) {
	case 0: // everywhere at once, before anybody hears
		hit(at, 0)
	case 1: // borrow, spend at the end of the loan, and ask its lenders when it is back
		hit(at, one[0])
		hit(at+soon, one[0])
		hit(at+loan-d.pick(0, 1, 2, 5, 20), one[0])
		hit(at+loan+d.pick(0, 1, 2, 5), 0)
		hit(at+2*loan+d.pick(0, 1, 2, 5, 20), 0)
	case 2: // borrow, cut the borrower off, and spend on both sides
		hit(at, one[0])
		kind := FaultPartition
		if d.one(3) {
			kind = FaultOneWay
		}
		fault(Fault{At: at + soon, Kind: kind, Nodes: one, For: d.between(0, 3*depth) + 1})
		hit(at+soon+d.between(0, loan), 0)
		hit(at+soon+2*loan, 0)
	case 3: // restart lenders, and spend what they lent and what they have
		hit(at, one[0])
		for n := 1; n <= sc.Nodes; n++ {
			if n != one[0] {
				fault(Fault{At: at + soon, Kind: FaultCrash, Nodes: []int{n}, For: d.pick(1, 5, 50, 300)})
			}
		}
		hit(at+soon+1, one[0])
		hit(at+soon+d.between(0, loan), 0)
		hit(at+soon+loan+d.between(0, depth), 0)
	case 4: // spend, restart, and spend again
		hit(at, one[0])
		fault(Fault{At: at + soon, Kind: FaultCrash, Nodes: one, For: d.pick(1, 5, 50)})
		for i := range time.Duration(4) {
			hit(at+soon+60*time.Millisecond+i*loan/2, 0)
		}
	default: // cut everybody off, and spend everywhere
		for n := 1; n <= sc.Nodes; n++ {
			fault(Fault{At: at, Kind: FaultPartition, Nodes: []int{n}, For: depth + 1})
		}
		hit(at+1, 0)
		hit(at+d.between(0, depth), 0)
	}
}

// boundedFault draws a fault. A limit that changes is another matter: see docs/bounded.md.
func (d draw) boundedFault(sc *Scenario, depth time.Duration) Fault {
	f := Fault{At: d.between(0, sc.Duration), Nodes: d.node(sc.Nodes), For: d.between(time.Millisecond, 3*depth)}
	switch d.r.IntN(7) {
	case 0:
		f.Kind = FaultPartition
		if sc.Nodes > 2 && d.one(2) { // one link
			f.Against = []int{1 + f.Nodes[0]%sc.Nodes}
		}
	case 1:
		f.Kind = FaultOneWay
	case 2:
		f.Kind, f.Value = FaultLoss, 0.9*d.r.Float64()
	case 3:
		f.Kind, f.Value = FaultSlow, 5+100*d.r.Float64()
	case 4:
		f.Kind, f.For = FaultCrash, d.pick(1, 20, 200, 1000)
	case 5:
		f.Kind, f.For = FaultLeave, d.pick(1, 20, 200, 1000)
	default:
		f.Kind, f.By = FaultClock, d.between(-depth/10, depth/10)
	}
	return f
}

// roster names the nodes that run from the start, if some limit needs that: all of them list these.
func (sc *Scenario) roster() (names []string) {
	for p := range sc.policies() {
		if p.Consistency == node.Bounded && names == nil {
			for i := range sc.Nodes {
				names = append(names, fmt.Sprintf("n%d", i+1))
			}
		}
	}
	return names
}

// ranBefore is what the state directories of these nodes have kept of the roster: their cluster ran
// before.
func (sc *Scenario) ranBefore() []byte {
	names := sc.roster()
	if names == nil {
		return nil
	}
	list := `["` + strings.Join(names, `","`) + `"]`
	return []byte(`{"version":1,"configured":` + list + `,"members":` + list + `,"opened":true}`)
}

// capped judges by the cap of a bounded limit, whatever the node that admits could know. The
// simulator's nodes have a true monotonic clock, so clocks add nothing to it.
func (o *oracle) capped(a *account, now *charge) excess {
	e := excess{over: -float64(a.yard.policy.Burst), bound: a.yard.policy.MaxExcess}
	if a.yard.gcra != nil {
		e.over += float64(a.yard.gcra.TAT(a.level)-now.at) * a.yard.rate()
	} else { // whoever admitted it says which window it is of
		for _, all := range a.charges {
			for _, c := range all {
				if c.part == now.part && a.counts(c) {
					e.over += float64(c.net())
				}
			}
		}
	}
	if e.bound < 1 {
		e.bound *= float64(a.yard.policy.Burst)
	}
	for _, debt := range a.debts {
		e.bound += float64(debt)
	}
	return e
}
