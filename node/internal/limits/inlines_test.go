package limits

import (
	"errors"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/distributed-rate-limiter/distributed-rate-limiter/node/limit"
)

// brings has an origin bring n policies that nobody brought before, from first on, and returns
// how many were refused.
func brings(t *testing.T, g *Registry, at int64, origin string, first, n int64) (refused int) {
	t.Helper()
	for i := first; i < first+n; i++ {
		_, err := g.Inline(at, origin, "", &limit.Policy{Limit: i, Window: 366 * 24 * time.Hour, Burst: 1})
		switch {
		case errors.Is(err, ErrTooManyInline):
			refused++
		case err != nil:
			t.Fatal(err)
		}
	}
	return refused
}

func TestThousandsOfPoliciesAreKnownAndOneOriginTakesNoRoomFromOthers(t *testing.T) {
	g := newRegistry(t, nil, 0)
	if n := brings(t, g, now, "greedy", 1, MaxInline); n != 0 {
		t.Fatalf("%d of the first %d were refused", n, MaxInline)
	}
	at := now + int64(time.Second)
	if n := brings(t, g, at, "greedy", 1<<20, 100); n != 100 {
		t.Errorf("%d more were taken, though all others were just used", 100-n)
	}
	if n := brings(t, g, at, "honest", 1<<30, 1000); n != 0 {
		t.Errorf("%d of another origin's were refused", n)
	}
	if n := len(g.AllInline()); n > MaxInline || n < MaxInline*7/8 {
		t.Errorf("%d are known", n)
	}
	// Those of the honest one stay, however many the greedy one brings, and whenever.
	for minute := range int64(4) {
		at += int64(time.Minute)
		known := map[string]bool{}
		brings(t, g, at, "greedy", 1<<21+minute*100_000, 20_000)
		for _, l := range g.AllInline() {
			known[l.Name] = true
		}
		for i := range int64(1000) {
			c, _ := inlineOf(&limit.Policy{Limit: 1<<30 + i, Window: 366 * 24 * time.Hour, Burst: 1})
			if !known[c.name()] {
				t.Fatalf("after %d minutes policy %d of the honest one is gone", minute, i)
			}
		}
	}
}

func TestAnOriginThatHasItsFillWaitsForAMinute(t *testing.T) {
	g := newRegistry(t, nil, 0)
	brings(t, g, now, "greedy", 1, MaxInline)
	if n := brings(t, g, now+int64(59*time.Second), "greedy", 1<<20, 1); n != 1 {
		t.Error("one more is taken within the minute")
	}
	if n := brings(t, g, now+int64(61*time.Second), "greedy", 1<<20, 1000); n != 0 {
		t.Errorf("a minute later %d of 1,000 are refused", n)
	}
}

// Whatever their window is, policies that nobody uses make room within minutes.
func TestUnusedPoliciesAreForgottenWithinMinutes(t *testing.T) {
	g := newRegistry(t, nil, 0)
	brings(t, g, now, "a", 1, 5000)
	brings(t, g, now+int64(6*time.Minute), "b", 1<<20, 1000)
	if n := len(g.AllInline()); n != 1000 {
		t.Errorf("%d are known, want the 1,000 that were used lately", n)
	}
	if len(g.inline.of) != 1 {
		t.Errorf("%d origins are remembered", len(g.inline.of))
	}
	l, err := g.Inline(now+int64(7*time.Minute), "a", "", &limit.Policy{Limit: 1, Window: 366 * 24 * time.Hour, Burst: 1})
	if err != nil || l.Name == "" {
		t.Errorf("%v, %v", l, err)
	}
}

// Beats compare the windows of each layout, so those are capped, too: without refusing anybody.
func TestLayoutsAreCappedAndNobodyIsRefused(t *testing.T) {
	g := newRegistry(t, nil, 0)
	for i := range int64(5 * mostLayouts) {
		if _, err := g.Inline(now+i, "greedy", "", &limit.Policy{Algorithm: limit.SlidingWindow, Limit: 5, Window: time.Duration(i+1) * time.Second}); err != nil {
			t.Fatal(i, err)
		}
		if n := len(*g.inline.frames.Load()); n > mostLayouts || n != len(g.inline.layouts) {
			t.Fatalf("%d layouts after %d policies", n, i+1)
		}
	}
	l, err := g.Inline(now+int64(time.Second), "honest", "", &limit.Policy{Algorithm: limit.SlidingWindow, Limit: 5, Window: 77 * time.Minute})
	if err != nil {
		t.Fatal(err)
	}
	width, found := l.Newest().Frames[0].Width, false
	for _, w := range g.Windows(now + int64(time.Second)) {
		found = found || w.Width == width
	}
	if !found {
		t.Error("the windows of a policy that is known are not compared")
	}
}

func TestPoliciesOfManyOriginsAtOnce(t *testing.T) {
	g := newRegistry(t, nil, 0)
	var wait sync.WaitGroup
	for k := range 4 {
		wait.Go(func() {
			for i := range int64(3000) {
				p := &limit.Policy{Limit: 1 + i%1500 + int64(k)<<20, Window: time.Minute}
				l, err := g.Inline(now+i, fmt.Sprint(k), "x", p)
				if err != nil || l.Newest().Policy.Limit != p.Limit {
					t.Errorf("%v, %v", l, err)
				}
				if c, _ := inlineOf(p); g.OnWire(now, 9, c.name()) != l {
					t.Errorf("another limit on the wire")
				}
			}
		})
	}
	wait.Wait()
	if n := len(g.AllInline()); n != 6000 {
		t.Errorf("%d are known", n)
	}
}

// What a node does under the lock for a policy that it never saw stays small, however many
// origins hold the places: it looks at all policies once for many newcomers, and for no refusal.
func TestNewPoliciesAreCheapWhileThereIsNoRoom(t *testing.T) {
	const n = 1000
	at := now + int64(time.Second)
	for name, c := range map[string]struct {
		fill    func(g *Registry)
		ask     func(g *Registry, i int64) (refused int)
		refused int
	}{
		"two origins that have their fill, by turns": {
			func(g *Registry) {
				brings(t, g, now, "a", 1, MaxInline/2)
				brings(t, g, now, "b", 1<<20, MaxInline/2)
			},
			func(g *Registry, i int64) int {
				return brings(t, g, at, "a", 1<<30+i, 1) + brings(t, g, at, "b", 1<<31+i, 1)
			},
			2 * n,
		},
		"a newcomer beside two origins that have their fill": {
			func(g *Registry) {
				brings(t, g, now, "a", 1, MaxInline/2)
				brings(t, g, now, "b", 1<<20, MaxInline/2)
			},
			func(g *Registry, i int64) int { return brings(t, g, at, "c", 1<<30+i, 1) },
			0,
		},
		"newcomers, where each origin brought one": {
			func(g *Registry) {
				for i := range int64(MaxInline) {
					brings(t, g, now, fmt.Sprint("address ", i), 1+i, 1)
				}
			},
			func(g *Registry, i int64) int { return brings(t, g, at, fmt.Sprint("new ", i), 1<<30+i, 1) },
			0,
		},
	} {
		g := newRegistry(t, nil, 0)
		c.fill(g)
		c.ask(g, n) // what was fresh becomes known
		refused, passes, known := 0, 0, g.inline.known.Load()
		for i := int64(0); i < n && passes <= n/50; i++ {
			refused += c.ask(g, i)
			if k := g.inline.known.Load(); k != known {
				passes, known = passes+1, k
			}
		}
		if refused != c.refused || passes > n/50 {
			t.Errorf("%s: %d of %d were refused, want %d, with %d passes over all", name, refused, n, c.refused, passes)
		}
		if n := len(g.AllInline()); n > MaxInline || n < MaxInline*7/8 {
			t.Errorf("%s: %d are known", name, n)
		}
		if len(g.inline.refused) > len(g.inline.of) {
			t.Errorf("%s: refusals of %d origins are remembered, and policies of %d", name, len(g.inline.refused), len(g.inline.of))
		}
	}
}

// Where all origins brought as many, those go first that nobody used for longest.
func TestOfManyOriginsTheLeastRecentlyUsedGoFirst(t *testing.T) {
	g := newRegistry(t, nil, 0)
	for i := range int64(MaxInline) {
		brings(t, g, now, fmt.Sprint("address ", i), 1+i, 1)
	}
	later := now + int64(30*time.Second)
	for i := range int64(MaxInline / 2) { // every other one is used again
		brings(t, g, later, fmt.Sprint("address ", 2*i), 1+2*i, 1)
	}
	brings(t, g, later, "new", 1<<30, 1)
	gone := 0
	for i := range int64(MaxInline) {
		c, _ := inlineOf(&limit.Policy{Limit: 1 + i, Window: 366 * 24 * time.Hour, Burst: 1})
		if g.inline.find(c) == nil {
			if gone++; i%2 == 0 {
				t.Fatalf("policy %d is gone, which was just used", i)
			}
		}
	}
	if gone == 0 || gone > MaxInline/16 {
		t.Errorf("%d are gone", gone)
	}
}
