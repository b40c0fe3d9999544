package integration_test

import (
	"fmt"
	"log/slog"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/prometheus/client_golang/prometheus"

	"github.com/distributed-rate-limiter/distributed-rate-limiter/gcra"
	"github.com/distributed-rate-limiter/distributed-rate-limiter/node"
	"github.com/distributed-rate-limiter/distributed-rate-limiter/node/embednats"
	"github.com/distributed-rate-limiter/distributed-rate-limiter/node/metrics"
)

// triangle is a mesh of three embedded servers. The first is dialled by the others
// directly; these two know each other by hearsay, under the addresses of doors that
// carry nothing else. So the one route between them can be cut.
type triangle struct {
	t       *testing.T
	servers []*embednats.Server
	doors   []*door
}

func (tri *triangle) join() node.NATS {
	tri.t.Helper()
	cfg := embednats.Config{
		Name: fmt.Sprintf("server%d", len(tri.servers)), ClusterListen: "127.0.0.1:0", RoutePassword: "route password",
		Logger: slog.New(slog.NewTextHandler(tri.t.Output(), nil)),
	}
	if len(tri.servers) > 0 {
		cfg.ClusterListen = freeAddress(tri.t)
		d := newDoor(tri.t)
		d.open(tri.t, cfg.ClusterListen)
		tri.doors = append(tri.doors, d)
		cfg.ClusterAdvertise, cfg.Routes = d.address, []string{tri.servers[0].ClusterAddr()}
	}
	s, err := embednats.Start(cfg)
	if err != nil {
		tri.t.Fatal(err)
	}
	tri.t.Cleanup(func() {
		if err := s.Close(); err != nil {
			tri.t.Error(err)
		}
	})
	tri.servers = append(tri.servers, s)
	return node.NATS{URL: embednats.ProcessURL, Options: []nats.Option{s.InProcess()}}
}

func (tri *triangle) cut() {
	tri.t.Helper()
	for _, d := range tri.doors {
		d.shut()
	}
	eventually(tri.t, "only the route between the second and the third server is cut", func() bool {
		return tri.routes(2, 1, 1)
	})
}

func (tri *triangle) heal() {
	for i, d := range tri.doors {
		d.open(tri.t, tri.servers[i+1].ClusterAddr())
	}
}

func (tri *triangle) whole() bool { return tri.routes(2, 2, 2) }

func (tri *triangle) routes(want ...int) bool {
	for i, s := range tri.servers {
		if s.Routes() != want[i] {
			return false
		}
	}
	return true
}

// metric is the value of a node's metric that has no labels.
func metric(t *testing.T, n *node.Node, name string) float64 {
	t.Helper()
	registry := prometheus.NewPedanticRegistry()
	registry.MustRegister(metrics.New(n))
	families, err := registry.Gather()
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range families {
		if f.GetName() == name {
			return f.GetMetric()[0].GetGauge().GetValue()
		}
	}
	t.Fatalf("there is no metric %s", name)
	return 0
}

// shows says that the node calls itself degraded and isolated, or neither, in its
// statistics and metrics.
func shows(t *testing.T, n *node.Node, degraded, isolated bool) bool {
	t.Helper()
	number := map[bool]float64{true: 1}
	s := n.Stats()
	return s.Degraded == degraded && s.Isolated == isolated &&
		metric(t, n, "ratelimiter_isolated") == number[isolated]
}

func TestOneCutRouteShowsAndHealsByItself(t *testing.T) {
	if testing.Short() {
		t.Skip("real servers and real seconds")
	}
	t.Parallel()
	const cost = 60 // of the partition: units that one server would have kept back
	tri := &triangle{t: t}
	c := &cluster{t: t, net: tri}
	for range 3 {
		c.open(node.Config{Limits: limits(map[string]gcra.Policy{"fast": fast, "slow": slow})})
	}
	c.await("three nodes that hear each other", func() bool { return c.together() && tri.whole() })
	tr, still := c.trial("fast", fast), c.trial("slow", slow)
	stopAlice, stopBob := tr.press("alice", 10*time.Millisecond), tr.press("bob", 10*time.Millisecond)
	stopCarol := still.press("carol", 50*time.Millisecond)

	befell := trouble{groups: 2}
	cut := time.Now()
	tri.cut()
	c.await("the two nodes know that they do not hear each other", func() bool {
		return shows(t, c.nodes[1], true, true) && shows(t, c.nodes[2], true, true)
	})
	noticed := time.Since(cut)
	for _, i := range []int{1, 2} {
		// Each hears the first, which hears both: so each counts for itself.
		if s := c.nodes[i].Stats(); !s.Sync.Connected || s.Sync.Members != 3 || s.Sync.Visible != 1 {
			t.Errorf("n%d: connected %t, %d of %d visible: want it connected, and 1 of 3", i, s.Sync.Connected, s.Sync.Visible, s.Sync.Members)
		}
		if got := metric(t, c.nodes[i], "ratelimiter_members_visible"); got != 1 {
			t.Errorf("n%d: ratelimiter_members_visible is %v", i, got)
		}
	}
	if !shows(t, c.nodes[0], false, false) {
		t.Errorf("the node that hears both others, and is heard, complains: %+v", c.nodes[0].Stats().Sync)
	}
	c.await("both go on", func() bool { return tr.ledger("bob").excess() >= cost })
	for _, i := range []int{1, 2} {
		if tr.ledger("bob").admitted(i, cut.Add(staleness), time.Now()) < cost/2 {
			t.Errorf("n%d admitted next to nothing while it was cut off", i)
		}
	}

	tri.heal()
	healing := c.await("all routes are there again", tri.whole)
	whole := time.Now()
	stopBob()
	stopCarol()
	befell.apart = tr.converges(whole, "bob").Sub(cut)
	tr.owes("bob")
	still.converges(whole, "carol")
	still.owes("carol")
	c.await("nobody complains any more", func() bool {
		for _, n := range c.nodes {
			if !shows(t, n, false, false) || n.Stats().Sync.Visible != 3 {
				return false
			}
		}
		return true
	})
	t.Logf("noticed after %v, apart for %v, routes back after %v", noticed.Round(time.Millisecond), befell.apart.Round(time.Millisecond), healing.Round(time.Millisecond))
	stopAlice()
	tr.converges(time.Now(), "alice")
	tr.judge("alice", befell)
	tr.judge("bob", befell)
	still.judge("carol", befell)
}
