package bench

import (
	"context"
	"errors"
	"fmt"
	"math"
	"sync/atomic"
	"time"

	"github.com/distributed-rate-limiter/distributed-rate-limiter/node"
)

// Cluster is nodes in this process, which hear each other through memory. Make one with
// StartCluster. Safe for concurrent use.
type Cluster struct {
	limit   string
	members []*member
}

// member is one node as a Target.
type member struct {
	name      string
	limit     string
	node      *node.Node
	transport node.Transport
	dead      atomic.Bool
}

// MaxNodes caps a cluster in this process. More nodes take memory and processors from the load.
const MaxNodes = 64

// StartCluster opens nodes with one limit, and waits until they hear each other, or until ctx
// ends. The caller closes the cluster.
func StartCluster(ctx context.Context, nodes int, limit string, p node.Policy) (*Cluster, error) {
	c := &Cluster{limit: limit}
	network := &node.Memory{}
	for i := range nodes {
		m := &member{name: fmt.Sprintf("n%d", i+1), limit: limit, transport: network.Transport()}
		n, err := node.Open(ctx, node.Config{
			Name: m.name, Cluster: "bench", Nodes: nodes, Limits: map[string]node.Policy{limit: p}, Transport: m.transport,
		})
		if err != nil {
			return nil, errors.Join(err, c.Close())
		}
		m.node = n
		c.members = append(c.members, m)
	}
	for !c.together() {
		select {
		case <-ctx.Done():
			return nil, errors.Join(ctx.Err(), c.Close())
		case <-time.After(10 * time.Millisecond):
		}
	}
	return c, nil
}

// together reports whether each node hears all others, and is heard.
func (c *Cluster) together() bool {
	for _, m := range c.members {
		s := m.node.Stats()
		heard := 0
		for i := range s.Sync.Peers {
			if p := &s.Sync.Peers[i]; p.State == node.PeerAlive && p.HearsUs && !p.Behind {
				heard++
			}
		}
		if m.node.Ready() != nil || heard < len(c.members)-1 {
			return false
		}
	}
	return true
}

// Nodes are the cluster's nodes as targets.
func (c *Cluster) Nodes() (out []Node) {
	for _, m := range c.members {
		out = append(out, Node{Name: m.name, Target: m, Down: m.dead.Load})
	}
	return out
}

// Take implements Target.
func (m *member) Take(_ context.Context, client string, cost int64) (bool, error) {
	return m.node.Do(node.Request{Client: client, Limit: m.limit, Cost: cost}).Allowed, nil
}

// Bound is the largest error bound that a living node states.
func (c *Cluster) Bound(context.Context) (bound float64, ok bool) {
	for _, m := range c.members {
		if m.dead.Load() {
			continue
		}
		for _, l := range m.node.Stats().Limits {
			if l.Name == c.limit {
				bound, ok = max(bound, l.OvershootBound), true
			}
		}
	}
	return bound, ok && !math.IsInf(bound, 0)
}

// SetLimit changes the limit on all nodes. It returns the instant of the change.
func (c *Cluster) SetLimit(p node.Policy) (from time.Time, err error) {
	for _, m := range c.members {
		if !m.dead.Load() {
			return m.node.SetLimit(c.limit, p)
		}
	}
	return time.Time{}, errors.New("no node is left")
}

// Kill ends a node, numbered from 1, without a word to the others: nobody learns what it had not
// sent yet.
func (c *Cluster) Kill(number int) error {
	if number < 1 || number > len(c.members) {
		return fmt.Errorf("there is no node %d of %d", number, len(c.members))
	}
	alive := 0
	for _, m := range c.members {
		if !m.dead.Load() {
			alive++
		}
	}
	m := c.members[number-1]
	switch {
	case m.dead.Load():
		return fmt.Errorf("node %d is dead already", number)
	case alive == 1:
		return errors.New("no node would be left")
	}
	m.dead.Store(true)
	err := m.transport.Close()
	_ = m.node.Close() // its error says that it reached nobody, which is the point
	return err
}

// Close closes the nodes.
func (c *Cluster) Close() error {
	var all []error
	for _, m := range c.members {
		if !m.dead.Swap(true) {
			all = append(all, m.node.Close())
		}
	}
	return errors.Join(all...)
}
