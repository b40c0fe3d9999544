package node_test

import (
	"errors"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"github.com/distributed-rate-limiter/distributed-rate-limiter/node"
)

func TestAResetReachesEveryNodeAndNoOtherClient(t *testing.T) {
	l := newLab(t, 3, hourly(10))
	l.nodes[0].take("", "alice", 6)
	l.nodes[1].take("", "alice", 4)
	l.nodes[1].take("", "bob", 4)
	l.run(soonAfter)
	l.agree("", "alice", 0)
	must(t, l.nodes[2].Node.Reset("", "alice"))
	l.run(soonAfter)
	l.agree("", "alice", 10)
	l.agree("", "bob", 6)
	if got := l.nodes[1].take("", "alice", 20); got != 10 {
		t.Errorf("allowed %d after the reset, want the burst, 10", got)
	}
	l.run(soonAfter)
	l.agree("", "alice", 0)
}

// Whatever was said before a reset and arrives after it, in whatever order, takes
// nothing from what the client got back, and gives nothing.
func TestLateMessagesFromBeforeAResetChangeNothing(t *testing.T) {
	for seed := range uint64(20) {
		rnd := rand.New(rand.NewPCG(seed, 0))
		l := newLab(t, 3, hourly(100))
		l.hold = func(m mail) bool { return m.kind == "delta" || m.kind == "reset" }
		for range 5 {
			l.nodes[rnd.IntN(3)].take("", "alice", 1+rnd.IntN(10))
			l.run(time.Duration(rnd.IntN(60)) * time.Millisecond)
		}
		must(t, l.nodes[rnd.IntN(3)].Node.Reset("", "alice"))
		l.release(func(m []mail) { rnd.Shuffle(len(m), func(i, j int) { m[i], m[j] = m[j], m[i] }) })
		l.run(3 * time.Second)
		l.agree("", "alice", 100)
		used := 0
		for _, m := range l.nodes {
			used += m.take("", "alice", 1+rnd.IntN(10))
		}
		l.run(soonAfter)
		l.agree("", "alice", int64(100-used))
		if t.Failed() {
			t.Fatalf("seed %d", seed)
		}
	}
}

// The message itself may be lost, and a peer cut off for a while: it is repeated.
func TestALostResetIsRepeated(t *testing.T) {
	l := newLab(t, 3, hourly(10))
	l.nodes[0].take("", "alice", 10)
	l.run(soonAfter)
	l.lose = func(m mail) bool { return m.to == 2 || m.from == 2 }
	must(t, l.nodes[0].Node.Reset("", "alice"))
	l.run(20 * time.Second)
	if got := l.nodes[2].peek("", "alice").Remaining; got != 0 {
		t.Fatalf("a node that hears nothing has %d left", got)
	}
	l.lose = nil
	l.run(3 * time.Second)
	l.agree("", "alice", 10)
}

func TestEachOfTwoResetsInOneInstantCounts(t *testing.T) {
	l := newLab(t, 2, hourly(10))
	for range 3 {
		if got := l.nodes[0].take("", "alice", 11); got != 10 {
			t.Fatalf("allowed %d, want 10", got)
		}
		must(t, l.nodes[0].Node.Reset("", "alice"))
	}
	l.run(soonAfter)
	l.agree("", "alice", 10)
}

// A node whose clock is behind, within the tolerance, resets what one that is ahead
// has reset before.
func TestAResetByASlowClockCounts(t *testing.T) {
	l := newLab(t, 2, hourly(10))
	l.nodes[0].skew = 500 * time.Millisecond
	l.run(soonAfter)
	must(t, l.nodes[0].Node.Reset("", "alice"))
	l.run(10 * time.Millisecond)
	l.nodes[1].take("", "alice", 10)
	l.run(10 * time.Millisecond)
	must(t, l.nodes[1].Node.Reset("", "alice"))
	l.run(soonAfter)
	l.agree("", "alice", 10)
}

func TestAResetBeforeAChangeOfTheLimitStays(t *testing.T) {
	l := newLab(t, 3, hourly(10))
	l.nodes[0].take("", "alice", 10)
	l.run(soonAfter)
	must(t, errorOf(l.nodes[1].Node.SetLimit("default", node.Policy{Limit: 20, Window: 100 * time.Hour})))
	must(t, l.nodes[1].Node.Reset("", "alice"))
	l.run(soonAfter)
	l.agree("", "alice", 20)
	l.nodes[2].take("", "alice", 5)
	must(t, l.nodes[1].Node.Reset("", "alice"))
	l.run(soonAfter)
	l.agree("", "alice", 20)
}

func TestBadResetsAreRefusedByName(t *testing.T) {
	l := newLab(t, 1, hourly(10))
	n := l.nodes[0].Node
	for _, client := range []string{"", strings.Repeat("x", node.MaxClientID+1)} {
		var field *node.FieldError
		if err := n.Reset("", client); !errors.As(err, &field) || field.Field != "client" {
			t.Errorf("client of %d bytes: %v", len(client), err)
		}
	}
	if err := n.Reset("nope", "alice"); !errors.Is(err, node.ErrUnknownLimit) || !strings.Contains(err.Error(), "nope") {
		t.Errorf("unknown limit: %v", err)
	}
	var err error
	for i := 0; err == nil; i++ {
		if i > 1<<16 {
			t.Fatal("resets are remembered without a cap")
		}
		err = n.Reset("", ids(1)[0])
	}
	if !errors.Is(err, node.ErrTooManyResets) {
		t.Error(err)
	}
	l.run(200 * time.Second)
	if err := n.Reset("", "alice"); err != nil {
		t.Errorf("after three windows: %v", err)
	}
}
