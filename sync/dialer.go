package sync

import (
	"context"
	"errors"
	"net"

	"github.com/nats-io/nats.go"
)

// interruptible makes connections of these options end with ctx, also while the library
// makes them: it waits for a name, a port and a greeting with its locks held, so that
// closing the connection would wait as well.
func interruptible(ctx context.Context, o nats.Options) nats.Options {
	d := dialer{ctx: ctx, custom: o.CustomDialer}
	if d.custom == nil {
		if d.plain.Timeout = o.Timeout; o.Dialer != nil {
			d.plain = *o.Dialer
		}
		if o.AllowMultipathTCP != nil {
			d.plain.SetMultipathTCP(*o.AllowMultipathTCP)
		}
		o.SkipHostLookup = true // the lookup of our own dialer can be interrupted
	}
	o.CustomDialer = &d
	if o.InProcessServer != nil {
		o.InProcessServer = inProcess{ctx, o.InProcessServer}
	}
	return o
}

// dialer dials until ctx is done, and then closes the connections that it made.
type dialer struct {
	ctx    context.Context //nolint:containedctx // the library's interface has no room for one
	plain  net.Dialer
	custom nats.CustomDialer // the caller's; cannot be interrupted before it returns
}

func (d *dialer) Dial(network, address string) (net.Conn, error) {
	if err := d.ctx.Err(); err != nil {
		return nil, err
	}
	if d.custom != nil {
		return bound(d.ctx)(d.custom.Dial(network, address))
	}
	return bound(d.ctx)(d.plain.DialContext(d.ctx, network, address))
}

// SkipTLSHandshake passes on the answer of the caller's dialer: the library asks whether
// connections are secure already.
func (d *dialer) SkipTLSHandshake() bool {
	s, ok := d.custom.(interface{ SkipTLSHandshake() bool })
	return ok && s.SkipTLSHandshake()
}

// inProcess makes connections to a server in the same process end with ctx.
type inProcess struct {
	ctx    context.Context //nolint:containedctx // as above
	server nats.InProcessConnProvider
}

func (p inProcess) InProcessConn() (net.Conn, error) {
	return bound(p.ctx)(p.server.InProcessConn())
}

// bound makes a new connection end with ctx.
func bound(ctx context.Context) func(net.Conn, error) (net.Conn, error) {
	return func(conn net.Conn, err error) (net.Conn, error) {
		if err != nil {
			return nil, err
		}
		return &boundConn{conn, context.AfterFunc(ctx, func() { _ = conn.Close() })}, nil
	}
}

type boundConn struct {
	net.Conn
	forget func() bool // ctx needs to close it no more
}

func (c *boundConn) Close() error {
	c.forget()
	return c.Conn.Close()
}

// errNoDialling tells that the library got as far as dialling.
var errNoDialling = errors.New("not dialled")

// noDialer refuses to dial.
type noDialer struct{}

func (noDialer) Dial(string, string) (net.Conn, error) { return nil, errNoDialling }
