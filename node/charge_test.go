package node_test

import (
	"context"
	"errors"
	"fmt"
	"math"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/distributed-rate-limiter/distributed-rate-limiter/node"
)

// standing is a node without a network that stands at one instant until move is called.
func standing(t *testing.T, cfg node.Config) (n *node.Node, move func(time.Duration)) {
	t.Helper()
	var now atomic.Int64 // housekeeping reads it beside the test
	now.Store(time.Unix(1_900_000_020, 0).UnixNano())
	cfg.Now = func() time.Time { return time.Unix(0, now.Load()) }
	n, err := node.Open(t.Context(), cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = n.Close() })
	return n, func(d time.Duration) { now.Add(int64(d)) }
}

// Every algorithm charges in full beyond the limit, up to the larger of a burst and a
// window's limit beyond that, however it is asked.
func TestAChargeIsInFullUpToTheDebtCap(t *testing.T) {
	day := node.Policy{Algorithm: node.FixedWindow, Limit: 100, Calendar: 4}
	for name, c := range map[string]struct {
		policy node.Policy
		most   int64
	}{
		"gcra":           {node.Policy{Limit: 100, Window: time.Minute}, 200},
		"a small burst":  {node.Policy{Limit: 100, Window: time.Minute, Burst: 10}, 110},
		"a large burst":  {node.Policy{Limit: 100, Window: time.Minute, Burst: 300}, 600},
		"one an hour":    {node.Policy{Limit: 1, Window: time.Hour}, 2},
		"fixed window":   {node.Policy{Algorithm: node.FixedWindow, Limit: 100, Window: time.Minute}, 200},
		"calendar":       {day, 200},
		"estimated":      {node.Policy{Algorithm: node.SlidingWindow, Limit: 100, Window: time.Minute}, 200},
		"parts":          {node.Policy{Algorithm: node.SlidingWindow, Limit: 100, Window: time.Minute, Resolution: 6}, 200},
		"local":          {node.Policy{Limit: 100, Window: time.Minute, Consistency: node.Local}, 200},
		"shadow":         {node.Policy{Limit: 100, Window: time.Minute, Shadow: true}, 200},
		"the most units": {node.Policy{Limit: 1 << 44, Window: time.Second, Burst: 1 << 45}, 1 << 46},
	} {
		t.Run(name, func(t *testing.T) {
			n, _ := standing(t, node.Config{Limits: map[string]node.Policy{"x": c.policy}})
			l := n.Limiter("x")
			for _, step := range []struct{ cost, charged int64 }{
				{1, 1}, {c.most - 2, c.most - 2}, {3, 1}, {1 << 53, 0}, {math.MaxInt64, 0},
			} {
				if step.cost == 0 {
					continue // the limit is so small
				}
				got := l.Charge("alice", step.cost)
				if got.Charged != step.charged || got.NotCharged != step.cost-step.charged || got.Cost != step.charged || got.Fault != nil {
					t.Errorf("of %d charged: %+v", step.cost, got)
				}
			}
			for name, ask := range map[string]func(client string) node.Settlement{
				"at once": func(client string) node.Settlement { return l.Reserve(client, 1).Settle(math.MaxInt64) },
				"by token": func(client string) node.Settlement {
					token, err := l.Reserve(client, 1).Token()
					if err != nil {
						t.Fatal(err)
					}
					s, err := n.Settle(t.Context(), token, 1<<53)
					if err != nil {
						t.Fatal(err)
					}
					if again, err := n.Settle(t.Context(), token, 0); again != s || err != nil {
						t.Errorf("asked again: %+v, %v", again, err)
					}
					s.NotCharged += math.MaxInt64 - 1<<53
					return s
				},
			} {
				want := node.Settlement{Charged: c.most - 1, NotCharged: math.MaxInt64 - c.most}
				if got := ask(name); got != want {
					t.Errorf("a commit %s: %+v, want %+v", name, got, want)
				}
			}
			s := n.Stats().Limits[0]
			if s.Name != "x" {
				s = n.Stats().Limits[1]
			}
			if want := uint64(3*c.most - 2); s.Charged != want || s.NotCharged == 0 {
				t.Errorf("counted %d charged, want %d, and %d not charged", s.Charged, want, s.NotCharged)
			}
			if d := l.Take("alice", 1); d.Allowed != c.policy.Shadow {
				t.Errorf("a client in debt: %+v", d)
			}
		})
	}
}

// A token budget peeks first and charges the true cost afterwards. Of one limiter no more
// than the call that crosses the limit may go beyond it.
func TestABudgetThatPeeksFirstAndChargesAfterwardsIsKept(t *testing.T) {
	n, _ := standing(t, node.Config{Limit: 1000, Window: time.Hour})
	passed, used := 0, int64(0)
	for range 20 {
		if n.Do(node.Request{Client: "alice", Peek: true}).Allowed {
			passed++
			used += n.Charge(node.Request{Client: "alice", Cost: 600}).Charged
		}
	}
	if passed != 2 || used != 1200 {
		t.Errorf("%d calls passed and used %d of 1,000", passed, used)
	}
}

func TestAChargeTellsWhereTheClientStands(t *testing.T) {
	n, move := standing(t, node.Config{Limit: 60, Window: time.Minute, Burst: 100})
	l := n.Limiter("")
	if d := l.Charge("alice", 100); !d.Allowed || d.Reason != node.ReasonOK || d.Remaining != 0 || d.RetryAfter != 0 || d.ResetAfter != 100*time.Second {
		t.Errorf("within the limit: %+v", d)
	}
	if d := l.Charge("alice", 30); d.Allowed || d.Reason != node.ReasonOverLimit || d.RetryAfter != 31*time.Second || d.ResetAfter != 130*time.Second {
		t.Errorf("beyond it: %+v", d)
	}
	if move(30 * time.Second); l.Take("alice", 1).Allowed {
		t.Error("allowed before the debt was paid")
	}
	if move(time.Second); !l.Take("alice", 1).Allowed {
		t.Error("denied after it was paid")
	}
	if d := l.Charge("bob", 101); d.Allowed || d.Charged != 101 || d.RetryAfter != 2*time.Second {
		t.Errorf("more than the burst at once: %+v", d)
	}
	if n.Stats().Limits[0].Denied != 1 {
		t.Errorf("a charge counts as a denial: %+v", n.Stats().Limits[0])
	}
	if top, err := n.Top(""); err != nil || len(top) == 0 || top[0].Client != "alice" && top[0].Client != "bob" {
		t.Errorf("the heaviest clients are %v, %v", top, err)
	}
}

func TestWhoCountsForNothingIsChargedNothing(t *testing.T) {
	n, _ := standing(t, node.Config{Limits: map[string]node.Policy{"default": {Limit: 10, Window: time.Minute, Overrides: []node.Override{
		{Clients: []string{"free"}, Access: node.Unlimited}, {Clients: []string{"mallory"}, Access: node.Blocked},
	}}}})
	for client, want := range map[string]node.Reason{"free": node.ReasonUnlimited, "mallory": node.ReasonBlocked} {
		d := n.Charge(node.Request{Client: client, Cost: 5})
		if d.Reason != want || d.Allowed != (client == "free") || d.Charged != 0 || d.NotCharged != 0 || d.Cost != 0 || d.Fault != nil {
			t.Errorf("%s: %+v", client, d)
		}
	}
	if s := n.Stats(); s.Clients != 0 || s.Limits[0].Charged+s.Limits[0].NotCharged != 0 {
		t.Errorf("%d clients, %+v", s.Clients, s.Limits[0])
	}
}

func TestAFaultyChargeChargesNoLimit(t *testing.T) {
	n, _ := standing(t, node.Config{Limits: map[string]node.Policy{"default": {Limit: 10, Window: time.Minute}, "day": {Limit: 100, Window: time.Hour}}})
	for field, q := range map[string]node.Request{
		"client":         {},
		"cost":           {Client: "a", Cost: -1},
		"limit":          {Client: "a", Limit: "nope"},
		"also[0].limit":  {Client: "a", Also: []node.Check{{Limit: "nope"}}},
		"also[0].cost":   {Client: "a", Also: []node.Check{{Limit: "day", Cost: -3}}},
		"policy.limit":   {Client: "a", Limit: "own", Policy: &node.Policy{Window: time.Second}},
		"peek":           {Client: "a", Peek: true},
		"at_most":        {Client: "a", AtMost: true},
		"timeout":        {Client: "a", Timeout: time.Second},
		"also":           {Client: "a", Also: make([]node.Check, node.MaxChecks+1)},
		"also[1].client": {Client: "a", Also: []node.Check{{Limit: "day"}, {Limit: "day", Client: string(make([]byte, node.MaxClientID+1))}}},
	} {
		before := uint64(0)
		for _, many := range n.Stats().Refused {
			before += many
		}
		d := n.Charge(q)
		var fault *node.FieldError
		if d.Allowed || d.Charged != 0 || d.NotCharged != 0 || !errors.As(d.Fault, &fault) || fault.Field != field {
			t.Errorf("%s: %+v, %v", field, d, d.Fault)
		}
		after := uint64(0)
		for _, many := range n.Stats().Refused {
			after += many
		}
		if after != before+1 {
			t.Errorf("%s: refused %d times, want once", field, after-before)
		}
	}
	if got := n.Do(node.Request{Client: "a", Peek: true, Also: []node.Check{{Limit: "day"}}}); got.Remaining != 10 {
		t.Errorf("something was charged: %+v", got)
	}
	if d := n.Limiter("nope").Charge("a", 1); !errors.Is(d.Fault, node.ErrUnknownLimit) || d.Reason != node.ReasonUnknownLimit {
		t.Errorf("%+v", d)
	}
}

func TestAChargeOfSeveralLimits(t *testing.T) {
	n, _ := standing(t, node.Config{Limits: map[string]node.Policy{"default": {Limit: 10, Window: time.Minute}, "day": {Limit: 100, Window: 24 * time.Hour}}})
	q := node.Request{Client: "a", Cost: 50, Also: []node.Check{
		{Limit: "day"}, {Limit: "day", Client: "team", Cost: 7}, {Limit: "own", Policy: &node.Policy{Limit: 5, Window: time.Second}},
	}}
	d := n.Charge(q)
	want := [][2]int64{{20, 30}, {50, 0}, {7, 0}, {10, 40}}
	if len(d.Each) != 4 || d.Charged != 20 || d.NotCharged != 30 || d.Cost != 20 || d.Allowed || d.Limit != "default" {
		t.Fatalf("%+v", d)
	}
	for i, one := range d.Each {
		if got := [2]int64{one.Charged, one.NotCharged}; got != want[i] || one.Cost != want[i][0] {
			t.Errorf("limit %d: %+v, want %v", i, one, want[i])
		}
	}
	if got := d.Each[3].Limit; got != "own" {
		t.Errorf("the inline policy is called %q", got)
	}
	twice := n.Charge(node.Request{Client: "b", Cost: 15, Also: []node.Check{{Limit: "default"}}})
	if twice.Each[0].Charged != 15 || twice.Each[1].Charged != 5 {
		t.Errorf("one client twice: %+v", twice.Each)
	}
}

// While the table is full, an unknown client is counted by an estimate, or not at all.
func TestAChargeFindsTheTableFull(t *testing.T) {
	for _, open := range []bool{false, true} {
		cfg := node.Config{Limit: 10, Window: time.Minute, MaxClients: 1}
		if open {
			cfg.OnFull = node.FullOpen
		}
		n, _ := standing(t, cfg)
		n.Take("first", 1)
		d := n.Charge(node.Request{Client: "second", Cost: 15})
		switch {
		case open && (d.Reason != node.ReasonFull || d.Charged != 0 || d.NotCharged != 15 || !d.Allowed):
			t.Errorf("open: %+v", d)
		case !open && (d.Charged != 15 || n.Take("second", 1).Allowed):
			t.Errorf("shared: %+v", d)
		}
	}
}

// No call locks a client out for longer than its burst and the debt cap take to drain, and
// the client is forgotten like any other after that.
func TestADebtEndsAndIsForgotten(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n, err := node.Open(t.Context(), node.Config{Limit: 10, Window: 10 * time.Second, Now: time.Now})
		if err != nil {
			t.Fatal(err)
		}
		defer n.Close()
		l := n.Limiter("")
		l.Reserve("alice", 1).Commit(1 << 53)
		l.Charge("bob", math.MaxInt64)
		for _, client := range []string{"alice", "bob"} {
			if wait := l.Peek(client, 1); wait.ResetAfter > 20*time.Second || wait.Remaining > 0 {
				t.Errorf("%s waits for %+v", client, wait)
			}
		}
		time.Sleep(20 * time.Second)
		for _, client := range []string{"alice", "bob"} {
			if d := l.Peek(client, 10); !d.Allowed {
				t.Errorf("%s is still locked out: %+v", client, d)
			}
		}
		time.Sleep(time.Minute)
		if got := n.Stats().Clients; got != 0 {
			t.Errorf("%d clients are remembered", got)
		}
	})
}

// Nodes that do not hear of each other's charges each charge up to the cap, by their own
// view. Merging forgets none of it: every node then waits for all of it.
func TestDebtsOfSeveralNodesAddUp(t *testing.T) {
	l := newLab(t, 3, hourly(100))
	for i, m := range l.nodes {
		if d := m.Node.Charge(node.Request{Client: "alice", Cost: 1000}); d.Charged != 200 || d.NotCharged != 800 {
			t.Fatalf("n%d charged %d", i, d.Charged)
		}
	}
	l.run(time.Second)
	for i, m := range l.nodes {
		// Three nodes, each a burst of 100 and as much again, at one unit an hour.
		if wait := m.Node.Limiter("").Peek("alice", 1).ResetAfter; wait > 600*time.Hour || wait < 600*time.Hour-2*time.Second {
			t.Errorf("n%d waits for %v, want 600 h", i, wait)
		}
		if more := m.Node.Charge(node.Request{Client: "alice", Cost: 1}); more.Charged != 0 || more.NotCharged != 1 {
			t.Errorf("n%d charges on: %+v", i, more)
		}
	}
}

// OnIsolation keeps nothing from being charged; with a share, the share is charged too.
func TestAChargeWhileNodesAreIsolated(t *testing.T) {
	for _, mode := range []node.OnIsolation{node.IsolationKeep, node.IsolationShare, node.IsolationOpen, node.IsolationClosed} {
		t.Run(fmt.Sprint(mode), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				n, err := node.Open(t.Context(), node.Config{Limits: map[string]node.Policy{"default": {Limit: 60, Window: time.Minute, OnIsolation: mode}}, Nodes: 2, Transport: new(node.Memory).Transport(), Now: time.Now})
				if err != nil {
					t.Fatal(err)
				}
				defer n.Close()
				time.Sleep(5 * time.Second)
				if !n.Stats().Isolated {
					t.Fatal("the node does not miss the other one")
				}
				l := n.Limiter("")
				if d := l.Charge("alice", 70); d.Charged != 70 {
					t.Errorf("%+v", d)
				}
				wait := map[node.OnIsolation]time.Duration{node.IsolationShare: 22 * time.Second, node.IsolationKeep: 11 * time.Second}[mode]
				if wait == 0 {
					return
				}
				if d := l.Peek("alice", 1); d.RetryAfter != wait {
					t.Errorf("waits for %v, want %v: %+v", d.RetryAfter, wait, d)
				}
			})
		})
	}
}

// What a debt cap leaves out is told on every node, whichever settles.
func TestADebtIsCappedWhereTheReservationWasMade(t *testing.T) {
	l := newLab(t, 3, hourly(100))
	_, token := l.nodes[0].reserve(node.Request{Client: "alice", Cost: 40})
	l.run(time.Second)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	want := node.Settlement{Charged: 160, NotCharged: 1<<53 - 200}
	for i := range 3 {
		m := l.nodes[2-i]
		s, err := m.Node.Settle(ctx, token, 1<<53)
		if errors.Is(err, node.ErrUnconfirmed) {
			l.run(10 * time.Millisecond)
			s, err = m.Node.Settle(ctx, token, 7)
		}
		if s != want || err != nil {
			t.Errorf("n%d: %+v, %v, want %+v", 2-i, s, err, want)
		}
	}
}
