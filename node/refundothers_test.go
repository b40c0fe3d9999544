package node_test

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/distributed-rate-limiter/distributed-rate-limiter/node"
)

// refund refunds without a reservation, and lets time pass until it is done, for a second at
// most.
func (m *member) refund(q node.Request) node.Refund {
	m.lab.t.Helper()
	poll := m.Refund(q)
	for i := range 100 {
		did, done, err := poll(i == 99)
		must(m.lab.t, err)
		if done {
			return did
		}
		m.lab.run(10 * time.Millisecond)
	}
	return node.Refund{}
}

// charged is a cluster of three whose nodes took so much for alice, and know it of each other.
func charged(t *testing.T, units ...int) *lab {
	t.Helper()
	l := newLab(t, 3, hourly(100))
	for i, n := range units {
		if got := l.nodes[i].take("", "alice", n); got != n {
			t.Fatalf("n%d took %d of %d", i, got, n)
		}
	}
	l.run(time.Second)
	return l
}

func TestAnyNodeRefundsWhoeverCharged(t *testing.T) {
	for name, c := range map[string]struct {
		took     []int
		ask, get int64
		short    node.Shortfall
	}{
		"its own alone":            {[]int{0, 0, 50}, 20, 20, 0},
		"its own first":            {[]int{30, 30, 20}, 30, 30, 0},
		"nothing of its own":       {[]int{40, 30, 0}, 50, 50, 0},
		"all there is":             {[]int{40, 30, 10}, 80, 80, 0},
		"more than there is":       {[]int{40, 30, 10}, 1 << 60, 80, node.ShortDrained},
		"of whom nobody has heard": {[]int{0, 0, 0}, 5, 0, node.ShortDrained},
	} {
		t.Run(name, func(t *testing.T) {
			l := charged(t, c.took...)
			before := int64(100 - c.took[0] - c.took[1] - c.took[2])
			if did := l.nodes[2].refund(node.Request{Client: "alice", Cost: c.ask}); did != (node.Refund{Returned: c.get, Short: c.short}) {
				t.Errorf("%+v", did)
			}
			l.run(100 * time.Millisecond)
			l.agree("", "alice", before+c.get)
			if did := l.nodes[0].refund(node.Request{Client: "alice", Cost: 100}); did.Returned != 100-before-c.get {
				t.Errorf("the rest: %+v", did)
			}
			l.run(100 * time.Millisecond)
			l.agree("", "alice", 100)
		})
	}
}

// The asker knows of a refund as soon as it has the answer, give or take a message.
func TestARefundShowsAtOnce(t *testing.T) {
	l := charged(t, 60, 0, 0)
	poll := l.nodes[2].Refund(node.Request{Client: "alice", Cost: 60})
	for {
		did, done, err := poll(false)
		must(t, err)
		if done {
			if did.Returned != 60 {
				t.Fatalf("%+v", did)
			}
			break
		}
		l.run(time.Millisecond)
	}
	l.run(3 * time.Millisecond)
	if got := l.nodes[2].peek("", "alice").Remaining; got != 100 {
		t.Errorf("%d are left after the answer, want 100", got)
	}
}

func TestOnlyWhatHasNotDrainedIsRefunded(t *testing.T) {
	for _, took := range [][]int{{20, 20, 10}, {0, 0, 50}, {50, 0, 0}} {
		t.Run(fmt.Sprint(took), func(t *testing.T) {
			l := newLab(t, 3, node.Config{Limit: 60, Window: time.Minute, Burst: 60})
			for i, n := range took {
				l.nodes[i].take("", "alice", n)
			}
			l.run(20 * time.Second)
			if did := l.nodes[2].refund(node.Request{Client: "alice", Cost: 60}); did.Returned < 29 || did.Returned > 30 || did.Short != node.ShortDrained {
				t.Errorf("20 of 50 units have drained, and %+v", did)
			}
			l.run(time.Second)
			l.agree("", "alice", 60)
			l.nodes[0].take("", "alice", 60)
			l.run(time.Second)
			if got := l.nodes[1].take("", "alice", 60); got > 2 {
				t.Errorf("the client got %d units more than a burst", got)
			}
		})
	}
}

func TestWhoCannotBeReachedGivesNothing(t *testing.T) {
	l := charged(t, 40, 30, 5)
	l.nodes[0].dead = true
	if did := l.nodes[2].refund(node.Request{Client: "alice", Cost: 75}); did != (node.Refund{Returned: 35, Unconfirmed: 40, Short: node.ShortAway}) {
		t.Errorf("a silent node was asked, and it is %+v", did)
	}
	l.run(35 * time.Second)
	if did := l.nodes[2].refund(node.Request{Client: "alice", Cost: 75}); did != (node.Refund{Short: node.ShortAway}) {
		t.Errorf("a node that is gone holds the rest, and it is %+v", did)
	}
	l.agree("", "alice", 60)
}

// One node may give what another one that was asked first did not have any more.
func TestWhatOneDoesNotGiveIsAskedOfTheNext(t *testing.T) {
	l := charged(t, 30, 30, 0)
	l.hold = func(m mail) bool { return m.to == 2 } // who asks does not hear of it
	if did := l.nodes[0].refund(node.Request{Client: "alice", Cost: 30}); did.Returned != 30 {
		t.Fatalf("%+v", did)
	}
	l.hold = nil
	if did := l.nodes[2].refund(node.Request{Client: "alice", Cost: 30}); did != (node.Refund{Returned: 30}) {
		t.Errorf("%+v", did)
	}
	l.run(5 * time.Second)
	l.agree("", "alice", 100)
}

// Who has not heard of a reset asks for units of the life before it. Those of the new life stay
// charged.
func TestARefundIsOfOneLife(t *testing.T) {
	l := charged(t, 40, 0, 0)
	l.lose = func(m mail) bool { return (m.from == 0 || m.to == 2) && m.kind != "settled" }
	must(t, l.nodes[0].Node.Reset("", "alice"))
	l.nodes[0].take("", "alice", 30)
	if did := l.nodes[2].refund(node.Request{Client: "alice", Cost: 40}); did != (node.Refund{Short: node.ShortDrained}) {
		t.Errorf("%+v", did)
	}
	l.lose = nil
	l.run(5 * time.Second)
	l.agree("", "alice", 70)
}

// Whatever the network loses, repeats or holds up, and whoever asks how often: what came back
// is what was said, and never more than was taken.
func TestARefundCountsOnceWhateverTheNetworkDoes(t *testing.T) {
	var lost, unconfirmed int
	for seed := range uint64(40) {
		rnd := rand.New(rand.NewPCG(seed, 3)) //nolint:gosec // a test's
		l := newLab(t, 3, hourly(1000))
		l.lose = func(m mail) bool {
			if rnd.IntN(10) == 0 && m.kind != "bye" {
				l.wire = append(l.wire, m) // once more
			}
			drop := rnd.IntN(5) == 0
			if drop && (m.kind == "settle" || m.kind == "settled") {
				lost++
			}
			return drop
		}
		total, least, most := int64(0), int64(0), int64(0)
		for range 15 {
			cost := 1 + rnd.Int64N(50)
			if l.nodes[rnd.IntN(3)].Node.Take("alice", cost).Allowed {
				total += cost
			}
			did := l.nodes[rnd.IntN(3)].refund(node.Request{Client: "alice", Cost: 1 + rnd.Int64N(40)})
			least, most = least+did.Returned, most+did.Returned+did.Unconfirmed
			if did.Unconfirmed > 0 {
				unconfirmed++
			}
			l.run(time.Duration(rnd.IntN(100)) * time.Millisecond)
		}
		l.run(5 * time.Second)
		l.lose = nil
		l.run(8 * time.Second)
		left := l.left("", "alice")
		if slices.Min(left) != slices.Max(left) || left[0] < 1000-total+least-1 || left[0] > 1000-total+most || left[0] > 1000 {
			t.Fatalf("seed %d: %v are left of 1000, %d were taken, and %d to %d came back", seed, left, total, least, most)
		}
	}
	if lost < 100 {
		t.Errorf("only %d requests and answers were lost: this proves nothing", lost)
	}
	t.Logf("%d requests and answers lost, %d refunds unconfirmed", lost, unconfirmed)
}

// Of every algorithm comes back what still counts, and the client can use it again.
func TestEveryAlgorithmRefunds(t *testing.T) {
	policies := map[string]node.Policy{
		"gcra":   {Limit: 10, Window: time.Hour},
		"local":  {Limit: 10, Window: time.Hour, Consistency: node.Local},
		"shadow": {Limit: 10, Window: time.Hour, Shadow: true},
	}
	maps.Copy(policies, windowed)
	for name, p := range policies {
		t.Run(name, func(t *testing.T) {
			s := newSolo(t, p)
			for range 3 {
				if d := s.Take("c", 7); !d.Allowed {
					t.Fatalf("%+v", d)
				}
				if got := s.give(t, "c", 5); got != 5 || s.left("c") != 8 {
					t.Errorf("%d came back of 5, and %d are left", got, s.left("c"))
				}
				if got := s.give(t, "c", 5); got != 2 || s.left("c") != 10 {
					t.Errorf("%d came back of the last 2, and %d are left", got, s.left("c"))
				}
			}
			s.Charge(node.Request{Client: "c", Cost: 17})
			if got := s.give(t, "c", 12); got != 12 || s.left("c") != 5 {
				t.Errorf("%d of a debt came back, and %d are left", got, s.left("c"))
			}
			s.at.Add(int64(72 * time.Hour))
			if got := s.give(t, "c", 5); got != 0 || s.left("c") != 10 {
				t.Errorf("three days later %d came back, and %d are left", got, s.left("c"))
			}
		})
	}
}

func (s *solo) left(client string) int64 {
	return s.Do(node.Request{Client: client, Peek: true}).Remaining
}

// A refund takes the units on top first, so it leaves those of an earlier reservation alone
// until it has taken all that came later.
func TestARefundTakesTheLatestUnits(t *testing.T) {
	for _, c := range []struct{ refund, back int64 }{{0, 20}, {30, 20}, {40, 10}, {50, 0}} {
		s := newSolo(t, node.Policy{Limit: 60, Window: time.Minute, Burst: 100})
		r := s.Reserve(node.Request{Client: "c", Cost: 20})
		s.Take("c", 30)
		if c.refund > 0 {
			s.give(t, "c", c.refund)
		}
		if got := r.Cancel(); got != c.back || s.left("c") != 50+c.refund+c.back {
			t.Errorf("after a refund of %d, %d came back and %d are left; want %d", c.refund, got, s.left("c"), c.back)
		}
	}
}

// A client that refunds more often than its node remembers one by one gets less back, never more.
func TestManyRefundsDoNotReachBelowAReservation(t *testing.T) {
	s := newSolo(t, node.Policy{Limit: 60, Window: time.Minute, Burst: 100})
	reserve := func(units int64) *node.Reservation {
		return s.Reserve(node.Request{Client: "c", Cost: units, Timeout: time.Minute})
	}
	below, earlier, r := reserve(20), reserve(10), reserve(50)
	if got := earlier.Cancel(); got != 10 {
		t.Fatalf("%d of 10 came back", got)
	}
	for range 70 {
		s.Take("c", 1)
		s.give(t, "c", 1)
	}
	s.give(t, "c", 20)
	if got := r.Cancel(); got == 0 || got > 30 {
		t.Errorf("%d came back of the 30 that were left", got)
	}
	if got := below.Cancel(); got == 0 || got > 20 {
		t.Errorf("%d came back of the 20 below them", got)
	}
}

func TestBadRefundsAreRefused(t *testing.T) {
	s := newSolo(t, node.Policy{Limit: 10, Window: time.Hour})
	s.Take("c", 5)
	for field, q := range map[string]node.Request{
		"client":       {Cost: 1},
		"cost":         {Client: "c", Cost: -1},
		"limit":        {Client: "c", Limit: "none"},
		"also":         {Client: "c", Also: []node.Check{{Limit: "default"}}},
		"peek":         {Client: "c", Peek: true},
		"at_most":      {Client: "c", AtMost: true},
		"timeout":      {Client: "c", Timeout: time.Second},
		"policy.limit": {Client: "c", Policy: &node.Policy{Limit: -1, Window: time.Second}},
	} {
		did, err := s.Refund(t.Context(), q)
		f, ok := errors.AsType[*node.FieldError](err)
		if !ok || f.Field != field || did != (node.Refund{}) {
			t.Errorf("%s: %+v, %v", field, did, err)
		}
	}
	if _, err := s.Refund(nil, node.Request{Client: "c"}); err == nil { //nolint:staticcheck // the caller's mistake
		t.Error("without a context")
	}
	if s.left("c") != 5 {
		t.Errorf("%d are left", s.left("c"))
	}
	_ = s.Close()
	if _, err := s.Refund(t.Context(), node.Request{Client: "c"}); !errors.Is(err, node.ErrClosed) {
		t.Errorf("after Close: %v", err)
	}
}

// Policies that come with requests are refunded as well, also where another node charged.
func TestAnInlinePolicyIsRefunded(t *testing.T) {
	l := newLab(t, 2, hourly(100))
	q := node.Request{Client: "alice", Limit: "calls", Cost: 4, Policy: &node.Policy{Limit: 10, Window: time.Hour}}
	if !l.nodes[0].Node.Do(q).Allowed {
		t.Fatal("denied")
	}
	l.run(time.Second)
	if did := l.nodes[1].refund(q); did != (node.Refund{Returned: 4}) {
		t.Errorf("%+v", did)
	}
	l.run(time.Second)
	q.Cost = 10
	if !l.nodes[1].Node.Do(q).Allowed {
		t.Error("nothing came back")
	}
}

// Running nodes refund beside decisions, and whoever asks waits for the others.
func TestRefundsOfRunningNodes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var network node.Memory
		nodes := cluster(t, &network, "a", "b", "c")
		defer closeAll(nodes)
		time.Sleep(4 * time.Second) // all have joined
		var wait sync.WaitGroup
		for i, n := range nodes[:2] {
			wait.Go(func() {
				for range 20 {
					if d := n.Take("alice", 1); !d.Allowed {
						t.Errorf("%d: %+v", i, d)
					}
				}
			})
		}
		wait.Wait()
		time.Sleep(time.Second)
		for i, n := range nodes[1:] {
			wait.Go(func() {
				if did, err := n.Refund(t.Context(), node.Request{Client: "alice", Cost: 15}); did.Returned != 15 || err != nil {
					t.Errorf("n%d: %+v, %v", i+1, did, err)
				}
				n.Take("bob", 1)
			})
		}
		wait.Wait()
		time.Sleep(time.Second)
		for i, n := range nodes {
			// 40 were taken and 30 came back, and two seconds drain three and a bit.
			if got := n.Do(node.Request{Client: "alice", Peek: true}).Remaining; got != 93 {
				t.Errorf("n%d says that %d are left", i, got)
			}
		}
		_ = nodes[0].Close()
		nodes[1].Take("alice", 10)
		time.Sleep(time.Second)
		ctx, stop := context.WithTimeout(t.Context(), time.Second)
		defer stop()
		if did, err := nodes[2].Refund(ctx, node.Request{Client: "alice", Cost: 100}); did.Returned < 10 || did.Unconfirmed != 0 || err != nil {
			t.Errorf("after one has left: %+v, %v", did, err)
		}
	})
}
