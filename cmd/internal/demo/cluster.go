package demo

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/nats-io/nats.go"

	"github.com/distributed-rate-limiter/distributed-rate-limiter/node"
	"github.com/distributed-rate-limiter/distributed-rate-limiter/node/embednats"
)

const (
	nodes = 3
	// clocks is the largest difference between the nodes' clocks. The nodes share one clock,
	// but each follows it in steps of its own. A unit takes far longer to drain.
	clocks = 2 * time.Millisecond
)

// cluster is the nodes and their servers.
type cluster struct {
	log     func(node string) *slog.Logger
	policy  node.Policy
	members [nodes]*member
}

// member is one node over all its incarnations. It gets requests while it is in service, as a
// load balancer would send them.
type member struct {
	name    string
	address string // of its server among the others, once it has one

	incarnation atomic.Pointer[incarnation]
	inService   atomic.Bool
}

type incarnation struct {
	node   *node.Node
	server *embednats.Server
	cable  *cable
}

func (m *member) node() *node.Node { return m.incarnation.Load().node }

// startCluster opens all nodes. The caller closes the cluster, also after an error.
func startCluster(ctx context.Context, log func(node string) *slog.Logger, p node.Policy) (*cluster, error) {
	c := &cluster{log: log, policy: p}
	for i := range c.members {
		c.members[i] = &member{name: fmt.Sprintf("n%d", i+1), address: "127.0.0.1:0"}
	}
	for _, m := range c.members {
		if err := c.start(ctx, m); err != nil {
			return c, err
		}
		m.inService.Store(true)
	}
	return c, nil
}

// start opens a member's server and node, for the first time or after a kill.
func (c *cluster) start(ctx context.Context, m *member) error {
	var routes []string
	for _, other := range c.members {
		if other != m && other.incarnation.Load() != nil {
			routes = append(routes, "nats://"+other.address)
		}
	}
	log := c.log(m.name)
	server, err := embednats.Start(embednats.Config{
		Name: m.name, ClusterName: "demo", ClusterListen: m.address, Routes: routes, Logger: log,
	})
	if err != nil {
		return err
	}
	m.address = server.ClusterAddr()
	next := &incarnation{server: server, cable: &cable{}}
	next.node, err = node.Open(ctx, node.Config{
		Name: m.name, Cluster: "demo", Limits: map[string]node.Policy{node.DefaultLimit: c.policy}, Logger: log,
		NATS: node.NATS{URL: embednats.ProcessURL, Options: []nats.Option{
			next.cable.plug(server), nats.ReconnectWait(100 * time.Millisecond), nats.ReconnectJitter(0, 0),
		}},
	})
	if err != nil {
		return errors.Join(err, server.Close())
	}
	m.incarnation.Store(next)
	return nil
}

// kill ends a member's node without a word to the others. Nobody learns what it had not sent
// yet. kill returns when nothing of the node is left.
func (c *cluster) kill(m *member) {
	m.inService.Store(false)
	dead := m.incarnation.Load()
	dead.cable.cut()
	dead.close()
}

func (i *incarnation) close() {
	_ = i.node.Close() // its error says that it reached nobody, which is the point
	_ = i.server.Close()
}

// close ends all members and their servers.
func (c *cluster) close() {
	var closing sync.WaitGroup
	for _, m := range c.members {
		if i := m.incarnation.Load(); i != nil {
			closing.Go(i.close)
		}
	}
	closing.Wait()
}

// together reports whether all nodes are ready and hear each other.
func (c *cluster) together() bool {
	for _, m := range c.members {
		if m.node().Ready() != nil || !c.knows(m, time.Hour) {
			return false
		}
	}
	return true
}

// knows reports whether a member and the others in service hear each other, and whether the
// member has everything that the others had admitted that long ago.
func (c *cluster) knows(m *member, ago time.Duration) bool {
	s := m.node().Stats()
	for _, other := range c.members {
		if other == m || !other.inService.Load() {
			continue
		}
		replica := other.node().Stats().Replica
		heard := slices.ContainsFunc(s.Sync.Peers, func(p node.PeerStats) bool {
			return p.Replica == replica && p.State == node.PeerAlive && p.HearsUs && !p.Behind && p.StaleFor < ago
		})
		if !heard {
			return false
		}
	}
	return s.Sync.Connected
}

// agree reports whether all nodes give the same answer for each client, apart from units that
// drain while agree asks one node after the other.
func (c *cluster) agree(clients []string) bool {
	for _, client := range clients {
		var least, most time.Duration
		began := time.Now()
		for i, m := range c.members {
			d := m.node().Do(node.Request{Client: client, Peek: true})
			if i == 0 {
				least, most = d.ResetAfter, d.ResetAfter
			}
			least, most = min(least, d.ResetAfter), max(most, d.ResetAfter)
		}
		if most-least > time.Since(began)+clocks {
			return false
		}
	}
	return true
}
