package tally

import (
	"sync"
	"testing"
)

func TestCountsAreByLimit(t *testing.T) {
	a, b := &Account{Index: 1}, &Account{Index: 5}
	var c Counts
	c.Count(a, 2, true, false)
	c.Count(a, 3, false, false)
	c.Count(a, 5, true, true)
	c.Count(b, 7, true, false)
	if got, want := c.Of(a), (Decisions{Allowed: 2, Denied: 1, Shadowed: 1, AllowedUnits: 7, DeniedUnits: 3, ShadowedUnits: 5}); got != want {
		t.Errorf("%+v, want %+v", got, want)
	}
	sum := c.Of(a)
	other := c.Of(b)
	sum.Add(&other)
	if want := (Decisions{Allowed: 3, Denied: 1, Shadowed: 1, AllowedUnits: 14, DeniedUnits: 3, ShadowedUnits: 5}); sum != want {
		t.Errorf("%+v, want %+v", sum, want)
	}
	if got := c.Of(&Account{Index: 99}); got != (Decisions{}) {
		t.Errorf("of a limit without decisions: %+v", got)
	}
}

// A limit that takes the index of a deleted one begins at zero, and does not read the
// other's counts before that.
func TestAnIndexIsUsedAgain(t *testing.T) {
	old, now := &Account{Index: 1}, &Account{Index: 1}
	var c Counts
	c.Count(old, 2, true, false)
	if got := c.Of(now); got != (Decisions{}) {
		t.Errorf("%+v of the deleted limit's", got)
	}
	c.Count(now, 3, true, false)
	if got := c.Of(now); got != (Decisions{Allowed: 1, AllowedUnits: 3}) {
		t.Errorf("%+v", got)
	}
	if got := c.Of(old); got != (Decisions{}) {
		t.Errorf("the deleted limit has %+v", got)
	}
}

func TestOvershootKeepsItsPeak(t *testing.T) {
	var o Overshoot
	var all sync.WaitGroup
	for i := range uint64(50) {
		all.Go(func() { o.Observe(i, i+2) })
	}
	all.Wait()
	o.Observe(90, 60)
	if units, peak := o.Seen(); units != 100 || peak != 51 {
		t.Errorf("%d units, at most %d", units, peak)
	}
}

func TestDropsAreNamed(t *testing.T) {
	var d Drops
	seen := map[string]bool{}
	for why := range DropEnd {
		d.Add(why, int(why)+1)
		if seen[why.String()] || d.Of(why) != uint64(why)+1 {
			t.Errorf("%v: %d", why, d.Of(why))
		}
		seen[why.String()] = true
	}
}
