package node_test

import (
	"testing"
	"time"

	"github.com/distributed-rate-limiter/distributed-rate-limiter/node"
	deltasync "github.com/distributed-rate-limiter/distributed-rate-limiter/sync"
)

// quotaConfig is of a lab of n nodes under a quota of a minute.
func quotaConfig(n int, limit int64, x float64) node.Config {
	return node.Config{Roster: names(n), Limits: map[string]node.Policy{
		node.DefaultLimit: {Algorithm: node.FixedWindow, Limit: limit, Window: time.Minute, Consistency: node.Bounded, MaxExcess: x},
	}}
}

// newQuota is a lab in the first seconds of a window in which all nodes have their shares.
func newQuota(t *testing.T, n int, limit int64, x float64) *lab {
	t.Helper()
	l := newLab(t, n, quotaConfig(n, limit, x))
	l.run(64*time.Second - time.Duration(l.now.UnixNano())%time.Minute)
	return l
}

// takeAll lets all nodes ask again and again, and returns what they admit.
func (l *lab) takeAll(client string, rounds int) (total int) {
	for range rounds {
		for _, m := range l.nodes {
			if !m.dead {
				total += m.take("", client, 200)
			}
		}
		l.run(5 * time.Millisecond)
	}
	return total
}

func TestAQuotaIsNeverExceededAndAllOfItCanBeUsed(t *testing.T) {
	for _, x := range []float64{0, 6} {
		l := newQuota(t, 3, 100, x)
		m := l.nodes[0]
		got := m.take("", "c", 200)
		for range 100 {
			l.run(5 * time.Millisecond)
			got += m.take("", "c", 200)
		}
		if got < 98 || got > 100+int(x) {
			t.Errorf("with an excess of %v one node admits %d of 100", x, got)
		}
		if got += l.takeAll("c", 20); got > 100+int(x) {
			t.Errorf("with an excess of %v all nodes admit %d", x, got)
		}
		if d := m.Node.Take("c", 1); d.Allowed || d.RetryAfter <= 0 || d.RetryAfter > time.Minute {
			t.Errorf("then the answer is %+v", d)
		}
		l.run(time.Minute)
		if got := l.takeAll("c", 40); got < 98 || got > 100+int(x) {
			t.Errorf("with an excess of %v, %d pass in the next window", x, got)
		}
	}
}

func TestAQuotaHoldsWhileNodesHearNobody(t *testing.T) {
	for x, want := range map[float64]int{0: 99, 6: 105} {
		l := newQuota(t, 3, 100, x)
		l.lose = func(mail) bool { return true }
		if got := l.takeAll("c", 5); got != want {
			t.Errorf("with an excess of %v, %d pass, want %d", x, got, want)
		}
	}
}

// A node that starts does not know what its last run used, so it has no share until a later window.
func TestARestartedNodeHasNoShareOfTheQuotaUnderWay(t *testing.T) {
	l := newQuota(t, 2, 100, 0)
	l.lose = func(mail) bool { return true }
	m := l.nodes[0]
	total := m.take("", "c", 200)
	cfg := quotaConfig(2, 100, 0)
	cfg.Name, cfg.Now = "n0", func() time.Time { return l.now }
	s, err := node.NewStepper(cfg, 99)
	must(t, err)
	m.Stepper, m.wake = s, 0
	m.input(deltasync.Input{Kind: deltasync.InputConnected})
	total += m.take("", "c", 200) + l.nodes[1].take("", "c", 200)
	if total != 100 {
		t.Errorf("%d pass around a restart, want 100", total)
	}
	l.lose = nil
	l.run(time.Minute)
	l.lose = func(mail) bool { return true }
	if got := m.take("", "c", 200); got != 50 {
		t.Errorf("%d pass in the next window, want its half", got)
	}
}

// A client that comes back to a node meanwhile does not find a new share there.
func TestAQuotaOutlivesWhatANodeForgets(t *testing.T) {
	l := newQuota(t, 2, 10, 0)
	l.lose = func(mail) bool { return true }
	m := l.nodes[0]
	total := m.take("", "c", 20)
	for range 20 {
		l.run(time.Second)
		m.Housekeep()
		total += m.take("", "c", 20)
	}
	if total != 5 {
		t.Errorf("%d pass, want half", total)
	}
}

func TestASettlementGivesBackWithinItsWindowAlone(t *testing.T) {
	l := newQuota(t, 2, 100, 0)
	l.lose = func(mail) bool { return true }
	m := l.nodes[0]
	r := m.Node.Limiter("").Reserve("c", 50)
	if back := r.Cancel(); !r.Allowed || back != 50 {
		t.Fatalf("%d come back of %+v", back, r.Decision)
	}
	if got := m.take("", "c", 200); got != 50 {
		t.Errorf("%d pass after the settlement, want half", got)
	}
	r = m.Node.Limiter("").Reserve("d", 50)
	l.run(time.Minute)
	r.Cancel()
	if got := m.take("", "d", 200); got != 50 {
		t.Errorf("%d pass in the next window, want half", got)
	}
}

func TestAQuotaDecisionAllocatesNothing(t *testing.T) {
	l := newQuota(t, 3, 100_000, 0)
	m := l.nodes[0]
	m.take("", "c", 10)
	if n := testing.AllocsPerRun(1000, func() { m.Node.Allow("c") }); n > 0 {
		t.Errorf("%v allocations for a decision", n)
	}
}

// Whoever lent knows nothing else of the client, and remembers that all the same.
func TestALenderOfAQuotaRemembersWhatItLent(t *testing.T) {
	l := newQuota(t, 2, 100, 0)
	l.lose = func(p mail) bool { return p.kind != "want" && p.kind != "loan" && p.kind != "beat" }
	total := 0
	for range 10 {
		total += l.nodes[0].take("", "c", 100)
		l.run(5 * time.Millisecond)
	}
	if total <= 50 {
		t.Fatalf("%d pass at one node, so nothing is lent", total)
	}
	for range 20 {
		l.run(time.Second)
		l.nodes[1].Housekeep()
	}
	if total += l.nodes[1].take("", "c", 200); total > 100 {
		t.Errorf("%d pass in one window", total)
	}
}

func TestALoanThatIsLateForItsWindowIsVoid(t *testing.T) {
	l := newQuota(t, 2, 100, 0)
	l.run(time.Minute - 4*time.Second - 20*time.Millisecond)
	l.hold = func(p mail) bool { return p.kind == "loan" }
	l.nodes[0].take("", "c", 60)
	l.run(100 * time.Millisecond) // the window ends
	if len(l.held) == 0 {
		t.Fatal("nothing is lent")
	}
	l.release(nil)
	l.lose = func(mail) bool { return true }
	if got := l.takeAll("c", 1); got != 100 {
		t.Errorf("%d pass in the next window, want 100", got)
	}
}

// A node that has not heard of a reset yet lends nothing of the life before to one that has.
func TestWhatALifeHadIsNotLentToTheNextOne(t *testing.T) {
	l := newQuota(t, 2, 100, 0)
	l.nodes[0].take("", "c", 10)
	l.nodes[1].take("", "c", 10)
	l.run(100 * time.Millisecond)
	l.hold = func(p mail) bool { return p.kind != "want" && p.kind != "loan" }
	must(t, l.nodes[1].Node.Reset("", "c"))
	total := 0
	for range 20 {
		total += l.nodes[1].take("", "c", 100)
		l.run(5 * time.Millisecond)
	}
	l.release(nil)
	if total += l.takeAll("c", 40); total < 98 || total > 100 {
		t.Errorf("%d pass after the reset, want the quota", total)
	}
}
