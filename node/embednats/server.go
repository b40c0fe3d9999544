package embednats

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"strconv"
	"sync"
	"time"

	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go"
)

const (
	// startTimeout is how long Start waits for the ports. Lower fails on a slow machine;
	// higher delays the report of a server that hangs.
	startTimeout = 10 * time.Second
	// startPoll is how often Start looks. Higher delays the start by as much.
	startPoll = 100 * time.Millisecond
	// closeTimeout is how long Close waits. Lower leaves ports open that the next start
	// needs; higher delays the end of the process.
	closeTimeout = 5 * time.Second
)

// ErrSlowClose is the error of Close if the server does not stop in time.
var ErrSlowClose = errors.New("embednats: the server did not stop in time")

// Server is a running NATS server. Make one with Start. Its methods are safe for
// concurrent use.
type Server struct {
	server   *server.Server
	password string
	outside  bool // clients may connect over TCP
	closing  sync.Once
	closeErr error
}

// Start starts a server and returns once its ports are open. It does not wait for other
// servers of the mesh, which may start later. The error joins every fault of cfg. For a port
// in use, the error wraps the system's.
func Start(cfg Config) (*Server, error) {
	o, err := cfg.options()
	if err != nil {
		return nil, fmt.Errorf("embednats: configuration: %w", err)
	}
	log := cfg.Logger
	if log == nil {
		log = slog.New(slog.DiscardHandler)
	}
	return start(cfg, o, log)
}

func start(cfg Config, o *server.Options, log *slog.Logger) (*Server, error) {
	s := Server{password: rand.Text(), outside: cfg.ClientListen != ""}
	g := &gate{cfg: cfg, password: s.password}
	o.CustomClientAuthentication = g
	var err error
	if s.server, err = server.NewServer(o); err != nil {
		return nil, fmt.Errorf("embednats: %w", err)
	}
	g.server = s.server // nobody can connect before the start
	l := &logger{log: log, fatal: make(chan error, 1)}
	s.server.SetLoggerV2(l, log.Enabled(context.Background(), slog.LevelDebug), false, false)
	s.server.Start()
	for range startTimeout / startPoll {
		if s.server.ReadyForConnections(startPoll) {
			return &s, nil
		}
		select {
		case err := <-l.fatal:
			return nil, errors.Join(s.listenError(o, err), s.Close())
		default:
		}
	}
	return nil, errors.Join(fmt.Errorf("embednats: the server was not ready within %v", startTimeout), s.Close())
}

// listenError names the port that the server could not open. The server opens the client
// port first, so an open client port is not at fault.
func (s *Server) listenError(o *server.Options, cause error) error {
	what := "other servers of the mesh"
	host, port := o.Cluster.Host, o.Cluster.Port
	if s.server.Addr() == nil && !o.DontListen {
		what, host, port = "NATS clients", o.Host, o.Port
	}
	if op := (*net.OpError)(nil); errors.As(cause, &op) {
		cause = op.Err // the rest of the error repeats the address
	}
	return fmt.Errorf("embednats: cannot listen for %s on %s: %w", what, net.JoinHostPort(host, strconv.Itoa(port)), cause)
}

// InProcess makes a NATS client connect to this server without a socket, as a node. The client
// still needs some URL: give it ProcessURL.
func (s *Server) InProcess() nats.Option { return s.as(processUser) }

// InProcessApp is InProcess for a client that answers programs. It reaches the clients of
// ClientListen, here and on the other servers of the mesh, and no nodes.
func (s *Server) InProcessApp() nats.Option { return s.as(processAppUser) }

func (s *Server) as(user string) nats.Option {
	return func(o *nats.Options) error {
		o.InProcessServer, o.User, o.Password = s.server, user, s.password
		return nil
	}
}

// ProcessURL is the URL for a client that connects in process.
const ProcessURL = "nats://in-process"

// ClientURL is the URL for clients outside the process, without credentials. It is "" if they
// cannot connect.
func (s *Server) ClientURL() string {
	addr, ok := s.server.Addr().(*net.TCPAddr)
	if !s.outside || !ok {
		return ""
	}
	return "nats://" + dialable(addr)
}

// ClusterAddr is the host:port at which other servers join the mesh. It is "" for a server
// alone.
func (s *Server) ClusterAddr() string {
	addr := s.server.ClusterAddr()
	if addr == nil {
		return ""
	}
	return dialable(addr)
}

// dialable replaces the unspecified address of a listener on all addresses by loopback.
func dialable(addr *net.TCPAddr) string {
	a := *addr
	switch {
	case !a.IP.IsUnspecified():
	case a.IP.To4() != nil:
		a.IP = net.IPv4(127, 0, 0, 1)
	default:
		a.IP = net.IPv6loopback
	}
	return a.String()
}

// Routes is the number of connected other servers of the mesh.
func (s *Server) Routes() int { return s.server.NumRemotes() }

// Close stops the server, and disconnects clients in the process. It waits at most 5 s for
// the stop. Then it returns ErrSlowClose, and the server goes on stopping by itself. Close is
// idempotent.
func (s *Server) Close() error {
	s.closing.Do(func() {
		done := make(chan struct{})
		go func() {
			s.server.Shutdown()
			s.server.WaitForShutdown()
			close(done)
		}()
		select {
		case <-done:
		case <-time.After(closeTimeout):
			s.closeErr = ErrSlowClose
		}
	})
	return s.closeErr
}
