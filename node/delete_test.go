package node_test

import (
	"errors"
	"fmt"
	"reflect"
	"testing"
	"time"

	"github.com/distributed-rate-limiter/distributed-rate-limiter/node"
)

var extra = node.Policy{Limit: 10, Window: 100 * time.Hour}

// nowhere fails the test unless there is no limit "extra" on any node.
func (l *lab) nowhere(when string) {
	l.t.Helper()
	for _, m := range l.nodes {
		if m.dead {
			continue
		}
		if d := m.Node.Do(node.Request{Client: "bob", Limit: "extra"}); d.Allowed || d.Reason != node.ReasonUnknownLimit || d.Quota != 0 {
			l.t.Errorf("%s, n%d: %+v", when, m.index, d)
		}
		if d := m.peek("extra", "bob"); d.Reason != node.ReasonUnknownLimit {
			l.t.Errorf("%s, n%d: peek: %+v", when, m.index, d)
		}
		if _, found := m.Node.Lookup("extra"); found {
			l.t.Errorf("%s, n%d: it is found", when, m.index)
		}
		if _, found := m.Node.Limits()["extra"]; found || len(m.Node.Stats().Limits) != 1 {
			l.t.Errorf("%s, n%d: it is listed", when, m.index)
		}
		_, top := m.Node.Top("extra")
		for _, err := range []error{top, m.Node.Reset("extra", "bob"), errorOf(m.Node.DeleteLimit("extra"))} {
			if !errors.Is(err, node.ErrUnknownLimit) {
				l.t.Errorf("%s, n%d: got %v", when, m.index, err)
			}
		}
	}
}

func TestALimitThatWasOnlyEverSetIsDeletedEverywhereAtOneInstant(t *testing.T) {
	l := newLab(t, 3, hourly(100))
	must(t, errorOf(l.nodes[0].Node.SetLimit("extra", extra)))
	l.run(soonAfter)
	var handles []*node.Limiter
	for _, m := range l.nodes {
		handles = append(handles, m.Node.Limiter("extra"))
		if got := m.take("extra", "alice", 2); got != 2 {
			t.Fatalf("n%d allowed %d of 2", m.index, got)
		}
	}
	l.run(soonAfter)
	must(t, errorOf(l.nodes[2].Node.DeleteLimit("extra")))
	l.run(changeLead - time.Millisecond)
	for i, h := range handles {
		if !h.Peek("alice", 1).Allowed {
			t.Errorf("n%d: gone before the instant", i)
		}
	}
	if c := l.nodes[1].Node.Changes(); len(c) != 1 || c[0].Name != "extra" || !reflect.DeepEqual(c[0].Policy, node.Policy{}) {
		t.Errorf("about to change: %+v", c)
	}
	l.run(time.Millisecond)
	l.nowhere("at the instant")
	for i, h := range handles {
		if d := h.Take("alice", 1); d.Allowed || d.Reason != node.ReasonUnknownLimit {
			t.Errorf("n%d, the handle from before: %+v", i, d)
		}
	}
	l.run(30 * time.Second)
	l.nowhere("later")
	// It can be set again. What was used just before is still used.
	must(t, errorOf(l.nodes[1].Node.SetLimit("extra", node.Policy{Limit: 20, Window: 100 * time.Hour})))
	l.run(soonAfter)
	l.agree("extra", "alice", 14)
	for i, h := range handles {
		if d := h.Take("alice", 1); !d.Allowed || d.Quota != 20 {
			t.Errorf("n%d, the handle from before: %+v", i, d)
		}
	}
	l.run(soonAfter)
	l.agree("extra", "alice", 11)
}

// Costs that arrive after the end count if the limit is made anew.
func TestCostsThatArriveAfterTheEndOfALimitAreKept(t *testing.T) {
	l := newLab(t, 3, hourly(100))
	must(t, errorOf(l.nodes[0].Node.SetLimit("extra", extra)))
	l.run(soonAfter)
	l.hold = func(m mail) bool { return m.from == 0 && m.kind == "delta" }
	l.nodes[0].take("extra", "alice", 4)
	l.run(20 * time.Millisecond)
	must(t, errorOf(l.nodes[1].Node.DeleteLimit("extra")))
	l.run(soonAfter)
	l.release(nil)
	l.run(soonAfter)
	l.nowhere("after late costs")
	must(t, errorOf(l.nodes[2].Node.SetLimit("extra", extra)))
	l.run(soonAfter)
	l.agree("extra", "alice", 6)
}

func TestWhoJoinsAfterTheEndOfALimitDoesNotHaveItEither(t *testing.T) {
	for name, wait := range map[string]time.Duration{"soon": soonAfter, "when nothing else is known of it": 4 * time.Minute} {
		t.Run(name, func(t *testing.T) {
			l := newLab(t, 2, hourly(100))
			must(t, errorOf(l.nodes[0].Node.SetLimit("extra", extra)))
			l.run(wait)
			must(t, errorOf(l.nodes[1].Node.DeleteLimit("extra")))
			l.run(wait)
			l.join(hourly(100))
			l.run(3 * time.Second)
			l.nowhere("after joining")
			// All who were there at its end leave: it stays deleted.
			l.nodes[0].dead, l.nodes[1].dead = true, true
			l.join(hourly(100))
			l.run(10 * time.Second)
			l.nowhere("among those who joined")
		})
	}
}

func TestANodeThatWasCutOffDoesNotBringADeletedLimitBack(t *testing.T) {
	l := newLab(t, 3, hourly(100))
	must(t, errorOf(l.nodes[0].Node.SetLimit("extra", extra)))
	l.run(soonAfter)
	l.lose = func(m mail) bool { return m.from == 2 || m.to == 2 }
	must(t, errorOf(l.nodes[0].Node.DeleteLimit("extra")))
	l.run(time.Minute)
	if !l.nodes[2].Node.Limiter("extra").Allow("alice") {
		t.Error("it does not decide by what it knows")
	}
	l.lose = nil
	l.run(10 * time.Second)
	l.nowhere("together again")
}

func TestALimitThatSomeNodesHaveConfiguredIsDeletedOnTheOthers(t *testing.T) {
	l := newLab(t, 2, hourly(100))
	with := hourly(100)
	with.Limits = map[string]node.Policy{"extra": extra}
	m := l.join(with)
	l.run(3 * time.Second)
	must(t, errorOf(m.Node.SetLimit("extra", node.Policy{Limit: 50, Window: 100 * time.Hour})))
	l.run(soonAfter)
	if p := l.nodes[0].Node.Limits()["extra"]; p.Limit != 50 {
		t.Fatalf("got %+v", p)
	}
	must(t, errorOf(m.Node.DeleteLimit("extra")))
	l.run(soonAfter)
	if p := m.Node.Limits()["extra"]; p.Limit != 10 {
		t.Errorf("the configured one is %+v", p)
	}
	l.nodes = l.nodes[:2]
	l.nowhere("where it is not configured")
}

func TestLimitsThatComeAndGoDoNotFillTheRegistry(t *testing.T) {
	n, clock := still(t, hourly(100))
	first := n.Limiter("limit0")
	for i := range 2 * node.MaxLimits {
		name := fmt.Sprintf("limit%d", i)
		must(t, errorOf(n.SetLimit(name, extra)))
		if !n.Limiter(name).Allow("alice") {
			t.Fatalf("%s denies", name)
		}
		must(t, errorOf(n.DeleteLimit(name)))
		clock.at = clock.at.Add(time.Second)
	}
	if first.Allow("alice") {
		t.Error("the first one is still there")
	}
	// What is new has counters of its own, and old handles find it.
	must(t, errorOf(n.SetLimit("limit0", extra)))
	if !first.Allow("bob") {
		t.Error("a handle from before does not find the limit made anew")
	}
	s := n.Stats()
	if len(s.Limits) != 2 || s.Limits[1].Name != "limit0" || s.Limits[1].Allowed != 1 {
		t.Errorf("got %+v", s.Limits)
	}
	for i := range node.MaxLimits - 2 {
		must(t, errorOf(n.SetLimit(fmt.Sprintf("full%d", i), extra)))
	}
	if _, err := n.SetLimit("more", extra); !errors.Is(err, node.ErrTooManyLimits) {
		t.Errorf("got %v", err)
	}
}

// Nodes that had to forget some of the deleted limits agree on which.
func TestNodesForgetTheSameDeletedLimits(t *testing.T) {
	l := newLab(t, 2, hourly(100))
	l.lose = func(mail) bool { return true }
	for i := range node.MaxLimits * 3 / 4 {
		for _, m := range l.nodes {
			name := fmt.Sprintf("limit%d-of-%d", i, m.index)
			must(t, errorOf(m.Node.SetLimit(name, extra)))
			must(t, errorOf(m.Node.DeleteLimit(name)))
		}
		l.now = l.now.Add(time.Millisecond)
	}
	digests := func() (a, b uint64) {
		return l.nodes[0].Node.Stats().Sync.Peers[0].LimitsVersion, l.nodes[1].Node.Stats().Sync.Peers[0].LimitsVersion
	}
	before, _ := digests()
	l.lose = nil
	l.run(20 * time.Second)
	if a, b := digests(); a != b || a == before {
		t.Errorf("the limits' digests are %v and %v, before %v", a, b, before)
	}
	for _, m := range l.nodes {
		if got := len(m.Node.Limits()); got != 1 {
			t.Errorf("n%d has %d limits", m.index, got)
		}
	}
}
