package browser

import (
	"context"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"net"
	"net/http"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/distributed-rate-limiter/distributed-rate-limiter/node"
	"github.com/distributed-rate-limiter/distributed-rate-limiter/node/dashboard"
	"github.com/distributed-rate-limiter/distributed-rate-limiter/node/httpapi"
	deltasync "github.com/distributed-rate-limiter/distributed-rate-limiter/sync"
)

// token is the admin token of all nodes.
const token = "a token for tests"

// cluster is three nodes in this process, each with its dashboard, under load.
type cluster struct {
	network deltasync.Memory
	members []*member
	loaders sync.WaitGroup
	stop    context.CancelFunc
}

type member struct {
	name    string
	address string
	node    atomic.Pointer[node.Node]
	board   *dashboard.Dashboard
	server  *http.Server
}

var policies = map[string]node.Policy{
	"default": {Limit: 100, Window: 10 * time.Second, Burst: 20},
	"login":   {Limit: 5, Window: time.Minute},
	"paid":    {Limit: 60, Window: time.Minute, Consistency: node.Bounded, MaxExcess: 3},
	"search":  {Limit: 300, Window: time.Minute, Shadow: true, Overrides: []node.Override{{Name: "gold", Prefixes: []string{"gold-"}, Limit: 3000, Window: time.Minute}}},
}

// start opens three nodes and waits until they hear each other.
func start(t *testing.T) *cluster {
	t.Helper()
	c := &cluster{}
	for i := range 3 {
		m := &member{name: fmt.Sprintf("n%d", i+1)}
		c.open(t, m)
		c.members = append(c.members, m)
	}
	ctx, cancel := context.WithCancel(context.Background())
	c.stop = cancel
	t.Cleanup(func() {
		cancel()
		c.loaders.Wait()
		for _, m := range c.members {
			m.kill()
		}
	})
	eventually(t, "the nodes do not hear each other", func() bool {
		for _, m := range c.members {
			if s := m.node.Load().Stats(); s.Sync.Visible != 3 || s.Degraded {
				return false
			}
		}
		return true
	})
	c.load(ctx)
	return c
}

// open starts a member.
func (c *cluster) open(t *testing.T, m *member) {
	t.Helper()
	log := dashboard.NewLog()
	logger := slog.New(log.Handler(nil))
	const shares = `{"version": 1, "opened": true, "configured": ["n1", "n2", "n3"], "members": ["n1", "n2", "n3"]}` // as an earlier run agreed on them
	n, err := node.Open(context.Background(), node.Config{Name: m.name, Cluster: "demo", Roster: []string{"n1", "n2", "n3"}, SavedRoster: []byte(shares), Limits: policies, Transport: c.network.Transport(), Logger: logger})
	if err != nil {
		t.Fatal(err)
	}
	m.board = dashboard.New(dashboard.Config{Node: n, Version: "v0.0.0", Log: log})
	c.serve(t, m, &http.Server{ReadHeaderTimeout: time.Second, WriteTimeout: 5 * time.Second, Handler: httpapi.New(httpapi.Config{
		Node: n, Version: "v0.0.0", AdminToken: token, AdminTokenName: "ops.token", Logger: logger, Dashboard: m.board,
		Metrics: http.NotFoundHandler(),
	})})
	m.node.Store(n)
}

// serve opens a member's server, at its old address if it had one.
func (c *cluster) serve(t *testing.T, m *member, server *http.Server) {
	t.Helper()
	if m.address == "" {
		m.address = "127.0.0.1:0"
	}
	var l net.Listener
	eventually(t, "the address is not free", func() (ok bool) {
		var err error
		l, err = new(net.ListenConfig).Listen(context.Background(), "tcp", m.address)
		return err == nil
	})
	m.address, m.server = l.Addr().String(), server
	go func() { _ = server.Serve(l) }()
	t.Cleanup(func() { _ = server.Close() })
}

// kill ends a member with its connections.
func (m *member) kill() {
	n := m.node.Swap(nil)
	if n == nil {
		return
	}
	_ = m.server.Close()
	m.board.Close()
	_ = n.Close()
}

func (m *member) url() string { return "http://" + m.address + "/" }

// load puts clients on all nodes: some far over their limit, many within it.
func (c *cluster) load(ctx context.Context) {
	ask := func(i int, limit, client string) {
		if n := c.members[i%len(c.members)].node.Load(); n != nil {
			n.Do(node.Request{Limit: limit, Client: client})
		}
	}
	c.loaders.Go(func() {
		random := rand.New(rand.NewPCG(1, 1)) //nolint:gosec // repeatable on purpose
		tick := time.NewTicker(10 * time.Millisecond)
		defer tick.Stop()
		for i := 0; ; i++ {
			select {
			case <-ctx.Done():
				return
			case <-tick.C:
			}
			for g := range 4 {
				ask(random.IntN(3), "default", fmt.Sprintf("greedy-%d", g+1))
			}
			wave := 3 + (i/100)%5
			for range wave {
				ask(random.IntN(3), "default", fmt.Sprintf("modest-%d", random.IntN(150)))
			}
			if i%20 == 0 {
				ask(i, "login", "203.0.113.7")
				ask(i, "login", fmt.Sprintf("198.51.100.%d", i%200))
			}
			ask(i, "search", fmt.Sprintf("gold-%d", i%3))
			ask(i+1, "search", "crawler")
		}
	})
}

// eventually waits for a condition, for as long as a slow machine may need.
func eventually(t *testing.T, what string, ok func() bool) {
	t.Helper()
	deadline := time.Now().Add(30 * time.Second)
	for !ok() {
		if time.Now().After(deadline) {
			t.Fatal(what)
		}
		time.Sleep(20 * time.Millisecond) // between two looks
	}
}
