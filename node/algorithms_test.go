package node_test

import (
	"math/rand/v2"
	"testing"
	"time"
	_ "time/tzdata" // the zones are the tests' own

	"github.com/distributed-rate-limiter/distributed-rate-limiter/node"
)

// windowed are the algorithms that count by windows, each of ten units.
var windowed = map[string]node.Policy{
	"fixed, seconds":       {Algorithm: node.FixedWindow, Limit: 10, Window: 10 * time.Second},
	"fixed, calendar":      {Algorithm: node.FixedWindow, Limit: 10, Calendar: node.Calendar(2)},
	"fixed, day in Berlin": {Algorithm: node.FixedWindow, Limit: 10, Window: 24 * time.Hour, TimeZone: "Europe/Berlin"},
	"sliding, estimate":    {Algorithm: node.SlidingWindow, Limit: 10, Window: 10 * time.Second},
	"sliding, two parts":   {Algorithm: node.SlidingWindow, Limit: 10, Window: 10 * time.Second, Resolution: 2},
	"sliding, ten parts":   {Algorithm: node.SlidingWindow, Limit: 10, Window: 10 * time.Second, Resolution: 10},
	"sliding, odd parts":   {Algorithm: node.SlidingWindow, Limit: 10, Window: time.Minute, Resolution: 7},
	"sliding, sixty parts": {Algorithm: node.SlidingWindow, Limit: 10, Window: time.Minute, Resolution: 60},
}

func with(p node.Policy) node.Config {
	return node.Config{Limits: map[string]node.Policy{"default": p}}
}

func TestAWindowAdmitsItsLimitAtOnce(t *testing.T) {
	for name, p := range windowed {
		t.Run(name, func(t *testing.T) {
			n, clock := still(t, with(p))
			for i := range int64(10) {
				d := n.Take("alice", 1)
				if !d.Allowed || d.Remaining != 9-i || d.Quota != 10 || d.Burst != 10 {
					t.Fatalf("unit %d: %+v", i, d)
				}
			}
			d := n.Take("alice", 1)
			if d.Allowed || d.Reason != node.ReasonOverLimit || d.RetryAfter <= 0 || d.Remaining != 0 {
				t.Fatalf("the eleventh: %+v", d)
			}
			if other := n.Take("bob", 10); !other.Allowed {
				t.Errorf("bob: %+v", other)
			}
			if d := n.Take("carol", 11); d.Allowed || d.Reason != node.ReasonCostTooHigh {
				t.Errorf("a cost above the limit: %+v", d)
			}
			clock.at = clock.at.Add(d.RetryAfter - 1)
			if d := n.Take("alice", 1); d.Allowed {
				t.Errorf("admitted 1 ns before the time to retry: %+v", d)
			}
			clock.at = clock.at.Add(1)
			if d := n.Take("alice", 1); !d.Allowed {
				t.Errorf("denied at the time to retry: %+v", d)
			}
		})
	}
}

// log is the most units in any trailing window.
type slidingLog struct {
	at    []time.Time
	units []int64
}

func (l *slidingLog) within(w time.Duration, t time.Time) int64 {
	sum := int64(0)
	for i, at := range l.at {
		if at.After(t.Add(-w)) {
			sum += l.units[i]
		}
	}
	return sum
}

// What one client can get in any trailing window on one node, under a load that asks
// for more all the time: docs/algorithms.md states these.
func TestNoTrailingWindowHoldsMoreThanIsDocumented(t *testing.T) {
	for name, p := range windowed {
		if p.Window == 0 || p.TimeZone != "" {
			continue
		}
		most := map[node.Algorithm]int64{node.FixedWindow: 20, node.SlidingWindow: 19}[p.Algorithm]
		if p.Resolution > 1 {
			most = 10
		}
		t.Run(name, func(t *testing.T) {
			rnd := rand.New(rand.NewPCG(7, uint64(p.Resolution))) //nolint:gosec // a test's
			n, clock := still(t, with(p))
			var log slidingLog
			worst := int64(0)
			for range 5000 {
				clock.at = clock.at.Add(time.Duration(rnd.Int64N(int64(p.Window) / 6)))
				cost := 1 + rnd.Int64N(10)/(1+rnd.Int64N(10))
				if n.Take("alice", cost).Allowed {
					log.at, log.units = append(log.at, clock.at), append(log.units, cost)
				}
				if len(log.at) > 200 {
					log.at, log.units = log.at[100:], log.units[100:]
				}
				worst = max(worst, log.within(p.Window, clock.at))
			}
			if worst > most || worst < 10 {
				t.Errorf("%d units in one window, want 10 to %d", worst, most)
			}
		})
	}
}

// Day and month begin where they begin in their zone.
func TestCalendarWindowsBeginInTheirZone(t *testing.T) {
	berlin, err := time.LoadLocation("Europe/Berlin")
	must(t, err)
	for _, c := range []struct {
		unit node.Calendar
		at   time.Time
		next time.Time
	}{
		{4, time.Date(2032, 3, 28, 0, 30, 0, 0, berlin), time.Date(2032, 3, 29, 0, 0, 0, 0, berlin)}, // of 23 hours
		{4, time.Date(2032, 10, 31, 12, 0, 0, 0, berlin), time.Date(2032, 11, 1, 0, 0, 0, 0, berlin)},
		{5, time.Date(2032, 11, 25, 16, 0, 0, 0, berlin), time.Date(2032, 11, 29, 0, 0, 0, 0, berlin)},
		{6, time.Date(2032, 2, 10, 16, 0, 0, 0, berlin), time.Date(2032, 3, 1, 0, 0, 0, 0, berlin)},
		{7, time.Date(2032, 12, 31, 23, 30, 0, 0, time.UTC), time.Date(2034, 1, 1, 0, 0, 0, 0, berlin)},
	} {
		n, clock := still(t, with(node.Policy{Algorithm: node.FixedWindow, Limit: 2, Calendar: c.unit, TimeZone: "Europe/Berlin"}))
		clock.at = c.at
		n.Take("alice", 2)
		d := n.Take("alice", 1)
		if d.Allowed || d.RetryAfter != c.next.Sub(c.at) || d.ResetAfter != d.RetryAfter {
			t.Errorf("%v at %v: %+v, want it to be retried at %v", c.unit, c.at, d, c.next)
		}
		clock.at = c.next
		if d := n.Take("alice", 2); !d.Allowed {
			t.Errorf("%v at %v: %+v", c.unit, c.next, d)
		}
	}
}

// A reservation gives back what was not used in the window in which it was taken.
func TestWindowsTakeBackWhatWasReserved(t *testing.T) {
	for name, p := range windowed {
		t.Run(name, func(t *testing.T) {
			n, _ := still(t, with(p))
			r := n.Limiter("").Reserve("alice", 8)
			if back := r.Commit(3); back != 5 {
				t.Errorf("gave %d back, want 5", back)
			}
			if d := n.Take("alice", 7); !d.Allowed || d.Remaining != 0 {
				t.Errorf("%+v", d)
			}
			if back := n.Limiter("").Reserve("bob", 4).Commit(12); back != -8 {
				t.Errorf("charged %d, want -8", back)
			}
			if d := n.Take("bob", 1); d.Allowed || d.Remaining != 0 {
				t.Errorf("in debt: %+v", d)
			}
		})
	}
}

func TestResettingForgetsEveryPartOfAWindow(t *testing.T) {
	for name, p := range windowed {
		t.Run(name, func(t *testing.T) {
			n, clock := still(t, with(p))
			n.Take("alice", 5)
			clock.at = clock.at.Add(2 * time.Second)
			n.Take("alice", 5)
			must(t, n.Reset("", "alice"))
			if d := n.Take("alice", 10); !d.Allowed {
				t.Errorf("%+v", d)
			}
		})
	}
}

// A client is forgotten some windows after its last request, whatever counts it.
func TestWindowedClientsAreForgotten(t *testing.T) {
	for name, p := range windowed {
		t.Run(name, func(t *testing.T) {
			l := newLab(t, 1, with(p))
			l.nodes[0].take("", "alice", 3)
			for range 16 {
				l.now = l.now.Add(12 * time.Hour)
				l.run(time.Second)
			}
			if n := l.nodes[0].Node.Stats().Clients; n != 0 {
				t.Errorf("%d clients are held", n)
			}
		})
	}
}

// priced are the rules whose decisions are timed, and must not allocate.
func priced() map[string]node.Request {
	return map[string]node.Request{
		"gcra": {Limit: "gcra"}, "fixed": {Limit: "fixed"}, "month in Berlin": {Limit: "month"}, "sliding": {Limit: "sliding"},
		"10 parts": {Limit: "ten"}, "60 parts": {Limit: "sixty"}, "override by id": {Limit: "overrides", Client: "acme"},
		"override by network": {Limit: "overrides", Client: "10.1.2.3"}, "no override": {Limit: "overrides"},
	}
}

func pricedNode(t testing.TB) (*node.Node, *hand) {
	const many = 1 << 40
	return still(t, node.Config{Limits: map[string]node.Policy{
		"gcra":      {Limit: many, Window: time.Minute},
		"fixed":     {Algorithm: node.FixedWindow, Limit: many, Window: time.Minute},
		"month":     {Algorithm: node.FixedWindow, Limit: many, Calendar: 6, TimeZone: "Europe/Berlin"},
		"sliding":   {Algorithm: node.SlidingWindow, Limit: many, Window: time.Minute},
		"ten":       {Algorithm: node.SlidingWindow, Limit: many, Window: time.Minute, Resolution: 10},
		"sixty":     {Algorithm: node.SlidingWindow, Limit: many, Window: time.Minute, Resolution: 60},
		"overrides": {Limit: many, Window: time.Minute, Overrides: tenants().Overrides[:5]},
	}})
}

func TestNoAlgorithmAllocates(t *testing.T) {
	n, clock := pricedNode(t)
	for name, q := range priced() {
		if q.Client == "" {
			q.Client = "alice"
		}
		n.Do(q)
		if got := testing.AllocsPerRun(200, func() {
			clock.at = clock.at.Add(700 * time.Millisecond)
			n.Do(q)
		}); got != 0 {
			t.Errorf("%s: %v allocations", name, got)
		}
	}
}

func BenchmarkRules(b *testing.B) {
	for name, q := range priced() {
		if q.Client == "" {
			q.Client = "alice"
		}
		b.Run(name, func(b *testing.B) {
			n, _ := pricedNode(b)
			b.ReportAllocs()
			for b.Loop() {
				n.Do(q)
			}
		})
	}
	b.Run("three limits", func(b *testing.B) {
		n, _ := pricedNode(b)
		q := node.Request{Client: "alice", Limit: "gcra", Also: []node.Check{{Limit: "fixed"}, {Limit: "sliding", Client: "acme"}}}
		b.ReportAllocs()
		for b.Loop() {
			n.Do(q)
		}
	})
	b.Run("a limit with the call", func(b *testing.B) {
		n, _ := pricedNode(b)
		q := node.Request{Client: "alice", Policy: &node.Policy{Limit: 1 << 40, Window: time.Minute}}
		b.ReportAllocs()
		for b.Loop() {
			n.Do(q)
		}
	})
}

// A node that was cut off for longer than resets are repeated learns of one all the same,
// where windows are that long.
func TestAResetOutlivesALongPartition(t *testing.T) {
	for _, takes := range []int{0, 2} { // by the node itself; from peers only
		l := newLab(t, 3, with(windowed["fixed, day in Berlin"]))
		l.nodes[0].take("", "alice", 3)
		l.nodes[takes].take("", "alice", 2)
		l.run(time.Second)
		l.lose = func(m mail) bool { return (m.from == 2) != (m.to == 2) }
		l.run(time.Second)
		must(t, l.nodes[1].Node.Reset("", "alice"))
		l.run(200 * time.Second)
		l.lose = nil
		l.run(15 * time.Second)
		l.agree("", "alice", 10)
		l.nodes[0].take("", "alice", 1)
		l.run(time.Second)
		l.agree("", "alice", 9)
	}
}

// A node that only hears of a client takes nothing for excess that is long over.
func TestWhatIsOverIsNoExcess(t *testing.T) {
	for _, p := range []node.Policy{
		{Algorithm: node.SlidingWindow, Limit: 10, Window: 10 * time.Second, Resolution: 2},
		{Algorithm: node.SlidingWindow, Limit: 10, Window: 10 * time.Second},
		{Algorithm: node.FixedWindow, Limit: 10, Window: 10 * time.Second},
		{Limit: 10, Window: 10 * time.Second},
	} {
		l := newLab(t, 2, with(p))
		for range 6 {
			l.nodes[0].take("", "alice", 10)
			l.run(20 * time.Second)
		}
		if got := l.nodes[1].Node.Stats().Limits[0].OvershootSeen; got != 0 {
			t.Errorf("%v, %d parts: %d units of excess", p.Algorithm, p.Resolution, got)
		}
	}
}

// What is left to be said of the life before takes nothing of a local limit with it.
func TestALimitThatBecomesLocalIsNotSentAnyMore(t *testing.T) {
	l := newLab(t, 2, hourly(1000))
	l.run(25 * time.Millisecond) // between two flushes
	must(t, errorOf(l.nodes[0].Node.SetLimit("default", node.Policy{Limit: 1000, Window: 100 * time.Hour, Consistency: node.Local})))
	for range 400 {
		l.nodes[0].take("", "alice", 1)
		l.run(time.Millisecond)
	}
	l.run(time.Second)
	if lost := l.nodes[1].Node.Stats().RowsLost["revision"]; lost != 0 {
		t.Errorf("%d rows of a local limit arrived", lost)
	}
}

// A local limit is each node's own: nothing of it is sent, and nothing of a peer's taken.
func TestALocalLimitIsCountedByEachNode(t *testing.T) {
	p := node.Policy{Limit: 5, Window: 100 * time.Hour, Consistency: node.Local}
	l := newLab(t, 3, node.Config{Limits: map[string]node.Policy{"default": p, "shared": {Limit: 5, Window: 100 * time.Hour}}})
	for i, m := range l.nodes {
		if got := m.take("", "alice", 10); got != 5 {
			t.Errorf("n%d admitted %d", i, got)
		}
	}
	l.run(2 * time.Second)
	for _, m := range l.nodes {
		s := m.Node.Stats()
		if s.Sync.RowsSent != 0 || s.Limits[0].OvershootBound != 0 || s.Limits[1].OvershootBound == 0 {
			t.Errorf("n%d sent %d rows; the bounds are %v and %v", m.index, s.Sync.RowsSent, s.Limits[0].OvershootBound, s.Limits[1].OvershootBound)
		}
	}
	// One that joins gets nothing of it either, and what it is reset to stays each node's.
	l.join(node.Config{Limits: map[string]node.Policy{"default": p, "shared": {Limit: 5, Window: 100 * time.Hour}}})
	l.run(3 * time.Second)
	if got := l.nodes[3].take("", "alice", 10); got != 5 {
		t.Errorf("the node that joined admitted %d", got)
	}
	must(t, l.nodes[0].Node.Reset("", "alice"))
	l.run(time.Second)
	l.agree("", "alice", 5)
}
