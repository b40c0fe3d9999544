package dashboard

import (
	"fmt"
	"math"
	"testing"
	"time"

	"github.com/distributed-rate-limiter/distributed-rate-limiter/node"
)

func sampleOf(limits ...node.LimitStats) *node.Stats { return &node.Stats{Limits: limits} }

func TestRatesAreTakenOverTheTimeBetweenTwoSamples(t *testing.T) {
	var r recorder
	r.add(sampleOf(node.LimitStats{Name: "a", Allowed: 1000, Denied: 5}), at(0))
	r.add(sampleOf(node.LimitStats{Name: "a", Allowed: 1100, Denied: 105, OvershootBound: math.Inf(1), OvershootPeak: 7}, node.LimitStats{Name: "new", Allowed: 50}), at(2))
	got, _ := r.newest().limit("a")
	if got.allowed != 50 || got.denied != 50 || !math.IsInf(float64(got.bound), 1) || got.peak != 7 {
		t.Errorf("got %+v", got)
	}
	if got, _ := r.newest().limit("new"); got.allowed != 0 {
		t.Errorf("a limit that was not there before has a rate: %+v", got)
	}
	r.add(sampleOf(node.LimitStats{Name: "a", Allowed: 3}), at(3)) // it began again
	if got, _ := r.newest().limit("a"); got.allowed != 0 {
		t.Errorf("got %+v after a counter went back", got)
	}
}

func TestTheHistoryIsARingAndHoldsTheBusiestLimits(t *testing.T) {
	var r recorder
	for i := range history + 50 {
		s := sampleOf()
		for k := range limitsHeld + 10 {
			s.Limits = append(s.Limits, node.LimitStats{Name: string(rune('A' + k)), Allowed: uint64(i * k)})
		}
		r.add(s, at(float64(i)))
	}
	all := r.since(0)
	if len(all) != history || !all[0].at.Equal(at(50)) || !all[history-1].at.Equal(at(history+49)) {
		t.Fatalf("%d moments from %v to %v", len(all), all[0].at, all[len(all)-1].at)
	}
	if got := len(all[history-1].limits); got != limitsHeld {
		t.Errorf("%d limits are held", got)
	}
	if _, ok := r.newest().limit("A"); ok {
		t.Error("a limit that nobody asks for is held, and a busy one is not")
	}
	if got := r.since(r.seq - 2); len(got) != 2 || !got[1].at.Equal(at(history+49)) {
		t.Errorf("got %d moments", len(got))
	}
	if got := r.since(r.seq + 5); len(got) != history {
		t.Errorf("a reader from the future gets %d moments", len(got))
	}
	if got := r.busiest(2); len(got) != 2 || got[0] != string(rune('A'+limitsHeld+9)) {
		t.Errorf("the busiest are %q", got)
	}
}

func TestPercentilesComeFromWhatTheHistogramGrewBy(t *testing.T) {
	bounds := []time.Duration{100, 200, 400}
	was := []uint64{1000, 0, 0, 0}
	for _, c := range []struct {
		now       []uint64
		share     float64
		low, high float64
	}{
		{[]uint64{1000, 0, 0, 0}, 0.5, math.NaN(), 0},
		{[]uint64{1000, 100, 0, 0}, 0.5, 140, 142}, // the middle of 100 to 200 on a scale of powers
		{[]uint64{1000, 99, 1, 0}, 0.99, 199, 200},
		{[]uint64{1000, 50, 50, 0}, 0.75, 280, 285},
		{[]uint64{1000, 0, 0, 9}, 0.5, 400, 400},
		{[]uint64{1010, 0, 0, 0}, 1, 100, 100},
	} {
		got := float64(percentile(bounds, was, c.now, c.share))
		if math.IsNaN(c.low) != math.IsNaN(got) || got < c.low || got > c.high && !math.IsNaN(c.low) {
			t.Errorf("%v of %v: got %v", c.share, c.now, got)
		}
	}
}

func TestAClientHasARateFromItsFirstMoment(t *testing.T) {
	crowd := make([]node.TopClient, node.MaxTop)
	for i := range crowd {
		crowd[i] = node.TopClient{Client: fmt.Sprint(i), Allowed: 1e6}
	}
	for name, c := range map[string]struct {
		past            [][]node.TopClient // at seconds 0, 5, 10, ...
		allowed, denied value              // of 100 and 50 units at second 20
	}{
		"nobody looked before":          {nil, 0, 0},
		"it was not there at the start": {[][]node.TopClient{{}, {{Client: "c", Allowed: 40}}}, 5, 2.5},
		"it was there":                  {[][]node.TopClient{{{Client: "c", Allowed: 60, Denied: 10}}}, 2, 2},
		"the list had no room for it":   {[][]node.TopClient{crowd, {{Client: "c", Allowed: 85, Denied: 35}}}, 1, 1},
	} {
		var r recorder
		for i, clients := range c.past {
			r.addClients("l", clients, at(float64(5*i)))
		}
		got := client{id: "c", Allowed: 100, Denied: 50}
		if got.rates(r.clients["l"], at(20)); got.AllowedPerS != c.allowed || got.DeniedPerS != c.denied {
			t.Errorf("%s: %v and %v a second, want %v and %v", name, got.AllowedPerS, got.DeniedPerS, c.allowed, c.denied)
		}
	}
}
