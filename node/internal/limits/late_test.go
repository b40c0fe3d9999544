package limits

import (
	"math"
	"testing"
	"time"

	"github.com/distributed-rate-limiter/distributed-rate-limiter/crdt"
	"github.com/distributed-rate-limiter/distributed-rate-limiter/node/limit"
	deltasync "github.com/distributed-rate-limiter/distributed-rate-limiter/sync"
)

func perMinute(n int64) limit.Policy { return limit.Policy{Limit: n, Window: time.Minute, Burst: 20} }

// seen is what a node that hears one peer well sees at an instant.
func seen(at int64) *Sight {
	s := sightOf(open(50 * ms))
	s.Sync.Now = at
	return s
}

func TestAChangeThatWasHeardLateIsInTheBound(t *testing.T) {
	const minute = 60_000 * ms
	a, b := newRegistry(t, defaults(perMinute(120)), 0), newRegistry(t, defaults(perMinute(120)), 0)
	before := b.Get(Default).Bound(seen(now))
	at, err := a.Set(now, Default, perMinute(60))
	if err != nil {
		t.Fatal(err)
	}
	tell(t, at+3*minute, a, b) // b was cut off for three minutes
	for _, c := range []struct {
		name string
		g    *Registry
		at   int64
		want float64
	}{
		{"heard in time: the wider of both rules, and what the change rounds", a, at + minute, before + 2},
		{"heard in time, long ago: the new rule alone", a, at + 11*minute, 20 + 0.1},
		{"heard late: a burst, and three minutes of the old rate", b, at + 4*minute, before + 2 + 20 + 3*120},
		{"heard late, and the change was long ago", b, at + 12*minute, 20 + 0.1 + 20 + 3*120},
		{"both were long ago", b, at + 14*minute, 20 + 0.1},
	} {
		if got := c.g.Get(Default).Bound(seen(c.at)); math.Abs(got-c.want) > 0.1+1e-9 {
			t.Errorf("%s: %.3f, want %.3f", c.name, got, c.want)
		}
	}
}

func TestAChangeIsNotLateForWhoComesAfterIt(t *testing.T) {
	a, b := newRegistry(t, defaults(perMinute(120)), 0), newRegistry(t, defaults(perMinute(120)), 0)
	at, err := a.Set(now, Default, perMinute(60))
	if err != nil {
		t.Fatal(err)
	}
	b.cfg.Began = at + 3_600_000*ms
	tell(t, b.cfg.Began+1000*ms, a, b)
	if got := b.Get(Default).lateBound(b.cfg.Began + 2000*ms); math.Abs(got-(20+2)) > 1e-9 {
		t.Errorf("%.3f, want a burst and a second of the old rate", got)
	}
}

// However often a node hears late, no stretch is forgotten.
func TestLateStretchesAreNotForgottenTooSoon(t *testing.T) {
	l := newRegistry(t, defaults(perMinute(60)), 0).Get(Default)
	r := l.Newest()
	sum := int64(0)
	for i := range int64(3 * maxLate) {
		from := now + i*2000*ms
		l.insert(from, &Revision{Limit: l, Stamp: crdt.Stamp{At: from, By: 2}, Rules: r.Rules, Policy: r.Policy})
		l.hear(from+1000*ms, 0, 0)
		sum += 1000 * ms
		if got := l.lateBound(from + 1000*ms); got < float64(sum)/float64(time.Second) {
			t.Fatalf("%d stretches: %.3f for %d s", i+1, got, sum/1e9)
		}
	}
	if n := len(*l.late.Load()); n != maxLate {
		t.Errorf("%d are kept", n)
	}
}

func TestWindowAlgorithmsCountALateChangeByWindows(t *testing.T) {
	fixed := limit.Policy{Algorithm: limit.FixedWindow, Limit: 10, Window: time.Minute}
	a, b := newRegistry(t, defaults(fixed), 0), newRegistry(t, defaults(fixed), 0)
	fixed.Limit = 5
	at, err := a.Set(now, Default, fixed)
	if err != nil {
		t.Fatal(err)
	}
	tell(t, at+90_000*ms, a, b)
	if got := b.Get(Default).lateBound(at + 91_000*ms); got != 30 {
		t.Errorf("%.3f, want that of the three windows in which a minute and a half can lie", got)
	}
}

// What a joiner kept apart has drained in part: a rate, and no burst. An earlier run of this
// node costs a burst, and no rate.
func TestJoinersAndEarlierRunsInTheBound(t *testing.T) {
	s := sightOf([]deltasync.Span{{Began: 8000 * ms, Ended: 3000 * ms, Kind: deltasync.SpanDrained}})
	if got := revision(t, nil).Bound(s); math.Abs(got-(2*5.05+1)) > 1e-9 {
		t.Errorf("a joiner: %.3f", got)
	}
	s = sightOf([]deltasync.Span{{Began: 500_000 * ms, Ended: 3000 * ms}})
	s.Sync.Unknown[0].Own = true
	if got := revision(t, nil).Bound(s); got != 20 {
		t.Errorf("an earlier run: %.3f", got)
	}
	s = sightOf(open(50 * ms))
	s.Sync.Partial, s.Sync.FoundedAgo = true, 599_000*ms
	if got := revision(t, nil).Bound(s); !math.IsInf(got, 1) {
		t.Errorf("nobody knows what ran before: %.3f", got)
	}
	s.Sync.FoundedAgo = 600_000 * ms
	if got := revision(t, nil).Bound(s); math.Abs(got-20.2) > 1e-9 {
		t.Errorf("that is too old to count: %.3f", got)
	}
}

// What was admitted while nodes were isolated is flat for shares and for limits that are closed,
// also when the cut is over.
func TestSharesStayFlatAfterACut(t *testing.T) {
	for choice, want := range map[limit.OnIsolation]float64{
		limit.IsolationKeep: 20 + 2*(100-20-60+1+0.05+0.05), limit.IsolationShare: 20 + 2*5.05, limit.IsolationClosed: 20 + 2*5.05,
	} {
		s := sightOf([]deltasync.Span{{Began: 100_000 * ms, Ended: 20_000 * ms, Kind: deltasync.SpanHealed, Apart: true}})
		if got := revision(t, func(p *limit.Policy) { p.OnIsolation = choice }).Bound(s); math.Abs(got-want) > 1e-9 {
			t.Errorf("%v: %.3f, want %.3f", choice, got, want)
		}
	}
}

// What came back late counts for each other node, until the horizon is over.
func TestRefundsThatWereHeardLateAreInTheBound(t *testing.T) {
	const minute = 60_000 * ms
	l := newRegistry(t, defaults(perMinute(120)), 0).Get(Default)
	two := func(at int64) *Sight {
		s := sightOf(open(50*ms), open(50*ms))
		s.Sync.Now = at
		return s
	}
	before := l.Bound(two(now))
	l.Account.Late.Note(now, 7)
	l.Account.Late.Note(now+minute, 3)
	for at, more := range map[int64]float64{now + 9*minute: 14, now + 10*minute + 1: 6, now + 12*minute: 0} {
		if got := l.Bound(two(at)); math.Abs(got-before-more) > 1e-9 {
			t.Errorf("after %v: %.3f, want %.3f", time.Duration(at-now), got, before+more)
		}
	}
}
