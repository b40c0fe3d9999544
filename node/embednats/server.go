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
	startTimeout = 10 * time.Second
	startPoll    = 100 * time.Millisecond
	closeTimeout = 5 * time.Second
)

// ErrSlowClose is returned by Close when the server did not stop in time.
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

// Start starts a server and returns once its ports are open. It does not wait for
// other servers of the mesh: they may be away and come later. The error joins every
// fault of cfg; a port in use is one error that wraps the system's.
func Start(cfg Config) (*Server, error) {
	password := rand.Text()
	o, err := cfg.options(password)
	if err != nil {
		return nil, fmt.Errorf("embednats: configuration: %w", err)
	}
	log := cfg.Logger
	if log == nil {
		log = slog.New(slog.DiscardHandler)
	}
	s, err := start(o, log)
	if err != nil {
		return nil, err
	}
	s.password, s.outside = password, cfg.ClientListen != ""
	return s, nil
}

func start(o *server.Options, log *slog.Logger) (*Server, error) {
	var s Server
	var err error
	if s.server, err = server.NewServer(o); err != nil {
		return nil, fmt.Errorf("embednats: %w", err)
	}
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

// listenError says which of the ports could not be opened. The client port is the
// first; if it is open, it is not to blame.
func (s *Server) listenError(o *server.Options, cause error) error {
	what := "other servers of the mesh"
	host, port := o.Cluster.Host, o.Cluster.Port
	if s.server.Addr() == nil && !o.DontListen {
		what, host, port = "NATS clients", o.Host, o.Port
	}
	if op := (*net.OpError)(nil); errors.As(cause, &op) {
		cause = op.Err // the rest of it repeats the address
	}
	return fmt.Errorf("embednats: cannot listen for %s on %s: %w", what, net.JoinHostPort(host, strconv.Itoa(port)), cause)
}

// InProcess makes a NATS client connect to this server without a socket, with the
// credentials for it. The URL given to the client does not matter then, except that
// there must be one: see ProcessURL.
func (s *Server) InProcess() nats.Option {
	return func(o *nats.Options) error {
		o.InProcessServer, o.User, o.Password = s.server, processUser, s.password
		return nil
	}
}

// ProcessURL is what to give as URL where a client connects in process.
const ProcessURL = "nats://in-process"

// ClientURL is where clients outside the process connect, "" if they cannot. It
// holds no credentials.
func (s *Server) ClientURL() string {
	addr, ok := s.server.Addr().(*net.TCPAddr)
	if !s.outside || !ok {
		return ""
	}
	return "nats://" + dialable(addr)
}

// ClusterAddr is the host:port at which other servers join the mesh, "" if the
// server is alone.
func (s *Server) ClusterAddr() string {
	addr := s.server.ClusterAddr()
	if addr == nil {
		return ""
	}
	return dialable(addr)
}

// dialable puts the loopback address where a listener on all addresses has none.
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

// Routes is the number of other servers of the mesh that this one is connected to.
func (s *Server) Routes() int { return s.server.NumRemotes() }

// Close stops the server and waits until it has, at most 5 s: then it returns
// ErrSlowClose, and the server goes on stopping by itself. Clients in the process
// are disconnected. It is idempotent.
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
