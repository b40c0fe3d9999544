package node_test

import (
	"testing"
	"time"

	"github.com/distributed-rate-limiter/distributed-rate-limiter/node"
)

// cutOff is a lab of four nodes that share the rate of 60 per minute, none of which
// hears another: each may admit a quarter.
func cutOff(t *testing.T) *lab {
	t.Helper()
	l := newLab(t, 4, node.Config{Limits: map[string]node.Policy{
		"default": {Limit: 60, Window: time.Minute, OnIsolation: node.IsolationShare},
	}})
	l.lose = func(mail) bool { return true }
	l.run(10 * time.Second)
	return l
}

func TestForgettingAClientDoesNotRenewItsShare(t *testing.T) {
	l := cutOff(t)
	const rounds, pause = 4, 200 * time.Second
	admitted := 0
	for range rounds {
		admitted += l.nodes[0].take("default", "alice", 200)
		l.run(pause)
	}
	most := 60 + int((rounds-1)*pause/(4*time.Second))
	if admitted > most {
		t.Errorf("%d were admitted, the burst and a quarter of the rate are %d", admitted, most)
	}
}

func TestClientWithinItsShareIsNeverDenied(t *testing.T) {
	l := cutOff(t)
	for round := range 12 {
		if got := l.nodes[0].take("default", "alice", 15); got != 15 {
			t.Errorf("round %d: %d of 15 were allowed, the share of a minute", round, got)
		}
		l.run(95 * time.Second)
	}
}

func TestResetGivesTheShareBackToo(t *testing.T) {
	l := cutOff(t)
	n := l.nodes[0]
	n.take("default", "alice", 200)
	must(t, n.Node.Reset("default", "alice"))
	if got := n.take("default", "alice", 200); got != 60 {
		t.Errorf("%d were allowed after the reset, want the whole burst of 60", got)
	}
}
