package integration_test

import (
	"context"
	"testing"
	"time"

	"github.com/distributed-rate-limiter/distributed-rate-limiter/node"
)

// drained is how many units of the limit in these tests drain while a test runs, at most.
const drained = 3

// refunding opens three nodes whose limit hardly drains, and waits until they hear each other.
func refunding(t *testing.T, net network) *cluster {
	t.Helper()
	c := &cluster{t: t, net: net}
	for range 3 {
		c.open(node.Config{Limit: 100, Window: 2 * time.Hour})
	}
	c.await("three nodes that hear each other", c.together)
	return c
}

// left waits until every node says that about so many units are left.
func (c *cluster) left(client string, want int64) {
	c.t.Helper()
	c.await("all nodes know what is left", func() bool {
		for _, n := range c.nodes {
			got := n.Do(node.Request{Client: client, Peek: true}).Remaining
			if got < want || got > want+drained {
				return false
			}
		}
		return true
	})
}

func about(got, want int64) bool { return got <= want && got >= want-drained }

// settled settles a reservation through a node, by its token.
func (c *cluster) settled(n *node.Node, token string, actual int64) node.Settlement {
	c.t.Helper()
	ctx, stop := context.WithTimeout(c.t.Context(), patience)
	defer stop()
	s, err := n.Settle(ctx, token, actual)
	if err != nil {
		c.t.Fatal(err)
	}
	return s
}

func (c *cluster) reserve(n *node.Node, client string, cost int64) string {
	c.t.Helper()
	token, err := n.Reserve(node.Request{Client: client, Cost: cost, Timeout: 10 * time.Minute}).Token()
	if token == "" || err != nil {
		c.t.Fatalf("%d for %s: %q, %v", cost, client, token, err)
	}
	return token
}

// A refund gives back what was taken, through whichever node, and every node knows of it. What
// another node took meanwhile stays taken.
func TestRefundOfAReservationOverNATS(t *testing.T) {
	overEachNetwork(t, func(t *testing.T, net network) {
		c := refunding(t, net)
		first, second := c.reserve(c.nodes[0], "alice", 50), c.reserve(c.nodes[0], "alice", 50)
		c.left("alice", 0)
		if s := c.settled(c.nodes[1], first, 0); !about(s.Returned, 50) {
			t.Errorf("the first: %+v", s)
		}
		c.left("alice", 50)
		if !c.nodes[2].Take("alice", 45).Allowed {
			t.Error("what came back cannot be taken elsewhere")
		}
		if s := c.settled(c.nodes[2], second, 10); !about(s.Returned, 40) || s.Returned < 40 && s.Short != node.ShortDrained {
			t.Errorf("the second: %+v", s)
		}
		c.left("alice", 45)
		if s := c.settled(c.nodes[1], second, 0); !about(s.Returned, 40) {
			t.Errorf("asked again: %+v", s)
		}
		c.left("alice", 45)
	})
}

// A debt is charged up to its cap by each node's view, and any node gives back what is not
// drained of it, without a token. Nodes that cannot be reached give nothing.
func TestRefundWithoutATokenOverNATS(t *testing.T) {
	overEachNetwork(t, func(t *testing.T, net network) {
		c := refunding(t, net)
		if d := c.nodes[0].Charge(node.Request{Client: "bob", Cost: 1 << 53}); d.Charged != 200 || d.NotCharged != 1<<53-200 {
			t.Errorf("%+v", d)
		}
		c.left("bob", 0)
		if d := c.nodes[1].Charge(node.Request{Client: "bob", Cost: 50}); d.Charged > drained {
			t.Errorf("another node charges %d on top", d.Charged)
		}
		refund := func(n *node.Node, cost int64, patience time.Duration) node.Refund {
			ctx, stop := context.WithTimeout(t.Context(), patience)
			defer stop()
			did, err := n.Refund(ctx, node.Request{Client: "bob", Cost: cost})
			if err != nil {
				t.Fatal(err)
			}
			return did
		}
		if did := refund(c.nodes[2], 150, patience); did.Returned != 150 {
			t.Errorf("through a node that charged nothing: %+v", did)
		}
		c.left("bob", 50)
		net.cut()
		if did := refund(c.nodes[2], 40, time.Second); did.Returned != 0 || did.Short != node.ShortAway {
			t.Errorf("while cut off: %+v", did)
		}
		net.heal()
		c.await("the network is whole", func() bool { return net.whole() && c.together() })
		c.await("the rest comes back", func() bool {
			refund(c.nodes[2], 100, time.Second)
			return c.nodes[2].Do(node.Request{Client: "bob", Peek: true}).Remaining == 100
		})
		c.left("bob", 100-drained)
	})
}
