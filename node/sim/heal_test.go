package sim

import (
	"fmt"
	"math"
	"testing"
	"time"

	"github.com/distributed-rate-limiter/distributed-rate-limiter/node"
)

// Two windows after a heal, what nodes export is finite, at most 1.5 times corollary 1 for the
// time in which they did not hear each other, and nobody is degraded any more. Shares, and
// limits that are closed, do not grow with that time.
func TestAfterAHealTheBoundIsFinite(t *testing.T) {
	t.Parallel()
	for _, p := range []node.Policy{
		{Limit: 100, Window: 20 * time.Second},
		{Limit: 60, Window: time.Minute, Burst: 10},
		{Limit: 10, Window: time.Second, Burst: 300},
		{Limit: 100, Window: 20 * time.Second, OnIsolation: node.IsolationShare},
		{Limit: 100, Window: 20 * time.Second, OnIsolation: node.IsolationClosed},
		{Algorithm: node.FixedWindow, Limit: 100, Window: 20 * time.Second},
		{Algorithm: node.SlidingWindow, Limit: 100, Window: 20 * time.Second, Resolution: 5},
	} {
		for _, nodes := range []int{2, 4} {
			for _, windows := range []float64{0.3, 1, 3} {
				t.Run(fmt.Sprintf("%v,%d,%v", p, nodes, windows), func(t *testing.T) { healed(t, p, nodes, windows) })
			}
		}
	}
}

func healed(t *testing.T, p node.Policy, nodes int, windows float64) {
	sc := Scenario{
		Seed: 1, Nodes: nodes, Policy: p, Link: Link{DelayMin: time.Millisecond, DelayMax: 3 * time.Millisecond},
		Streams: []Stream{{Client: victim, Rate: 10}},
	}
	width := sc.width()
	cut := time.Duration(windows * float64(width))
	sc.Faults = []Fault{{Kind: FaultPartition, At: 5 * time.Second, For: cut, Nodes: []int{1}}}
	sc.Duration = 5*time.Second + cut + 2*width
	if err := sc.Validate(); err != nil {
		t.Fatal(err)
	}
	w, err := newWorld(sc, epoch, nil)
	if err != nil {
		t.Fatal(err)
	}
	if err := w.schedule(&sc.Faults[0]); err != nil {
		t.Fatal(err)
	}
	w.runUntil(w.start)
	w.loading = true
	w.stream(&sc.Streams[0], 0)
	w.runUntil(w.start + int64(sc.Duration))
	y := w.oracle.tracks[node.DefaultLimit].yardstick()
	apart := cut + 2*time.Second // until the first beat after it
	most := 1.5 * float64(nodes-1) * (float64(y.policy.Burst) + y.rate()*float64(apart))
	if p.OnIsolation == node.IsolationShare || p.OnIsolation == node.IsolationClosed {
		const noticed = 7 * time.Second // flat, however long they did not hear each other
		most = min(most, float64(nodes-1)*(2*float64(y.policy.Burst)+y.rate()*float64(noticed)))
	}
	for _, m := range w.living() {
		bound, degraded := m.step.Inside().Exported(node.DefaultLimit)
		if degraded || math.IsInf(bound, 1) || bound > most || bound == 0 {
			t.Errorf("n%d exports %.3f, degraded %t; want at most %.3f: %s", m.number, bound, degraded, most, w.oracle.spansOf(m))
		}
	}
	for _, v := range w.result.Violations {
		t.Error(v)
	}
}
