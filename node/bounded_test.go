package node_test

import (
	"strings"
	"testing"
	"time"

	"github.com/distributed-rate-limiter/distributed-rate-limiter/node"
)

// boundedConfig is of a lab of n nodes under a limit that is never exceeded by more than x. A
// unit drains in 100 ms.
func boundedConfig(n int, burst int64, x float64) node.Config {
	names := []string{"n0", "n1", "n2", "n3", "n4", "n5", "n6", "n7"}
	return node.Config{Roster: names[:n], SavedRoster: savedRoster(names[:n]), Limits: map[string]node.Policy{
		node.DefaultLimit: {Limit: burst, Window: time.Duration(burst) * 100 * time.Millisecond, Consistency: node.Bounded, MaxExcess: x},
	}}
}

// savedRoster is what a node of a roster keeps that used its shares.
func savedRoster(names []string) []byte {
	return []byte(`{"version": 1, "opened": true, "configured": ["` + strings.Join(names, `", "`) + `"], "members": ["` + strings.Join(names, `", "`) + `"]}`)
}

// newBounded is a lab whose accounts are full.
func newBounded(t *testing.T, n int, burst int64, x float64) *lab {
	t.Helper()
	l := newLab(t, n, boundedConfig(n, burst, x))
	l.run(16 * time.Second)
	return l
}

func TestANodeAdmitsItsShareAtOnceAndBorrowsTheRest(t *testing.T) {
	l := newBounded(t, 3, 99, 0)
	m := l.nodes[0]
	if got := m.take("", "c", 99); got != 33 {
		t.Fatalf("%d of 99 pass at once, want a third", got)
	}
	d := m.Node.Take("c", 1)
	if d.Allowed || d.Reason != node.ReasonShort || d.RetryAfter <= 0 || d.RetryAfter > 50*time.Millisecond {
		t.Errorf("then the answer is %+v, want short for a round trip", d)
	}
	got := 33
	for range 20 {
		l.run(5 * time.Millisecond)
		got += m.take("", "c", 99-got)
	}
	if got != 99 {
		t.Errorf("%d pass within 100 ms, want all 99", got)
	}
	l.run(50 * time.Millisecond)
	for i, other := range l.nodes {
		if d := other.Node.Take("c", 2); d.Allowed {
			t.Errorf("n%d admits more: %+v", i, d)
		}
	}
}

func TestAllNodesTogetherNeverExceedTheCapWhileTheyHearNobody(t *testing.T) {
	for _, x := range []float64{0, 0.06, 9} {
		l := newBounded(t, 3, 90, x)
		l.lose = func(mail) bool { return true }
		total := int64(0)
		for _, m := range l.nodes {
			total += int64(m.take("", "c", 100))
		}
		most := int64(90)
		switch x {
		case 0.06:
			most = 93 // thirds of 5.4 are rounded down, to units
		case 9:
			most = 99
		}
		if total != most {
			t.Errorf("with an excess of %v, %d units pass, want %d", x, total, most)
		}
	}
}

func TestARestartedNodeStartsWithNothing(t *testing.T) {
	l := newBounded(t, 2, 100, 0)
	if got := l.nodes[0].take("", "c", 100); got != 50 {
		t.Fatalf("%d pass, want half", got)
	}
	l.nodes[0].dead = true
	again := l.join(boundedConfig(3, 100, 0)) // under another name, but a new incarnation all the same
	l.run(time.Millisecond)
	if got := again.take("", "c", 100); got != 0 {
		t.Errorf("%d pass right after the start", got)
	}
}

func TestABoundedLimitNeedsARoster(t *testing.T) {
	policy := node.Policy{Limit: 10, Window: time.Second, Consistency: node.Bounded}
	base := node.Config{Name: "a", Transport: new(node.Memory).Transport(), Limits: map[string]node.Policy{"x": policy}}
	for want, roster := range map[string][]string{
		"limits.x.consistency": nil,
		"roster":               {"b", "c"},
	} {
		cfg := base
		cfg.Roster = roster
		_, err := node.Open(t.Context(), cfg)
		if got := fields(err); len(got) != 1 || got[0] != want {
			t.Errorf("with the roster %v, %v is at fault, want %s", roster, got, want)
		}
	}
	for _, roster := range [][]string{{"a", "a"}, {"a", "b.c"}, make([]string, node.MaxRoster+1)} {
		cfg := base
		cfg.Roster = roster
		if _, err := node.Open(t.Context(), cfg); err == nil {
			t.Errorf("the roster %v is taken", roster)
		}
	}
	alone, err := node.Open(t.Context(), node.Config{Name: "a", Limits: base.Limits})
	must(t, err)
	must(t, alone.Close())
}

func TestABoundedDecisionAllocatesNothing(t *testing.T) {
	l := newBounded(t, 3, 90, 0)
	m := l.nodes[0]
	m.take("", "c", 10)
	if n := testing.AllocsPerRun(1000, func() { m.Node.Allow("c") }); n > 0 {
		t.Errorf("%v allocations for a decision", n)
	}
}
