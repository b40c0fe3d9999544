package integration_test

import (
	"errors"
	"slices"
	"sync/atomic"
	"testing"
	"time"

	"github.com/distributed-rate-limiter/distributed-rate-limiter/node"
)

// The clock of one node is 8 h ahead for a moment. Until it rejoins, it counts apart, takes no
// change of a limit, and both sides say that they are degraded. Its next incarnation has the
// right time and knows what the others know.
func TestClockThatWasWrongForAMoment(t *testing.T) {
	overEachNetwork(t, func(t *testing.T, net network) {
		var ahead atomic.Int64
		c := &cluster{t: t, net: net}
		right := c.add()
		wrong := c.open(node.Config{Limit: limit, Window: window, Now: func() time.Time { return time.Now().Add(time.Duration(ahead.Load())) }})
		c.await("two nodes that hear each other", c.together)
		spent := spend(right, "alice", 30)
		c.await("both know what alice used", func() bool { return c.agree("alice") })

		ahead.Store(int64(8 * time.Hour))
		spent += spend(wrong, "alice", 10) // it reads the wrong time
		ahead.Store(0)
		by := func(n *node.Node, reason string) bool { return slices.Contains(n.Stats().DegradedReasons, reason) }
		c.await("the node says that it is ahead", func() bool { return wrong.ClockAhead() > 7*time.Hour })
		if err := wrong.Ready(); !errors.Is(err, node.ErrClockAhead) {
			t.Errorf("it is ready: %v", err)
		}
		if _, err := wrong.SetLimit("login", node.Policy{Limit: 5, Window: window}); !errors.Is(err, node.ErrClockAhead) {
			t.Errorf("it took a change that nobody else would: %v", err)
		}
		c.await("both are degraded", func() bool {
			spend(wrong, "bob", 1) // rows that the other one refuses
			return by(wrong, "clock_ahead") && (by(right, "clock_ahead") || by(right, "rows_refused"))
		})

		if err := wrong.Close(); err != nil {
			t.Fatal(err)
		}
		c.nodes = c.nodes[:1]
		again := c.add()
		c.await("the next incarnation has joined", func() bool { return again.Ready() == nil && again.ClockAhead() == 0 })
		c.await("it knows what the others know", func() bool { return c.agree("alice") })
		if d := right.Do(node.Request{Client: "alice", Peek: true}); d.Remaining < limit-int64(spent) {
			t.Errorf("%d are left of %d, though %d were taken", d.Remaining, limit, spent)
		}
		if _, err := again.SetLimit("login", node.Policy{Limit: 5, Window: window}); err != nil {
			t.Errorf("it takes no changes: %v", err)
		}
		c.await("the change reaches the other node", func() bool { _, some := right.Limits()["login"]; return some })
		if got := spend(again, "carol", limit/4) + spend(right, "carol", limit/4); got != limit/2 {
			t.Errorf("%d of %d passed within the limit", got, limit/2)
		}
		c.await("both count carol", func() bool { return c.agree("carol") })
	})
}
