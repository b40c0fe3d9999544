package sim

import (
	"encoding/json"
	"flag"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/distributed-rate-limiter/distributed-rate-limiter/node"
)

// Whoever mends one schedule leaves its neighbours broken. So each schedule that broke a promise
// once is run again with other policies, times, kinds of fault, networks and loads, a few of them
// at a time, and has to keep every promise that all runs keep.
func TestVariantsOfTheAttacksKeepThePromises(t *testing.T) {
	files, err := filepath.Glob("testdata/bound/*.json")
	if err != nil || len(files) == 0 {
		t.Fatal(files, err)
	}
	const share = 200 // of the random seeds: these runs are 18 times as many, and take longer
	random, err := strconv.Atoi(flag.Lookup("sim.seeds").Value.String())
	if err != nil {
		t.Fatal(err)
	}
	for _, file := range files {
		text, err := os.ReadFile(file) //nolint:gosec // one of ours
		if err != nil {
			t.Fatal(err)
		}
		name := strings.TrimSuffix(filepath.Base(file), ".json")
		for k := range (random + share - 1) / share {
			t.Run(fmt.Sprint(name, "/", k), func(t *testing.T) {
				t.Parallel()
				var sc Scenario
				if err := json.Unmarshal(text, &sc); err != nil {
					t.Fatal(err)
				}
				sc = variant(name, uint64(k), sc) //nolint:gosec // not negative
				r, err := Run(sc, nil)
				if err != nil {
					t.Fatal(err)
				}
				if len(r.Violations) > 0 {
					text, _ := json.Marshal(sc)
					t.Errorf("%s\n%s", strings.Join(r.Violations, "\n"), text)
				}
			})
		}
	}
}

// variant is the k-th of a schedule.
func variant(name string, k uint64, sc Scenario) Scenario {
	seed := k << 32
	for _, c := range []byte(name) {
		seed = seed*31 + uint64(c)
	}
	d := draw{rand.New(rand.NewPCG(seed, 5))} //nolint:gosec // repeatable on purpose
	sc.Seed = seed
	change := []func(*Scenario){
		d.otherPolicy, d.otherPolicy, d.otherTimes, d.otherTimes, d.otherEnds, d.otherCuts, d.otherNetwork, d.otherNodes, d.otherLoad, d.oneFaultMore, d.oneFaultMore,
	}
	d.r.Shuffle(len(change), func(i, j int) { change[i], change[j] = change[j], change[i] })
	for _, f := range change[:2+d.upTo(3)] {
		f(&sc)
	}
	return sc
}

func (d draw) otherPolicy(sc *Scenario) {
	windows := []time.Duration{time.Second, 15 * time.Second, 20 * time.Second, time.Minute, time.Hour}
	p := sc.Policy
	switch d.r.IntN(5) {
	case 0:
		p = node.Policy{Algorithm: node.FixedWindow, Limit: p.Limit, Window: min(p.Window, time.Minute)}
	case 1:
		p = node.Policy{Algorithm: node.SlidingWindow, Limit: p.Limit, Window: min(p.Window, time.Minute), Resolution: d.upTo(6)}
	case 2:
		p.Window = windows[d.r.IntN(len(windows))]
	case 3:
		p.Burst = 1 + d.r.Int64N(200)
	case 4:
		p.OnIsolation = []node.OnIsolation{node.IsolationKeep, node.IsolationShare, node.IsolationClosed}[d.r.IntN(3)]
	}
	if p.Algorithm != node.GCRA {
		p.Burst, p.OnIsolation = 0, node.IsolationKeep
	}
	if p.Validate() == nil {
		sc.Policy = p
	}
}

// otherTimes stretches the schedule, or moves each of its moments a little.
func (d draw) otherTimes(sc *Scenario) {
	stretch := func(t time.Duration) time.Duration { return time.Duration(float64(t) * (0.8 + 0.4*d.r.Float64())) }
	if d.one(2) {
		by := 0.4 + 1.2*d.r.Float64()
		stretch = func(t time.Duration) time.Duration { return time.Duration(float64(t) * by) }
		sc.Duration = stretch(sc.Duration)
	}
	sc.Streams, sc.Faults = slices.Clone(sc.Streams), slices.Clone(sc.Faults)
	for i := range sc.Faults {
		f := &sc.Faults[i]
		f.At, f.For = stretch(f.At), stretch(f.For)
	}
	for i := range sc.Streams {
		s := &sc.Streams[i]
		s.Start, s.Stop = stretch(s.Start), stretch(s.Stop)
	}
}

// otherEnds lets nodes crash that left, and the other way round, and be gone for another while.
func (d draw) otherEnds(sc *Scenario) {
	sc.Faults = slices.Clone(sc.Faults)
	for i := range sc.Faults {
		f := &sc.Faults[i]
		switch {
		case f.Kind == FaultCrash:
			f.Kind = FaultLeave
		case f.Kind == FaultLeave && d.one(2):
			f.Kind = FaultCrash
		case f.Kind != FaultLeave:
			continue
		}
		if d.one(2) {
			f.For = d.away(10 * time.Second)
		}
	}
}

// otherCuts makes cuts of all nodes cuts of pairs, or of one direction.
func (d draw) otherCuts(sc *Scenario) {
	sc.Faults = slices.Clone(sc.Faults)
	for i := range sc.Faults {
		f := &sc.Faults[i]
		if f.Kind != FaultPartition && f.Kind != FaultOneWay || len(f.Nodes) == 0 {
			continue
		}
		switch d.r.IntN(3) {
		case 0:
			f.Against = []int{1 + f.Nodes[0]%sc.Nodes}
		case 1:
			f.Kind = FaultOneWay
		case 2:
			f.Kind, f.Value = FaultLoss, 0.5+0.5*d.r.Float64()
		}
	}
}

func (d draw) otherNetwork(sc *Scenario) {
	sc.Link = d.link()
	if d.one(2) {
		sc.Skew = d.between(0, 300*time.Millisecond)
	}
	sc.Flush, sc.Stagger = d.pick(20, 50, 200), 200*time.Millisecond
}

func (d draw) otherNodes(sc *Scenario) { sc.Nodes += 1 + d.upTo(2) }

// otherLoad sends to other nodes, reserves and charges, and adds a client that comes late.
func (d draw) otherLoad(sc *Scenario) {
	sc.Streams = slices.Clone(sc.Streams)
	for i := range sc.Streams {
		s := &sc.Streams[i]
		if s.Node != 0 && d.one(2) {
			s.Node = d.r.IntN(sc.Nodes + 1)
		}
		if d.one(3) {
			s.Cancel = d.r.Float64() / 2
		}
		if d.one(4) && sc.Policy.OnIsolation == node.IsolationKeep {
			s.Charge = d.r.Float64() / 4
		}
	}
	sc.Streams = append(sc.Streams, Stream{Client: victim, Burst: 50, Start: d.between(0, sc.Duration), Node: d.r.IntN(sc.Nodes + 1)})
}

// oneFaultMore is in, or just after, one of those that are there.
func (d draw) oneFaultMore(sc *Scenario) {
	at, length := d.between(0, sc.Duration), time.Second
	if len(sc.Faults) > 0 {
		f := &sc.Faults[d.r.IntN(len(sc.Faults))]
		at, length = f.At, min(f.For, sc.Duration)
	}
	sc.Faults = append(slices.Clip(sc.Faults), d.during(sc, at, length+time.Second))
}
