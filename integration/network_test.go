package integration_test

import (
	"fmt"
	"log/slog"
	"net"
	"testing"

	"github.com/nats-io/nats.go"

	"github.com/distributed-rate-limiter/distributed-rate-limiter/node"
	"github.com/distributed-rate-limiter/distributed-rate-limiter/node/embednats"
)

// network is a way for nodes to reach each other over TCP, which can be cut.
type network interface {
	// join is how the next node reaches the others. There are at most mostNodes.
	join() node.NATS
	cut()
	heal()
	// whole says that all servers and clients are connected, after a cut.
	whole() bool
}

const mostNodes = 4

// overEachNetwork runs a test over a mesh of embedded servers and over one external
// server.
func overEachNetwork(t *testing.T, test func(t *testing.T, n network)) {
	if testing.Short() {
		t.Skip("real servers and real seconds")
	}
	t.Parallel()
	t.Run("mesh", func(t *testing.T) {
		t.Parallel()
		test(t, newMesh(t))
	})
	t.Run("server", func(t *testing.T) {
		t.Parallel()
		test(t, newHub(t, "-a", "127.0.0.1"))
	})
}

// mesh is one embedded server for each node, each behind a door of its own: all
// routes go through doors.
type mesh struct {
	t       *testing.T
	doors   []*door
	servers []*embednats.Server
}

func newMesh(t *testing.T) *mesh {
	m := &mesh{t: t}
	for range mostNodes {
		m.doors = append(m.doors, newDoor(t))
	}
	return m
}

func (m *mesh) join() node.NATS {
	m.t.Helper()
	i := len(m.servers)
	var routes []string // to all, itself and those who are not there yet included
	for _, d := range m.doors {
		routes = append(routes, "nats://"+d.address)
	}
	s, err := embednats.Start(embednats.Config{
		Name: fmt.Sprintf("server%d", i), ClusterListen: "127.0.0.1:0", RoutePassword: "route password",
		ClusterAdvertise: m.doors[i].address, Routes: routes,
		Logger: slog.New(slog.NewTextHandler(m.t.Output(), nil)),
	})
	if err != nil {
		m.t.Fatal(err)
	}
	m.t.Cleanup(func() {
		if err := s.Close(); err != nil {
			m.t.Error(err)
		}
	})
	m.servers = append(m.servers, s)
	m.doors[i].open(m.t, s.ClusterAddr())
	return node.NATS{URL: embednats.ProcessURL, Options: []nats.Option{s.InProcess()}}
}

func (m *mesh) cut() {
	for _, d := range m.doors {
		d.shut()
	}
	for _, s := range m.servers {
		eventually(m.t, "no routes", func() bool { return s.Routes() == 0 })
	}
}

func (m *mesh) heal() {
	for i, s := range m.servers {
		m.doors[i].open(m.t, s.ClusterAddr())
	}
}

func (m *mesh) whole() bool {
	for _, s := range m.servers {
		if s.Routes() != len(m.servers)-1 {
			return false
		}
	}
	return true
}

// hub is one external server process.
type hub struct {
	t       *testing.T
	args    []string
	address string
	process *process
}

func newHub(t *testing.T, args ...string) *hub {
	h := &hub{t: t, args: args, address: freeAddress(t)}
	h.heal()
	return h
}

func (h *hub) join() node.NATS { return node.NATS{URL: "nats://" + h.address} }

func (h *hub) cut() { h.process.kill() }

func (h *hub) heal() {
	h.t.Helper()
	_, port, err := net.SplitHostPort(h.address)
	if err != nil {
		h.t.Fatal(err)
	}
	h.process = spawn(h.t, "nats-server", append([]string{"-p", port}, h.args...)...)
	eventually(h.t, "NATS server", func() bool {
		conn, err := (&net.Dialer{}).DialContext(h.t.Context(), "tcp", h.address)
		if err != nil {
			return false
		}
		_ = conn.Close()
		return true
	})
}

// whole is left to the nodes, which know whether they are connected.
func (h *hub) whole() bool { return true }
