package main

import (
	"context"
	"net"
	"sync/atomic"
	"time"
)

// gate is a TCP listener that serves the clients in its queue before it closes. The kernel connects
// clients on its own. When a socket closes, it resets those whom nobody has accepted.
type gate struct {
	*net.TCPListener
	finishing atomic.Bool
	last      []net.Conn // of the goroutine that accepts
}

// openGate listens at an address.
func openGate(ctx context.Context, addr string) (*gate, error) {
	l, err := new(net.ListenConfig).Listen(ctx, "tcp", addr)
	if err != nil {
		return nil, err
	}
	return &gate{TCPListener: l.(*net.TCPListener)}, nil //nolint:errcheck,forcetypeassert // what listens on tcp
}

// finish makes Accept take the clients in the queue, close the socket, and return net.ErrClosed
// after the last client. Only the goroutine in Accept can close it: while somebody waits in Accept,
// the socket stays open and the kernel goes on connecting clients.
func (g *gate) finish() {
	g.finishing.Store(true)
	_ = g.SetDeadline(time.Unix(1, 0))
}

// Accept implements net.Listener. One goroutine at a time may call it.
func (g *gate) Accept() (net.Conn, error) {
	if len(g.last) == 0 {
		c, err := g.TCPListener.Accept()
		if err == nil || !g.finishing.Load() {
			return c, err
		}
		g.last = g.closeQueue()
	}
	if len(g.last) == 0 {
		return nil, net.ErrClosed
	}
	c := g.last[0]
	g.last = g.last[1:]
	return c, nil
}
