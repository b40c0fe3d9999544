package transporttest

import (
	"errors"
	"net"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go"
	"go.uber.org/goleak"

	deltasync "github.com/distributed-rate-limiter/distributed-rate-limiter/sync"
)

func TestNATSIsATransport(t *testing.T) {
	Run(t, func(t *testing.T) Network {
		s := newServer(t)
		return Network{
			Transport: func() deltasync.Transport { return deltasync.NATS(s.connect(nats.NoEcho())) },
			Shared: func() (a, b deltasync.Transport) {
				conn := s.connect()
				return deltasync.NATS(conn), deltasync.NATS(conn)
			},
			Stop: s.stop, Start: s.start,
		}
	})
}

// natsServer is a real server, which can be stopped and started on the same port.
type natsServer struct {
	t    *testing.T
	port int
	run  *server.Server
}

func newServer(t *testing.T) *natsServer {
	t.Helper()
	s := &natsServer{t: t, port: server.RANDOM_PORT}
	s.start()
	t.Cleanup(s.stop)
	return s
}

func (s *natsServer) start() {
	s.t.Helper()
	run, err := server.NewServer(&server.Options{
		Host: "127.0.0.1", Port: s.port, NoSigs: true, NoLog: true, NoSystemAccount: true,
	})
	if err != nil {
		s.t.Fatal(err)
	}
	run.Start()
	if !run.ReadyForConnections(patience) {
		s.t.Fatalf("no NATS server on port %d", s.port)
	}
	addr, ok := run.Addr().(*net.TCPAddr)
	if !ok {
		s.t.Fatalf("listens on %v", run.Addr())
	}
	s.run, s.port = run, addr.Port
}

func (s *natsServer) stop() {
	s.run.Shutdown()
	s.run.WaitForShutdown()
}

// options are the settings that a node uses, but more impatient.
func (s *natsServer) options(more ...nats.Option) nats.Options {
	s.t.Helper()
	o := nats.GetDefaultOptions()
	o.Url = (&net.TCPAddr{IP: net.IPv4(127, 0, 0, 1), Port: s.port}).String()
	for _, set := range append([]nats.Option{
		nats.RetryOnFailedConnect(true), nats.MaxReconnects(-1), nats.ReconnectBufSize(-1),
		nats.ReconnectWait(10 * time.Millisecond), nats.ReconnectJitter(0, 0),
		nats.ErrorHandler(func(*nats.Conn, *nats.Subscription, error) {}),
	}, more...) {
		if err := set(&o); err != nil {
			s.t.Fatal(err)
		}
	}
	return o
}

// connect makes a connection, which is closed when the test has closed its transports.
func (s *natsServer) connect(more ...nats.Option) *nats.Conn {
	s.t.Helper()
	conn, err := s.options(more...).Connect()
	if err != nil {
		s.t.Fatal(err)
	}
	s.t.Cleanup(conn.Close)
	return conn
}

func TestAConnectionClosedByItsOwnerDisconnects(t *testing.T) {
	n := newServer(t)
	conn := n.connect()
	s := &suite{t: t}
	e := s.start(deltasync.NATS(conn), nil, "s")
	s.awaitState(e, "connected")
	conn.Close()
	s.awaitState(e, "connected", "disconnected")
	if err := e.Publish("s", nil); !errors.Is(err, nats.ErrConnectionClosed) {
		t.Errorf("publish: %v", err)
	}
	e.close()
}

func TestASubjectThatIsNoneIsRefusedAndLeavesNothing(t *testing.T) {
	conn := newServer(t).connect()
	before := goleak.IgnoreCurrent()
	tr := deltasync.NATS(conn)
	if err := tr.Open([]string{"fine", "not fine"}, &recorder{t: t}); !errors.Is(err, nats.ErrBadSubject) {
		t.Errorf("open: %v", err)
	}
	if n := conn.NumSubscriptions(); n != 0 {
		t.Errorf("%d subscriptions are left", n)
	}
	if err := goleak.Find(before); err != nil {
		t.Error(err)
	}
}

func TestCloseUnsubscribes(t *testing.T) {
	conn := newServer(t).connect()
	s := &suite{t: t}
	e := s.start(deltasync.NATS(conn), nil, "a", "b.*")
	if n := conn.NumSubscriptions(); n != 2 {
		t.Errorf("%d subscriptions for two subjects", n)
	}
	e.close()
	if n := conn.NumSubscriptions(); n != 0 {
		t.Errorf("%d subscriptions are left", n)
	}
	if !conn.IsConnected() {
		t.Error("the caller's connection was closed")
	}
}

// TestCloseHandsAllToTheServer matters to a node that says bye and exits.
func TestCloseHandsAllToTheServer(t *testing.T) {
	n := newServer(t)
	s := &suite{t: t}
	e := s.start(deltasync.NATS(n.connect()), nil)
	s.awaitState(e, "connected")
	const many = 200
	load := strings.Repeat("x", 32<<10) // enough to be still under way otherwise
	for range many {
		e.publish("s", load)
	}
	e.close()
	v, err := n.run.Varz(nil)
	if err != nil {
		t.Fatal(err)
	}
	if v.InMsgs != many {
		t.Errorf("the server has got %d of %d messages when Close returns", v.InMsgs, many)
	}
}
