package node_test

import (
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/distributed-rate-limiter/distributed-rate-limiter/node"
)

// Counters are exact, for each limit, and only of what a limit decided.
func TestCountersAreExact(t *testing.T) {
	n, clock := still(t, node.Config{Limit: 8, Window: time.Second, Limits: map[string]node.Policy{"login": {Limit: 5, Window: time.Minute}}})
	must(t, errorOf(n.SetLimit("late", node.Policy{Limit: 7, Window: time.Second})))
	rnd := rand.New(rand.NewPCG(1, 1))
	want := map[string]*node.LimitStats{"default": {}, "login": {}, "late": {}}
	names, clients := []string{"default", "login", "late"}, ids(10)
	for range 20_000 {
		clock.at = clock.at.Add(time.Duration(rnd.Int64N(int64(20 * time.Millisecond))))
		name, cost := names[rnd.IntN(3)], 1+rnd.Int64N(5)
		w := want[name]
		if n.Limiter(name).Take(clients[rnd.IntN(10)], cost).Allowed {
			w.Allowed, w.AllowedUnits = w.Allowed+1, w.AllowedUnits+uint64(cost)
		} else {
			w.Denied, w.DeniedUnits = w.Denied+1, w.DeniedUnits+uint64(cost)
		}
	}
	for _, got := range n.Stats().Limits {
		w := want[got.Name]
		if w.Allowed == 0 || w.Denied == 0 {
			t.Errorf("%s: the load proves nothing: %+v", got.Name, *w)
		}
		if got.Allowed != w.Allowed || got.Denied != w.Denied || got.AllowedUnits != w.AllowedUnits || got.DeniedUnits != w.DeniedUnits {
			t.Errorf("%s: got %+v, want %+v", got.Name, got, *w)
		}
		delete(want, got.Name)
	}
	if len(want) != 0 {
		t.Errorf("no counters for %v", want)
	}
	timed := uint64(0)
	for _, c := range n.Stats().LatencyCounts {
		timed += c
	}
	if timed < 20_000/uint64(2*n.Stats().LatencyEvery) {
		t.Errorf("%d of 20000 decisions were timed", timed)
	}
}

// A node alone decides nearly all at a glance. It lists such clients with about what they took and were
// denied, and times one decision in LatencyEvery: also of requests whose own limit decides nothing.
func TestDecisionsAtAGlanceAreListedAndTimed(t *testing.T) {
	const decisions = 20_000
	near := func(got uint64, want float64) bool { return float64(got) > 0.6*want && float64(got) < 1.4*want }
	for name, c := range map[string]struct {
		limit           int64
		request         node.Request
		allowed, denied float64
	}{
		"admissions":            {1 << 20, node.Request{}, decisions, 0},
		"denials":               {1, node.Request{}, 0, decisions},
		"behind no limit":       {1 << 20, node.Request{Limit: "free", Also: []node.Check{{Limit: "default"}}}, decisions, 0},
		"beside another limit":  {1 << 20, node.Request{Also: []node.Check{{Limit: "free"}}}, decisions, 0},
		"denied behind another": {1, node.Request{Limit: "free", Also: []node.Check{{Limit: "default"}}}, 0, decisions},
	} {
		n := alone(t, node.Config{Limit: c.limit, Window: time.Minute, Limits: map[string]node.Policy{"free": {Access: node.Unlimited}}})
		n.Allow("alice") // the first request makes the client
		for range decisions {
			q := c.request
			q.Client = "alice"
			n.Do(q)
		}
		list, err := n.Top("")
		must(t, err)
		if len(list) != 1 || !near(list[0].Allowed, c.allowed) && c.allowed > 0 || !near(list[0].Denied, c.denied) && c.denied > 0 {
			t.Errorf("%s: listed as %+v", name, list)
		}
		timed := uint64(0)
		for _, c := range n.Stats().LatencyCounts {
			timed += c
		}
		if !near(timed, decisions/float64(n.Stats().LatencyEvery)) {
			t.Errorf("%s: %d of %d decisions were timed", name, timed, decisions)
		}
	}
}

// A peer that falls silent makes both sides degraded within a few seconds, and one
// that is heard again ends it; decisions say so too.
func TestASilentPeerDegrades(t *testing.T) {
	l := newLab(t, 3, hourly(10))
	degraded := func() (stats, decisions int) {
		for _, m := range l.nodes {
			if m.Node.Stats().Degraded {
				stats++
			}
			if m.Node.Do(node.Request{Client: "alice", Peek: true}).Degraded {
				decisions++
			}
		}
		return stats, decisions
	}
	if s, d := degraded(); s+d != 0 {
		t.Fatalf("%d and %d are degraded from the start", s, d)
	}
	quiet := l.nodes[0].Node.Stats().Limits[0].OvershootBound
	l.lose = func(m mail) bool { return m.to == 2 || m.from == 2 }
	l.run(2 * time.Second)
	if s, d := degraded(); s+d != 0 {
		t.Errorf("%d and %d are degraded after 2 s of silence", s, d)
	}
	l.run(4 * time.Second)
	if s, d := degraded(); s != 3 || d != 3 {
		t.Errorf("%d and %d are degraded after 6 s of silence, want all", s, d)
	}
	if s := l.nodes[0].Node.Stats(); s.Staleness < 5*time.Second || s.Limits[0].OvershootBound <= quiet {
		t.Errorf("staleness %v, bound %v, in quiet %v", s.Staleness, s.Limits[0].OvershootBound, quiet)
	}
	l.lose = nil
	l.run(3 * time.Second)
	if s, d := degraded(); s+d != 0 {
		t.Errorf("%d and %d are degraded after healing", s, d)
	}
	// One way only: n2 is heard, and hears nobody.
	l.lose = func(m mail) bool { return m.to == 2 }
	l.run(10 * time.Second)
	if s, _ := degraded(); s != 3 {
		t.Errorf("%d are degraded by a one-way partition, want all", s)
	}
}

// A node hears all beats of a peer and nothing of what the peer counts: it says that it is stale until
// it knows it all.
func TestWhoMissesWhatALivePeerCountsIsStale(t *testing.T) {
	l := newLab(t, 2, node.Config{Limit: 100, Window: time.Minute})
	stale := func() bool { return slices.Contains(l.nodes[1].Node.Stats().DegradedReasons, "stale") }
	if stale() {
		t.Fatal("a healthy node is stale")
	}
	l.lose = func(m mail) bool { return m.from == 0 && m.kind != "beat" }
	l.nodes[0].take("", "alice", 3)
	l.run(4 * time.Second)
	if !stale() {
		t.Errorf("degraded by %v, and knows nothing of the last 4 s", l.nodes[1].Node.Stats().DegradedReasons)
	}
	l.lose = nil
	l.run(15 * time.Second)
	if stale() {
		t.Error("still stale after all was repaired")
	}
}

func TestSkewIsMeasured(t *testing.T) {
	l := newLab(t, 2, hourly(10))
	l.nodes[1].skew = 300 * time.Millisecond
	l.run(3 * time.Minute) // the least lag of the last one to two minutes
	if got := l.nodes[0].Node.Stats().Skew; (got - 300*time.Millisecond).Abs() > 10*time.Millisecond {
		t.Errorf("measured %v", got)
	}
}

// What merging reveals of over-admission is counted: two nodes that cannot hear each
// other each let a whole burst pass.
func TestOvershootIsSeenWhenItIsMerged(t *testing.T) {
	l := newLab(t, 2, hourly(10))
	l.hold = func(mail) bool { return true }
	for _, m := range l.nodes {
		if got := m.take("", "alice", 20); got != 10 {
			t.Fatalf("allowed %d", got)
		}
	}
	l.run(100 * time.Millisecond)
	l.release(nil)
	l.run(time.Second)
	for _, m := range l.nodes {
		s := m.Node.Stats().Limits[0]
		if s.OvershootSeen < 9 || s.OvershootSeen > 10 || s.OvershootPeak != s.OvershootSeen {
			t.Errorf("n%d saw %d, peak %d", m.index, s.OvershootSeen, s.OvershootPeak)
		}
		if float64(s.OvershootPeak) > s.OvershootBound {
			t.Errorf("n%d saw %d, beyond the bound %v", m.index, s.OvershootPeak, s.OvershootBound)
		}
	}
}
