package demo

import (
	"errors"
	"net"
	"sync"

	"github.com/nats-io/nats.go"

	"github.com/distributed-rate-limiter/distributed-rate-limiter/node/embednats"
)

var errCut = errors.New("demo: the cable is cut")

// cable is the connection of a node to its NATS server. A cut breaks the connections that pass
// through it, and lets none pass until somebody mends it. Safe for concurrent use.
type cable struct {
	server nats.InProcessConnProvider

	mu    sync.Mutex
	isCut bool
	conns []net.Conn
}

// plug makes a NATS client connect to the server by this cable.
func (c *cable) plug(s *embednats.Server) nats.Option {
	return func(o *nats.Options) error {
		if err := s.InProcess()(o); err != nil {
			return err
		}
		c.server, o.InProcessServer = o.InProcessServer, c
		return nil
	}
}

// InProcessConn implements nats.InProcessConnProvider.
func (c *cable) InProcessConn() (net.Conn, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.isCut {
		return nil, errCut
	}
	conn, err := c.server.InProcessConn()
	if err == nil {
		c.conns = append(c.conns, conn)
	}
	return conn, err
}

func (c *cable) cut() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.isCut = true
	for _, conn := range c.conns {
		_ = conn.Close()
	}
	c.conns = nil
}

func (c *cable) mend() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.isCut = false
}
