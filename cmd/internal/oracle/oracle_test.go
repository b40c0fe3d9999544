package oracle_test

import (
	"math"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/distributed-rate-limiter/distributed-rate-limiter/cmd/internal/oracle"
	"github.com/distributed-rate-limiter/distributed-rate-limiter/node/limit"
)

// single is one node's own decision, which has arithmetic of its own: integer origins and
// counts in windows that it folds.
type single struct {
	rule   limit.Rule
	states limit.States
}

func newSingle(t *testing.T, p limit.Policy, at int64) *single {
	t.Helper()
	c, err := limit.Compile(p)
	if err != nil {
		t.Fatal(err)
	}
	s := &single{rule: c.Rules[0]}
	first, rest := s.rule.NewStates(at)
	s.states = limit.States{First: &first, Rest: rest}
	return s
}

func (s *single) take(t, cost int64) bool {
	s.rule.Roll(s.states, t)
	ok, origin := s.rule.Admits(s.states, t, cost)
	if ok {
		current := s.rule.Current(s.states, t)
		if origin != math.MinInt64 {
			current.Raise(origin)
		}
		current.Admit(uint64(cost)) //nolint:gosec // positive
	}
	return ok
}

func TestACentralLimiterDecidesAsASingleNode(t *testing.T) {
	for name, p := range map[string]limit.Policy{
		"gcra":           {Limit: 50, Window: time.Second},
		"burst":          {Limit: 7, Window: 7 * time.Second, Burst: 3},
		"fixed window":   {Algorithm: limit.FixedWindow, Limit: 20, Window: time.Second},
		"sliding window": {Algorithm: limit.SlidingWindow, Limit: 30, Window: time.Second},
		"in parts":       {Algorithm: limit.SlidingWindow, Resolution: 4, Limit: 30, Window: time.Second},
	} {
		t.Run(name, func(t *testing.T) {
			const seed = 4
			r := rand.New(rand.NewPCG(seed, 1)) //nolint:gosec // repeatable on purpose
			at := time.Date(2030, 1, 1, 0, 0, 0, 12345, time.UTC).UnixNano()
			l, err := oracle.New(p)
			if err != nil {
				t.Fatal(err)
			}
			node, central := newSingle(t, p, at), l.NewMeter(0)
			answers := map[bool]int{}
			for i := range 20_000 {
				at += r.Int64N(int64(p.Window) / p.Limit)
				if r.IntN(500) == 0 {
					at += r.Int64N(4 * int64(p.Window))
				}
				cost := 1 + r.Int64N(2)
				want := node.take(at, cost)
				if got := central.Fits(at, cost); got != want {
					t.Fatalf("seed %d, request %d: %v, a node says %v", seed, i, got, want)
				}
				answers[want]++
				if want {
					central.Add(at, cost)
				}
				if over := central.Over(at); over > 1e-9 {
					t.Fatalf("seed %d, request %d: %v units over the limit", seed, i, over)
				}
			}
			if answers[true] < 1000 || answers[false] < 1000 {
				t.Errorf("too one-sided to show much: %v", answers)
			}
		})
	}
}

func TestOverIsWhatNodesAdmittedTooMuch(t *testing.T) {
	start := time.Date(2030, 1, 1, 0, 0, 0, 0, time.UTC).UnixNano()
	for _, c := range []struct {
		policy limit.Policy
		at     []time.Duration
		want   float64
	}{
		{limit.Policy{Limit: 60, Window: time.Minute, Burst: 3}, []time.Duration{0, 0, 0}, 0},
		{limit.Policy{Limit: 60, Window: time.Minute, Burst: 3}, []time.Duration{0, 0, 0, time.Second / 2}, 0.5},
		{limit.Policy{Limit: 60, Window: time.Minute, Burst: 3}, []time.Duration{0, 9 * time.Second, 9 * time.Second, 9 * time.Second, 9 * time.Second}, 1},
		{limit.Policy{Algorithm: limit.FixedWindow, Limit: 2, Window: time.Minute}, []time.Duration{59 * time.Second, time.Minute, time.Minute, time.Minute}, 1},
		{limit.Policy{Algorithm: limit.SlidingWindow, Limit: 4, Window: time.Minute}, []time.Duration{0, 0, 0, 0, 90 * time.Second, 90 * time.Second, 90 * time.Second}, 1},
	} {
		l, err := oracle.New(c.policy)
		if err != nil {
			t.Fatal(err)
		}
		m, most := l.NewMeter(0), math.Inf(-1)
		for _, d := range c.at {
			m.Add(start+int64(d), 1)
			most = max(most, m.Over(start+int64(d)))
		}
		if math.Abs(most-c.want) > 1e-9 {
			t.Errorf("%v, %v: %v, want %v", c.policy, c.at, most, c.want)
		}
	}
}

func TestAChangeKeepsWhatWasUsed(t *testing.T) {
	start := time.Date(2030, 1, 1, 0, 0, 0, 0, time.UTC).UnixNano()
	before, err := oracle.New(limit.Policy{Limit: 100, Window: time.Hour})
	if err != nil {
		t.Fatal(err)
	}
	for _, to := range []limit.Policy{
		{Limit: 200, Window: time.Hour},
		{Limit: 50, Window: time.Hour},
		{Algorithm: limit.FixedWindow, Limit: 200, Window: time.Hour},
	} {
		m := before.NewMeter(0)
		m.Add(start, 80)
		after, err := oracle.New(to)
		if err != nil {
			t.Fatal(err)
		}
		m.Change(after, 0, start)
		if got, want := m.Over(start), float64(min(80, to.Limit)-to.Limit); got != want {
			t.Errorf("%v: %v over, want %v", to, got, want)
		}
	}
}

func TestATightenedLimitIsThatOfThePromise(t *testing.T) {
	for _, c := range []struct {
		policy limit.Policy
		want   int
	}{
		{limit.Policy{Limit: 100, Window: 10 * time.Second}, 100 - 1 - 5},
		{limit.Policy{Limit: 10, Window: time.Hour}, 10 - 1 - 1},
		{limit.Policy{Limit: 10, Window: time.Hour, Burst: 2}, 0},
		{limit.Policy{Algorithm: limit.FixedWindow, Limit: 10, Window: time.Hour}, 0},
		{limit.Policy{Access: limit.Unlimited}, 1000},
	} {
		l, err := oracle.New(c.policy)
		if err != nil {
			t.Fatal(err)
		}
		m, n := l.Tightened(500*time.Millisecond).NewMeter(0), 0
		for n < 1000 && m.Fits(0, 1) {
			m.Add(0, 1)
			n++
		}
		if n != c.want {
			t.Errorf("%v: %d fit, want %d", c.policy, n, c.want)
		}
	}
}

func TestOverridesHaveMetersOfTheirOwn(t *testing.T) {
	l, err := oracle.New(limit.Policy{Limit: 1, Window: time.Hour, Overrides: []limit.Override{
		{Clients: []string{"big"}, Limit: 3},
		{Clients: []string{"free"}, Access: limit.Unlimited},
		{Clients: []string{"bad"}, Access: limit.Blocked},
		{CIDRs: []string{"2001:db8::/32"}, Limit: 2},
	}})
	if err != nil {
		t.Fatal(err)
	}
	for client, want := range map[string]int{"other": 1, "big": 3, "free": 10, "bad": 0, "2001:db8::1": 2} {
		m, n := l.NewMeter(l.Find(client)), 0
		for range 10 {
			if m.Fits(0, 1) {
				m.Add(0, 1)
				n++
			}
		}
		if n != want {
			t.Errorf("%s got %d, want %d", client, n, want)
		}
	}
	if one, two := l.Key("2001:db8::1"), l.Key("2001:db8::2"); one != two || one == "2001:db8::1" {
		t.Errorf("two addresses of one network count as %s and %s", one, two)
	}
	if _, err := oracle.New(limit.Policy{}); err == nil {
		t.Error("a policy without a limit was taken")
	}
}
