package integration_test

import (
	"fmt"
	"log/slog"
	"testing"
	"time"

	"github.com/nats-io/nats.go"

	"github.com/distributed-rate-limiter/distributed-rate-limiter/node"
)

const (
	limit  = 100
	window = time.Minute
	unit   = window / limit
)

// cluster is some nodes on one network.
type cluster struct {
	t     *testing.T
	net   network
	nodes []*node.Node
}

// newCluster opens three nodes and waits until each hears the others and is ready.
func newCluster(t *testing.T, net network) *cluster {
	t.Helper()
	c := &cluster{t: t, net: net}
	for range 3 {
		c.add()
	}
	c.await("three nodes that hear each other", c.together)
	return c
}

// add opens one more node, and does not wait for it.
func (c *cluster) add() *node.Node {
	c.t.Helper()
	return c.open(node.Config{Limit: limit, Window: window})
}

// open is add with limits, and maybe a way to the network, of its own.
func (c *cluster) open(cfg node.Config) *node.Node {
	c.t.Helper()
	cfg.Name, cfg.ClusterKey = fmt.Sprintf("n%d", len(c.nodes)), []byte("a key for all tests")
	cfg.Logger = slog.New(slog.NewTextHandler(c.t.Output(), nil)).With("node", cfg.Name)
	if cfg.Transport == nil && cfg.NATS.URL == "" {
		cfg.NATS = c.net.join()
	}
	n, err := node.Open(c.t.Context(), cfg)
	if err != nil {
		c.t.Fatal(err)
	}
	c.t.Cleanup(func() { _ = n.Close() })
	c.nodes = append(c.nodes, n)
	return n
}

// await waits for ok, and tells the state of the nodes where that is in vain.
func (c *cluster) await(what string, ok func() bool) time.Duration {
	c.t.Helper()
	defer func() {
		if c.t.Failed() {
			for _, n := range c.nodes {
				s := n.Stats()
				c.t.Logf("%s: %+v", s.Name, s.Sync)
			}
		}
	}()
	return eventually(c.t, what, ok)
}

// together says that all nodes are ready and hear all others.
func (c *cluster) together() bool {
	for _, n := range c.nodes {
		s := n.Stats()
		if n.Ready() != nil || !s.Sync.Connected || s.Degraded || len(s.Sync.Peers) < len(c.nodes)-1 {
			return false
		}
		for _, p := range s.Sync.Peers {
			if !p.HearsUs {
				return false
			}
		}
	}
	return true
}

// agree says that all nodes have the same answer for a client: the same remaining
// units, within one, and the same debt beyond that.
func (c *cluster) agree(client string) bool {
	var least, most node.Decision
	began := time.Now()
	for i, n := range c.nodes {
		d := n.Do(node.Request{Client: client, Peek: true})
		if i == 0 || d.ResetAfter < least.ResetAfter {
			least = d
		}
		if i == 0 || d.ResetAfter > most.ResetAfter {
			most = d
		}
	}
	return least.Remaining-most.Remaining <= 1 && most.ResetAfter-least.ResetAfter <= unit+time.Since(began)
}

// spend asks a node for single units and returns how many it admitted.
func spend(n *node.Node, client string, requests int) (admitted int) {
	for range requests {
		if n.Allow(client) {
			admitted++
		}
	}
	return admitted
}

func TestClusterCountsAsOne(t *testing.T) {
	overEachNetwork(t, func(t *testing.T, net network) {
		const (
			requests = 300
			pace     = 10 * time.Millisecond // so that what peers admit meanwhile is known
			slack    = 12                    // the target of a tenth, and one unit for each peer
		)
		c := newCluster(t, net)
		began, admitted := time.Now(), 0
		for i := range requests {
			admitted += spend(c.nodes[i%len(c.nodes)], "alice", 1)
			time.Sleep(pace)
		}
		refill := int(time.Since(began)/unit) + 1
		t.Logf("admitted %d of %d, refill %d", admitted, requests, refill)
		if admitted < limit || admitted > limit+refill+slack {
			t.Errorf("admitted %d of %d requests: must be from %d to %d", admitted, requests, limit, limit+refill+slack)
		}
		c.await("all nodes agree", func() bool { return c.agree("alice") })

		late := c.add()
		joining := c.await("the late node is ready", func() bool { return late.Ready() == nil })
		if d := late.Take("alice", limit/2); d.Allowed {
			t.Errorf("a node that joined late, in %v, let a spent client pass: %+v", joining, d)
		}
		if !c.agree("alice") {
			t.Errorf("a node that joined late, in %v, knows less than the others: %+v", joining, late.Do(node.Request{Client: "alice", Peek: true}))
		}
	})
}

func TestClusterDecidesWhileItIsCutAndConvergesAfter(t *testing.T) {
	overEachNetwork(t, func(t *testing.T, net network) {
		const outage, recovery = 5 * time.Second, 2 * time.Second
		c := newCluster(t, net)
		before := spend(c.nodes[2], "bob", 10)
		c.await("all nodes know of the first requests", func() bool { return c.agree("bob") })

		net.cut()
		end := time.Now().Add(outage)
		// Each node alone, by what it knew: bob far below his limit, carol above it on
		// one node and nearly so on another.
		bob := before + spend(c.nodes[0], "bob", 15)
		carol := 0
		for i := 0; time.Now().Before(end); i++ {
			if i < 25 {
				bob += spend(c.nodes[1], "bob", 1)
			}
			carol += spend(c.nodes[0], "carol", 4)
			if i < 80 {
				carol += spend(c.nodes[1], "carol", 1)
			}
			time.Sleep(10 * time.Millisecond)
		}
		if bob != 50 {
			t.Errorf("bob got %d of 50 within his limit", bob)
		}
		if carol < limit+80 {
			t.Errorf("carol got %d: two nodes that cannot hear each other let %d pass at least", carol, limit+80)
		}
		c.await("all nodes know that they are cut off", func() bool {
			for _, n := range c.nodes {
				if !n.Stats().Degraded {
					return false
				}
			}
			return true
		})
		if c.agree("bob") || c.agree("carol") {
			t.Error("the nodes agree while they cannot hear each other: the cut was none")
		}

		net.heal()
		reconnected := c.await("the network is whole", func() bool {
			for _, n := range c.nodes {
				if !n.Stats().Sync.Connected {
					return false
				}
			}
			return net.whole()
		})
		took := c.await("all nodes agree", func() bool { return c.agree("bob") && c.agree("carol") })
		t.Logf("reconnected after %v, agreed %v later", reconnected.Round(time.Millisecond), took.Round(time.Millisecond))
		if took > recovery {
			t.Errorf("the nodes agreed %v after the network was whole, %v is due", took, recovery)
		}
		for i, n := range c.nodes {
			if d := n.Take("carol", limit/2); d.Allowed {
				t.Errorf("n%d let carol pass, who is in debt: %+v", i, d)
			}
		}
		c.await("nobody is degraded", c.together)
	})
}

// TestClusterOfTwoNodesOnOneConnection is what an application has that runs two
// limiters and one NATS connection, which it uses for other things as well.
func TestClusterOfTwoNodesOnOneConnection(t *testing.T) {
	if testing.Short() {
		t.Skip("a real server")
	}
	t.Parallel()
	h := newHub(t, "-a", "127.0.0.1")
	conn, err := nats.Connect("nats://"+h.address, nats.MaxReconnects(-1))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(conn.Close)
	c := &cluster{t: t, net: lent{conn}}
	for range 2 {
		c.add()
	}
	c.await("two nodes that hear each other", c.together)
	if admitted := spend(c.nodes[0], "alice", 40) + spend(c.nodes[1], "alice", 30); admitted != 70 {
		t.Errorf("admitted %d of 70", admitted)
	}
	c.await("both agree", func() bool { return c.agree("alice") })
	if left := c.nodes[0].Do(node.Request{Client: "alice", Peek: true}).Remaining; left > limit/2 {
		t.Errorf("%d are left of %d after 70", left, limit)
	}
	if err := c.nodes[0].Close(); err != nil {
		t.Error(err)
	}
	if !conn.IsConnected() || conn.NumSubscriptions() == 0 {
		t.Error("closing one node took the connection from the other")
	}
	if err := c.nodes[1].Close(); err != nil {
		t.Error(err)
	}
	if n := conn.NumSubscriptions(); !conn.IsConnected() || n != 0 {
		t.Errorf("closing the nodes left %d subscriptions on a connection that is the caller's", n)
	}
}

// lent is a network by way of a connection of the caller's.
type lent struct{ conn *nats.Conn }

func (l lent) join() node.NATS { return node.NATS{Conn: l.conn} }
func (lent) cut()              {}
func (lent) heal()             {}
func (lent) whole() bool       { return true }
