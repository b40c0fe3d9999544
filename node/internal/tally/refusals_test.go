package tally

import (
	"sync"
	"testing"
	"time"
)

func TestRefusalsCountFromManyGoroutines(t *testing.T) {
	var r Refusals
	var all sync.WaitGroup
	const goroutines, each = 8, 5000
	for g := range goroutines {
		all.Go(func() {
			for range each {
				r.Count(0, int64(1+g%2))
			}
		})
	}
	all.Wait()
	d := Decisions{Denied: 1, DeniedUnits: 2, Allowed: 3}
	r.AddTo(&d)
	want := Decisions{Denied: 1 + goroutines*each, DeniedUnits: 2 + goroutines*each*3/2, Allowed: 3}
	if d != want {
		t.Errorf("%+v, want %+v", d, want)
	}
}

// As with a Sampler, few of many refusals are looked at, every one of few, and the samples
// stand for all.
func TestSampledRefusalsStandForAll(t *testing.T) {
	var r Refusals
	const refusals, second = 1_000_000, int64(1) << 30
	picked, stood := 0, 0.0
	for i := range refusals {
		if share, _ := r.Count(int64(i)*second/(refusals/3), 1); share > 0 {
			picked++
			stood += float64(share)
		}
	}
	if stood < 0.7*refusals || stood > 1.3*refusals || picked > 3*16*24 {
		t.Errorf("%d samples stand for %.0f of %d refusals", picked, stood, refusals)
	}
	r = Refusals{}
	for i := range int64(16) {
		if share, _ := r.Count(int64(time.Hour)+i, 1); share != 1 {
			t.Fatalf("refusal %d of a quiet second stands for %d", i, share)
		}
	}
}
