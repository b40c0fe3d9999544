package node_test

import (
	"errors"
	"math/rand/v2"
	"reflect"
	"testing"
	"time"

	"github.com/distributed-rate-limiter/distributed-rate-limiter/node"
)

// hourly is a limit that refills nothing while a test looks.
func hourly(limit int64) node.Config { return node.Config{Limit: limit, Window: 100 * time.Hour} }

// changeLead is how long after SetLimit a change takes effect.
const changeLead = 250 * time.Millisecond

// soonAfter is a while in which everything is said and merged.
const soonAfter = 400 * time.Millisecond

func TestAChangedLimitTakesEffectEverywhereAtOneInstant(t *testing.T) {
	l := newLab(t, 3, hourly(10))
	must(t, errorOf(l.nodes[1].Node.SetLimit("default", node.Policy{Limit: 20, Window: 100 * time.Hour})))
	l.run(changeLead - time.Millisecond)
	for _, m := range l.nodes {
		if got := m.Node.Limits()["default"].Limit; got != 10 {
			t.Errorf("n%d: limit %d before the instant", m.index, got)
		}
	}
	l.run(time.Millisecond)
	for _, m := range l.nodes {
		if got := m.Node.Limits()["default"]; got.Limit != 20 || got.Burst != 20 {
			t.Errorf("n%d: %+v at the instant", m.index, got)
		}
		if at, want := m.Node.Stats().Limits[0].Revision, l.now; !at.Equal(want) {
			t.Errorf("n%d: in force since %v, want %v", m.index, at, want)
		}
	}
}

// A reservation from before a change is settled under the rule in force, though nobody asked for the
// client since: what it used on top is not charged to a life that is over, where it would be lost.
func TestASettlementAfterAChangeSaysThatItChargesNothing(t *testing.T) {
	l := newLab(t, 1, node.Config{Limit: 1000, Window: time.Second})
	n := l.nodes[0].Node
	hold := n.Reserve(node.Request{Client: "c", Cost: 1})
	must(t, errorOf(n.SetLimit("default", node.Policy{Limit: 10, Window: time.Hour})))
	l.run(changeLead + time.Second)
	if got := hold.Settle(27); got.Charged != 0 || got.NotCharged != 26 || got.Short != node.ShortRenewed {
		t.Errorf("got %+v", got)
	}
}

// What was used stays used, in units of cost, whatever the change.
func TestAChangedLimitKeepsWhatWasUsed(t *testing.T) {
	for _, c := range []struct {
		name string
		to   node.Policy
		left int64 // of a client that used 8 of 10
	}{
		{"up", node.Policy{Limit: 20, Window: 100 * time.Hour}, 12},
		{"down", node.Policy{Limit: 9, Window: 100 * time.Hour}, 1},
		{"down below what was used", node.Policy{Limit: 4, Window: 100 * time.Hour}, 0},
		{"wider window", node.Policy{Limit: 10, Window: 200 * time.Hour}, 2},
		{"narrower window", node.Policy{Limit: 10, Window: 50 * time.Hour}, 2},
		{"more burst", node.Policy{Limit: 10, Window: 100 * time.Hour, Burst: 15}, 7},
		{"less burst", node.Policy{Limit: 10, Window: 100 * time.Hour, Burst: 8}, 0},
		{"all at once", node.Policy{Limit: 50, Window: 300 * time.Hour, Burst: 30}, 22},
	} {
		t.Run(c.name, func(t *testing.T) {
			l := newLab(t, 3, hourly(10))
			for i, n := range []int{3, 3, 2} {
				if got := l.nodes[i].take("", "alice", n); got != n {
					t.Fatalf("n%d allowed %d of %d", i, got, n)
				}
			}
			must(t, errorOf(l.nodes[0].Node.SetLimit("default", c.to)))
			l.run(soonAfter)
			l.agree("", "alice", c.left)
			l.agree("", "bob", max(c.to.Burst, c.to.Limit*int64(min(1, 1-min(1, c.to.Burst)))))
			if got := l.nodes[2].take("", "alice", 100); int64(got) != c.left {
				t.Errorf("allowed %d more, want %d", got, c.left)
			}
		})
	}
}

// A client that a lower limit left without is not locked out for longer than its
// new burst takes to drain.
func TestALoweredLimitLocksNobodyOutForLong(t *testing.T) {
	l := newLab(t, 3, node.Config{Limit: 6000, Window: time.Minute})
	l.nodes[0].take("", "alice", 6000)
	must(t, errorOf(l.nodes[0].Node.SetLimit("default", node.Policy{Limit: 6, Window: time.Minute})))
	l.run(soonAfter)
	for _, m := range l.nodes {
		d := m.Node.Take("alice", 1)
		if d.Allowed || d.RetryAfter > 10*time.Second || d.ResetAfter > time.Minute {
			t.Errorf("n%d: %+v", m.index, d)
		}
	}
}

// Costs that a node counted just before the change, and could not tell in time,
// count after it: wherever the client was seen before, or not.
func TestCostsFromBeforeAChangeCountWhenTheyArriveAfterIt(t *testing.T) {
	for _, c := range []struct {
		name  string
		known bool // n1 and n2 knew the client before
		late  bool // n1 decides on it before the news arrive
	}{
		{"client unknown", false, false},
		{"client known", true, false},
		{"client unknown and let pass meanwhile", false, true},
		{"client known and let pass meanwhile", true, true},
	} {
		t.Run(c.name, func(t *testing.T) {
			l := newLab(t, 3, hourly(100))
			used := 0
			if c.known {
				used += l.nodes[1].take("", "alice", 1)
				l.run(soonAfter)
			}
			must(t, errorOf(l.nodes[0].Node.SetLimit("default", node.Policy{Limit: 200, Window: 100 * time.Hour})))
			l.run(changeLead - 5*time.Millisecond)
			l.hold = func(m mail) bool { return m.from == 0 }
			used += l.nodes[0].take("", "alice", 70)
			l.run(10 * time.Millisecond) // the change takes effect
			if c.late {
				used += l.nodes[1].take("", "alice", 5)
			}
			l.run(soonAfter)
			rnd := rand.New(rand.NewPCG(1, 1))
			l.release(func(m []mail) { rnd.Shuffle(len(m), func(i, j int) { m[i], m[j] = m[j], m[i] }) })
			l.run(4 * time.Second)
			l.agree("", "alice", int64(200-used))
		})
	}
}

// The same where the costs were not even sent when the change took effect.
func TestCostsUnsentAtAChangeAreSentAfterIt(t *testing.T) {
	cfg := node.Config{
		Limits: map[string]node.Policy{node.DefaultLimit: {Limit: 100, Window: 100 * time.Hour, MaxOvershoot: 1}},
		Flush:  200 * time.Millisecond,
	}
	l := newLab(t, 3, cfg)
	must(t, errorOf(l.nodes[0].Node.SetLimit("default", node.Policy{Limit: 200, Window: 100 * time.Hour})))
	l.run(changeLead - time.Millisecond)
	used := 0
	for _, m := range l.nodes {
		used += m.take("", "alice", 10)
	}
	l.run(2 * time.Millisecond)
	for _, m := range l.nodes {
		used += m.take("", "alice", 1) // begins the new life here
	}
	l.run(4 * time.Second)
	l.agree("", "alice", int64(200-used))
}

// Deltas of the revision before and after arrive in any order, repeated or not.
func TestDeltasAroundAChangeMergeInAnyOrder(t *testing.T) {
	for seed := range uint64(20) {
		rnd := rand.New(rand.NewPCG(seed, 0))
		l := newLab(t, 3, hourly(1000))
		l.hold = func(m mail) bool { return m.kind == "delta" }
		used := 0
		for range 10 {
			used += l.nodes[rnd.IntN(3)].take("", "alice", 1+rnd.IntN(20))
			l.run(time.Duration(rnd.IntN(60)) * time.Millisecond)
		}
		must(t, errorOf(l.nodes[rnd.IntN(3)].Node.SetLimit("default", node.Policy{Limit: 700, Window: 100 * time.Hour})))
		for range 10 {
			used += l.nodes[rnd.IntN(3)].take("", "alice", 1+rnd.IntN(20))
			l.run(time.Duration(rnd.IntN(60)) * time.Millisecond)
		}
		l.release(func(m []mail) {
			rnd.Shuffle(len(m), func(i, j int) { m[i], m[j] = m[j], m[i] })
		})
		l.run(5 * time.Second)
		l.agree("", "alice", int64(700-used))
		if t.Failed() {
			t.Fatalf("seed %d", seed)
		}
	}
}

func TestALateJoinerDecidesByTheChangedLimit(t *testing.T) {
	l := newLab(t, 2, hourly(10))
	must(t, errorOf(l.nodes[0].Node.SetLimit("default", node.Policy{Limit: 20, Window: 100 * time.Hour})))
	must(t, errorOf(l.nodes[0].Node.SetLimit("extra", node.Policy{Limit: 5, Window: 100 * time.Hour})))
	l.run(soonAfter)
	l.nodes[0].take("", "alice", 12)
	l.nodes[1].take("extra", "alice", 4)
	l.run(soonAfter)
	late := l.join(hourly(10))
	for i := 0; late.Node.Ready() != nil; i++ {
		if i > 6000 {
			t.Fatal("never ready")
		}
		l.run(time.Millisecond)
	}
	if d := late.peek("", "alice"); d.Quota != 20 || d.Remaining != 8 {
		t.Errorf("default: %+v", d)
	}
	if d := late.peek("extra", "alice"); d.Quota != 5 || d.Remaining != 1 {
		t.Errorf("extra: %+v", d)
	}
	if lost := late.Node.Stats().RowsLost; lost["revision"]+lost["unknown_limit"] != 0 {
		t.Errorf("rows came before what they are counted under: %v", lost)
	}
}

func TestADeletedLimitIsTheConfiguredOneAgain(t *testing.T) {
	l := newLab(t, 3, hourly(10))
	must(t, errorOf(l.nodes[0].Node.SetLimit("default", node.Policy{Limit: 50, Window: 100 * time.Hour})))
	l.run(soonAfter)
	l.nodes[1].take("", "alice", 3)
	l.run(soonAfter)
	must(t, errorOf(l.nodes[2].Node.DeleteLimit("default")))
	l.run(soonAfter)
	for _, m := range l.nodes {
		if got := m.Node.Limits()["default"].Limit; got != 10 {
			t.Errorf("n%d: limit %d", m.index, got)
		}
	}
	l.agree("", "alice", 7)
}

// Two nodes that change one limit at the same time end with the same policy.
func TestChangesAtTheSameTimeEndWithOne(t *testing.T) {
	l := newLab(t, 3, hourly(10))
	for i, m := range l.nodes {
		must(t, errorOf(m.Node.SetLimit("default", node.Policy{Limit: int64(100 * (i + 1)), Window: 100 * time.Hour})))
	}
	l.run(2 * time.Second)
	first := l.nodes[0].Node.Limits()["default"]
	for _, m := range l.nodes {
		if got := m.Node.Limits()["default"]; !reflect.DeepEqual(got, first) {
			t.Errorf("n%d has %+v, n0 %+v", m.index, got, first)
		}
	}
	// On one node, the last one counts, even within one instant.
	for limit := range int64(3) {
		must(t, errorOf(l.nodes[0].Node.SetLimit("default", node.Policy{Limit: 7 + limit, Window: 100 * time.Hour})))
	}
	l.run(2 * time.Second)
	for _, m := range l.nodes {
		if got := m.Node.Limits()["default"].Limit; got != 9 {
			t.Errorf("n%d: limit %d, want the last one set, 9", m.index, got)
		}
	}
}

func TestManyChangesAtOnceAreRefusedAndNoneTakesEffectEarly(t *testing.T) {
	now := time.Unix(1_900_000_000, 0)
	n, err := node.Open(t.Context(), node.Config{Limit: 10, Window: time.Minute, Now: func() time.Time { return now }})
	if err != nil {
		t.Fatal(err)
	}
	defer n.Close()
	refused := 0
	for i := range 20 {
		if _, err := n.SetLimit("default", node.Policy{Limit: int64(1000 + i), Window: time.Minute}); errors.Is(err, node.ErrTooManyChanges) {
			refused++
		} else if err != nil {
			t.Fatal(err)
		}
		if got := n.Limits()["default"].Limit; got != 10 {
			t.Fatalf("after %d changes that are not due yet the limit is %d", i+1, got)
		}
	}
	if refused == 0 {
		t.Error("20 changes at once were taken")
	}
}
