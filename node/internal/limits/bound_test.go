package limits

import (
	"math"
	"testing"
	"time"

	"github.com/distributed-rate-limiter/distributed-rate-limiter/crdt"
	"github.com/distributed-rate-limiter/distributed-rate-limiter/node/limit"
	deltasync "github.com/distributed-rate-limiter/distributed-rate-limiter/sync"
)

const ms = int64(time.Millisecond)

// sightOf is what a node sees that knows of these spans, by incarnation, 50 ms a flush.
func sightOf(of ...[]deltasync.Span) *Sight {
	s := &deltasync.Status{Now: now, Heard: true}
	for i, spans := range of {
		s.Unknown = append(s.Unknown, deltasync.Unknown{Replica: crdt.Replica(i + 2), Spans: spans})
	}
	return &Sight{Sync: s, Flush: 50 * time.Millisecond, Tolerance: time.Second, Own: &deltasync.Offsets{}}
}

func open(ago int64) []deltasync.Span { return []deltasync.Span{{Began: ago}} }

// revision is one of 2 units a second, burst 20: 100 ms are 0.2 units.
func revision(t *testing.T, change func(p *limit.Policy)) *Revision {
	t.Helper()
	p := limit.Policy{Limit: 120, Window: time.Minute, Burst: 20}
	if change != nil {
		change(&p)
	}
	r, err := newLimit("default", 0, deltasync.KeyHash{}).newRevision(p, crdt.Stamp{})
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func TestTheBoundIsTheFormula(t *testing.T) {
	const minute = 60_000 * ms
	for _, c := range []struct {
		name string
		of   [][]deltasync.Span
		want float64
	}{
		{"alone", nil, 0},
		{"one peer: a burst, and its staleness and a flush", [][]deltasync.Span{open(50 * ms)}, 20 + 0.2},
		{"two peers", [][]deltasync.Span{open(50 * ms), open(450 * ms)}, 40 + 0.2 + 1},
		{"silence grows", [][]deltasync.Span{open(39_950 * ms)}, 20 + 80},
		{"a crash stays", [][]deltasync.Span{{{Began: 3 * minute, Ended: 3*minute - 950*ms}}}, 20 + 2},
		{"until the horizon is over", [][]deltasync.Span{{{Began: 11 * minute, Ended: 10 * minute}}}, 0},
		{"a longer span is cut to the horizon", [][]deltasync.Span{open(20 * minute)}, 20 + 1200 + 0.1},
		{"two spans far apart cost two bursts", [][]deltasync.Span{{{Began: 3 * minute, Ended: 3*minute - 950*ms}, {Began: 50 * ms}}}, 40 + 2 + 0.2},
		{"two close ones cost the gap", [][]deltasync.Span{{{Began: 5000 * ms, Ended: 4050 * ms}, {Began: 50 * ms}}}, 20 + 10 + 0.1},
		{"overlapping ones count once", [][]deltasync.Span{{{Began: 5000 * ms, Ended: 1000 * ms}, {Began: 4000 * ms, Ended: 2000 * ms}}}, 20 + 8 + 0.1},
		{"a healed one, without what was young enough", [][]deltasync.Span{{{Began: 58_000 * ms, Kind: deltasync.SpanHealed}}}, 0},
		{"a long one that healed", [][]deltasync.Span{{{Began: 2 * minute, Ended: minute / 2, Kind: deltasync.SpanHealed}}}, 20 + 2*(90-60+1+0.05+0.05)},
	} {
		t.Run(c.name, func(t *testing.T) {
			if got := revision(t, nil).Bound(sightOf(c.of...)); math.Abs(got-c.want) > 1e-9 {
				t.Errorf("%v, want %v", got, c.want)
			}
		})
	}
}

// Where everybody passes, or nobody, there is nothing to exceed and nothing drains. All numbers are
// finite there, also just after a change from and to such a limit: JSON has no others.
func TestNumbersOfLimitsThatDoNotCountAreFinite(t *testing.T) {
	policies := map[string]limit.Policy{
		"blocked": {Access: limit.Blocked}, "unlimited": {Access: limit.Unlimited}, "limited": {Limit: 120, Window: time.Minute, Burst: 20},
		"overrides": {Limit: 120, Window: time.Minute, Overrides: []limit.Override{{Clients: []string{"a"}, Access: limit.Blocked}, {Clients: []string{"b"}, Access: limit.Unlimited}}},
	}
	finite := func(what string, all ...float64) {
		for i, x := range all {
			if math.IsNaN(x) || math.IsInf(x, 0) || x < 0 {
				t.Errorf("%s: number %d is %v", what, i, x)
			}
		}
	}
	for from, p := range policies {
		for to, q := range policies {
			g := newRegistry(t, defaults(p), 0)
			at, err := g.Set(now, Default, q)
			if err != nil {
				t.Fatal(err)
			}
			for _, s := range []*Sight{sightOf(), sightOf(open(50 * ms)), sightOf([]deltasync.Span{{Began: 900 * ms, Ended: 100 * ms, Kind: deltasync.SpanDrained}, {Began: 50 * ms}})} {
				for _, s.Sync.Now = range []int64{now, at + 1, at + 3_600_000*ms} {
					l := g.Get(Default)
					r := l.Known(s.Sync.Now)
					expected := r.Expected(s, 5)
					worst, likely := r.Denied(s, 5)
					finite(from+" to "+to, l.Bound(s), r.Bound(s), r.crossing(s), expected, worst, likely)
					if r.Rules[0].Policy.Access != limit.Limited && expected != 0 {
						t.Errorf("%s to %s: %v units are expected", from, to, expected)
					}
				}
			}
		}
	}
}

// The distance of clocks counts once: between all readings within the horizon, departed
// peers' and our own included.
func TestTheBoundCountsClocksAtAllTimesThatMatter(t *testing.T) {
	noted := func(at, lo, hi int64) (o deltasync.Offsets) {
		o.Note(at, lo, hi, true)
		return o
	}
	for _, c := range []struct {
		name   string
		change func(s *Sight)
		want   float64
	}{
		{"a peer ahead", func(s *Sight) { s.Sync.Peers = []deltasync.Peer{{Replica: 9, Offsets: noted(now, 240*ms, 250*ms)}} }, 0.5},
		{"one ahead, one behind", func(s *Sight) {
			s.Sync.Peers = []deltasync.Peer{{Replica: 9, Offsets: noted(now, 0, 250*ms)}, {Replica: 10, Offsets: noted(now, -250*ms, 0)}}
		}, 1},
		{"one that departed", func(s *Sight) { s.Sync.Departed = noted(now-60_000*ms, -500*ms, -400*ms) }, 1},
		{"longer ago than the horizon", func(s *Sight) { s.Sync.Departed = noted(now-601_000*ms, -500*ms, -400*ms) }, 0},
		{"our own steps", func(s *Sight) {
			o := noted(now-60_000*ms, 0, 0)
			o.Note(now, 900*ms, 900*ms, true)
			s.Own = &o
		}, 1.8},
		{"a step of a peer's clock within its span", func(s *Sight) {
			o := noted(now-1000*ms, 0, 0)
			o.Note(now, 100*ms, 100*ms, true)
			s.Sync.Peers = []deltasync.Peer{{Replica: 2, Offsets: o}}
			s.Sync.Unknown = []deltasync.Unknown{{Replica: 2, Spans: open(50 * ms)}}
		}, 20 + 0.2 + 0.2 + 0.2},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := sightOf()
			c.change(s)
			if got := revision(t, nil).Bound(s); math.Abs(got-c.want) > 1e-9 {
				t.Errorf("%v, want %v", got, c.want)
			}
		})
	}
}

// What is not known, or is limited by nothing, is infinite and not 0.
func TestAnUnknownBoundIsInfinite(t *testing.T) {
	open := func(p *limit.Policy) { p.OnIsolation = limit.IsolationOpen }
	for name, c := range map[string]struct {
		policy func(*limit.Policy)
		change func(s *Sight)
	}{
		"told of others, heard none": {nil, func(s *Sight) { s.Never = true }},
		"the table is full and open": {nil, func(s *Sight) { s.Open = true }},
		"isolated and open":          {open, func(s *Sight) { s.Isolated = true }},
		"spans did not fit":          {nil, func(s *Sight) { s.Sync.Dropped, s.Sync.DroppedAgo = true, 599_000*ms }},
	} {
		s := sightOf(open2())
		if got := revision(t, c.policy).Bound(s); math.IsInf(got, 1) {
			t.Errorf("%s: infinite before", name)
		}
		if c.change(s); !math.IsInf(revision(t, c.policy).Bound(s), 1) {
			t.Errorf("%s: %v", name, revision(t, c.policy).Bound(s))
		}
	}
	s := sightOf(open2())
	s.Sync.Dropped, s.Sync.DroppedAgo = true, 601_000*ms
	if got := revision(t, nil).Bound(s); math.Abs(got-20.2) > 1e-9 {
		t.Errorf("%v once what did not fit is too old to count", got)
	}
}

func open2() []deltasync.Span { return open(50 * ms) }

func TestTheBoundStaysFlatWhereASharedOrClosedLimitIsIsolated(t *testing.T) {
	for _, on := range []limit.OnIsolation{limit.IsolationShare, limit.IsolationClosed} {
		r := revision(t, func(p *limit.Policy) { p.OnIsolation = on })
		s := sightOf(open(100_000 * ms))
		s.Isolated = true
		if got := r.Bound(s); math.Abs(got-(20+2*5.05)) > 1e-9 {
			t.Errorf("%v: %v after 100 s, want what it is after %v", on, got, notice)
		}
	}
}

func TestTheBoundIsThatOfTheWidestRule(t *testing.T) {
	r := revision(t, func(p *limit.Policy) {
		p.Overrides = []limit.Override{{Prefixes: []string{"gold-"}, Limit: 120, Burst: 500}}
	})
	if got := r.Bound(sightOf(open2())); math.Abs(got-500.2) > 1e-9 {
		t.Errorf("%v, want that of the override", got)
	}
}

// An exhaustive search over all ways to part spans into groups finds nothing cheaper.
func TestUnseenIsTheCheapestGrouping(t *testing.T) {
	r := revision(t, nil)
	for seed := range 500 {
		n, at := 1+seed%5, int64(590_000)
		var spans []deltasync.Span
		for i := range n {
			at -= int64((seed*7919 + i*104729) % 30_000)
			began := at
			at -= 1 + int64((seed*31+i*17)%3000)
			spans = append(spans, deltasync.Span{Began: began * ms, Ended: max(0, at) * ms})
		}
		best := math.Inf(1)
		for cut := range 1 << (n - 1) {
			cost, from := 0.0, 0
			for i := range n {
				if i == n-1 || cut>>i&1 == 1 {
					cost += 20 + 2e-9*float64(spans[from].Began+50*ms-spans[i].Ended)
					from = i + 1
				}
			}
			best = min(best, cost)
		}
		if got := r.Bound(sightOf(spans)); math.Abs(got-best) > 1e-6 {
			t.Fatalf("seed %d: %v, want %v for %+v", seed, got, best, spans)
		}
	}
}

// A denial is wrong by no more than what drains in a replicated window, and by as much as a change
// or a share may take.
func TestHowWrongADenialCanBe(t *testing.T) {
	share := func(p *limit.Policy) { p.OnIsolation = limit.IsolationShare }
	fixed := func(p *limit.Policy) { p.Algorithm, p.Burst = limit.FixedWindow, 0 }
	slow := func(p *limit.Policy) { p.Limit = 6 } // a unit in ten seconds
	for name, c := range map[string]struct {
		policy          func(*limit.Policy)
		change          func(s *Sight)
		worst, expected float64
	}{
		"two units a second":    {nil, nil, 20, 2},
		"a unit in ten seconds": {slow, nil, 1 + 6, 2},
		"silence":               {slow, func(s *Sight) { s.Sync.Unknown[0].Spans = open(25_000 * ms) }, 1 + 6, 1 + 3},
		"a fixed window":        {fixed, nil, 120, 0},
		"an isolated share":     {share, func(s *Sight) { s.Isolated = true }, 20, 20},
		"nobody else":           {nil, func(s *Sight) { s.Sync.Unknown, s.Sync.Heard = nil, false }, 0, 0},
	} {
		s := sightOf(open2())
		if c.change != nil {
			c.change(s)
		}
		if worst, expected := revision(t, c.policy).Denied(s, 0); worst != c.worst || expected != c.expected {
			t.Errorf("%s: at most %v and %v to expect, want %v and %v", name, worst, expected, c.worst, c.expected)
		}
	}
}
