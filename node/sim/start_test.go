package sim

import (
	"flag"
	"math/rand/v2"
	"strconv"
	"testing"
	"time"

	"github.com/distributed-rate-limiter/distributed-rate-limiter/node"
)

// starting is a cluster in which nodes start while clients keep to four fifths of their
// limit: one after a crash or a bye, a new one, one after the other, or all at once.
func starting(seed uint64) Scenario {
	d := draw{rand.New(rand.NewPCG(seed, 9))} //nolint:gosec // repeatable on purpose
	policies := []node.Policy{perSecond(1000, 1000), perSecond(100, 200), {Limit: 100, Window: time.Minute}, {Limit: 60, Window: time.Hour, Burst: 120}}
	p := policies[d.r.IntN(len(policies))]
	sc := cluster(2+d.upTo(3), p, 50*ms, 50*ms, 40*time.Second)
	sc.Seed, sc.Link.DelayMin, sc.Stagger = seed, ms, 200*ms
	if d.one(2) {
		sc.Link.DelayMax = 3 * ms
	}
	if d.one(2) {
		sc.Link.Loss = 0.01
	}
	if p.Window >= time.Minute {
		sc.Duration = 150 * time.Second
	}
	clients := 1
	if d.one(4) {
		clients = 20
		if p.Window == time.Second {
			sc.Duration = 20 * time.Second
		}
	}
	burst := p.Burst
	if burst == 0 {
		burst = p.Limit
	}
	for i := range clients {
		sc.Streams = append(sc.Streams, Stream{
			Client: "good-" + string(rune('a'+i)), Rate: 0.8 * float64(p.Limit) / p.Window.Seconds(), Conforming: true,
			Slack: time.Duration(burst) * p.Window / time.Duration(5*p.Limit),
		})
	}
	at := d.between(0, sc.Duration*3/4)
	down := d.between(0, 3*time.Second)
	switch d.r.IntN(5) {
	case 0:
		sc.Faults = []Fault{{At: at, Kind: FaultCrash, Nodes: d.node(sc.Nodes), For: down + 1}}
	case 1:
		sc.Faults = []Fault{{At: at, Kind: FaultLeave, Nodes: d.node(sc.Nodes), For: down + 1}}
	case 2:
		sc.Faults = []Fault{{At: at, Kind: FaultJoin}}
	case 3:
		for i := range sc.Nodes {
			sc.Faults = append(sc.Faults, Fault{At: at + time.Duration(i)*(down+time.Second), Kind: FaultLeave, Nodes: []int{i + 1}, For: down + 1})
		}
	default:
		all := Fault{At: at, Kind: FaultCrash, For: down + 1}
		for i := range sc.Nodes {
			all.Nodes = append(all.Nodes, i+1)
		}
		sc.Faults = []Fault{all}
	}
	return sc
}

func TestAStartLocksNobodyOut(t *testing.T) {
	t.Parallel()
	const share = 40 // of the random seeds: these runs take longer
	random, err := strconv.Atoi(flag.Lookup("sim.seeds").Value.String())
	if err != nil {
		t.Fatal(err)
	}
	conforming := uint64(0)
	const least = 2                                                // the first is of a limit that admits two in all
	for seed := range uint64(max(least, (random+share-1)/share)) { //nolint:gosec // positive
		sc := starting(seed)
		r, err := Run(sc, nil)
		if err != nil {
			t.Fatal(err)
		}
		conforming += r.Conforming
		for _, v := range r.Violations {
			t.Errorf("seed %d, %d of %v, %v: %s", seed, sc.Nodes, sc.Policy, sc.Faults, v)
		}
	}
	if conforming < 1000 {
		t.Errorf("%d requests: too few to prove anything", conforming)
	}
}
