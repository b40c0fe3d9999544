package node_test

import (
	"context"
	"errors"
	"net"
	"strings"
	"testing"
	"time"

	natsserver "github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go"
	"go.uber.org/goleak"

	"github.com/distributed-rate-limiter/distributed-rate-limiter/node"
)

func TestANodeWithoutItsServerDecidesAndCloses(t *testing.T) {
	n, err := node.Open(context.Background(), node.Config{Name: "cut-off", Limit: 2, Window: time.Hour, NATS: node.NATS{URL: "nats://127.0.0.1:1"}})
	must(t, err)
	if got := times(4, func() bool { return n.Allow("alice") }); got != 2 {
		t.Errorf("%d pass by its own count, want 2", got)
	}
	if s := n.Stats(); !s.Isolated || !s.Degraded {
		t.Errorf("isolated %v, degraded %v", s.Isolated, s.Degraded)
	}
	closeInTime(t, n)
}

// promptly fails the test if do waits for something that does not happen.
func promptly(t *testing.T, what string, do func()) {
	t.Helper()
	done := make(chan struct{})
	go func() { do(); close(done) }()
	select {
	case <-done:
	case <-time.After(20 * time.Second):
		t.Fatalf("%s waits", what)
	}
}

// Neither Open nor Close waits for a server that accepts and never answers, however
// long the connection may take by its settings.
func TestOpenAndCloseDoNotWaitForAServerThatNeverAnswers(t *testing.T) {
	l, err := new(net.ListenConfig).Listen(t.Context(), "tcp", "127.0.0.1:0")
	must(t, err)
	defer l.Close()
	var n *node.Node
	promptly(t, "Open", func() {
		n, err = node.Open(context.Background(), node.Config{
			Limit: 1, Window: time.Hour,
			NATS: node.NATS{URL: "nats://" + l.Addr().String(), Options: []nats.Option{nats.Timeout(time.Hour)}},
		})
	})
	must(t, err)
	conn, err := l.Accept()
	must(t, err)
	defer conn.Close()
	if !n.Allow("alice") || n.Allow("alice") || !n.Stats().Isolated {
		t.Error("it does not decide alone")
	}
	closeInTime(t, n)
}

func TestANodeThatExpectsNobodyIsReadyAtOnce(t *testing.T) {
	n, err := node.Open(context.Background(), node.Config{Limit: 1, Window: time.Hour, Alone: true, NATS: node.NATS{URL: "nats://127.0.0.1:1"}})
	must(t, err)
	if s := n.Stats(); n.Ready() != nil || !s.Sync.Ready || s.Isolated || s.Degraded {
		t.Errorf("ready %v, %+v", n.Ready(), s)
	}
	closeInTime(t, n)
	// It hears those who come.
	s := server(t)
	var nodes []*node.Node
	for _, name := range []string{"a", "b"} {
		n, err := node.Open(context.Background(), node.Config{Name: name, Limit: 1, Window: time.Hour, Alone: name == "a", NATS: node.NATS{URL: s.ClientURL()}})
		must(t, err)
		t.Cleanup(func() { closeInTime(t, n) })
		nodes = append(nodes, n)
	}
	if !nodes[0].Allow("alice") {
		t.Error("denied")
	}
	eventually(t, "the other knows", func() bool { return nodes[1].Do(node.Request{Client: "alice", Peek: true}).Remaining == 0 })
}

func TestANodeFindsItsServerWhenItComes(t *testing.T) {
	s := server(t)
	addr, ok := s.Addr().(*net.TCPAddr)
	if !ok {
		t.Fatal(s.Addr())
	}
	s.Shutdown()
	s.WaitForShutdown()
	var log record
	n, err := node.Open(context.Background(), node.Config{
		Limit: 1, Window: time.Hour, Logger: log.logger(),
		NATS: node.NATS{URL: "nats://me:s3cret@" + addr.String(), Options: []nats.Option{nats.ReconnectWait(10 * time.Millisecond)}},
	})
	must(t, err)
	defer closeInTime(t, n)
	eventually(t, "it says that nobody is there", func() bool { return strings.Contains(log.String(), "cannot connect to NATS") })
	serverAt(t, addr.Port)
	eventually(t, "connected", func() bool { return n.Stats().Sync.Connected })
	if text := log.String(); strings.Count(text, "cannot connect to NATS") != 1 || strings.Contains(text, "s3cret") {
		t.Error(text)
	}
}

func TestWhatIsWrongWithNATSItselfIsAnErrorOfOpen(t *testing.T) {
	for name, c := range map[string]struct {
		nats  node.NATS
		field string
	}{
		"no URL":     {node.NATS{URL: "nats://me:s3/cret@127.0.0.1"}, "nats"},
		"one of two": {node.NATS{URL: "nats://127.0.0.1:1,nats://me:s3cret@[::1"}, "nats"},
		"no file":    {node.NATS{URL: "nats://127.0.0.1:1", Options: []nats.Option{nats.ClientCert("/nowhere", "/nowhere")}}, "nats.options"},
	} {
		n, err := node.Open(context.Background(), node.Config{Limit: 1, Window: time.Hour, NATS: c.nats})
		if err == nil {
			t.Errorf("%s: it opened: %v", name, n.Close())
			continue
		}
		var field *node.FieldError
		if !errors.As(err, &field) || field.Field != c.field || strings.Contains(err.Error(), "s3") {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// server runs a NATS server for the test.
func server(t testing.TB) *natsserver.Server {
	t.Helper()
	return serverAt(t, natsserver.RANDOM_PORT)
}

func serverAt(t testing.TB, port int) *natsserver.Server {
	t.Helper()
	s, err := natsserver.NewServer(&natsserver.Options{Host: "127.0.0.1", Port: port, NoSigs: true, NoLog: true})
	must(t, err)
	s.Start()
	t.Cleanup(func() { s.Shutdown(); s.WaitForShutdown() })
	if !s.ReadyForConnections(10 * time.Second) {
		t.Fatal("the NATS server does not start")
	}
	return s
}

// eventually polls until ok or the deadline passes.
func eventually(t *testing.T, what string, ok func() bool) {
	t.Helper()
	deadline := time.After(20 * time.Second)
	for tick := time.Tick(5 * time.Millisecond); !ok(); {
		select {
		case <-tick:
		case <-deadline:
			t.Fatalf("never: %s", what)
		}
	}
}

func TestTwoNodesShareOneConnection(t *testing.T) {
	s := server(t)
	conn, err := nats.Connect(s.ClientURL(), nats.MaxReconnects(-1))
	must(t, err)
	defer conn.Close()
	var nodes []*node.Node
	for _, name := range []string{"a", "b"} {
		n, err := node.Open(context.Background(), node.Config{Name: name, Limit: 10, Window: 100 * time.Hour, NATS: node.NATS{Conn: conn}})
		must(t, err)
		nodes = append(nodes, n)
	}
	eventually(t, "both hear each other and are ready", func() bool {
		for _, n := range nodes {
			if s := n.Stats(); n.Ready() != nil || len(s.Sync.Peers) != 1 || !s.Sync.Peers[0].HearsUs {
				return false
			}
		}
		return true
	})
	for range 4 {
		nodes[0].Allow("alice")
		nodes[1].Allow("alice")
	}
	for _, n := range nodes {
		eventually(t, "both know of all 8", func() bool { return n.Do(node.Request{Client: "alice", Peek: true}).Remaining == 2 })
	}
	closeInTime(t, nodes[0])
	if !conn.IsConnected() {
		t.Fatal("the caller's connection was closed")
	}
	eventually(t, "the other node hears the bye", func() bool { return nodes[1].Stats().Sync.Peers[0].State == node.PeerGone })
	closeInTime(t, nodes[1])
}

func TestCloseLeavesNoGoroutine(t *testing.T) {
	s := server(t)
	before := goleak.IgnoreCurrent()
	n, err := node.Open(context.Background(), node.Config{Name: "a", Limit: 10, Window: time.Hour, NATS: node.NATS{URL: s.ClientURL()}})
	must(t, err)
	eventually(t, "connected", func() bool { return n.Stats().Sync.Connected })
	closeInTime(t, n)
	s.Shutdown()
	s.WaitForShutdown()
	goleak.VerifyNone(t, before)
}
