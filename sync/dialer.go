package sync

import (
	"context"
	"errors"
	"net"

	"github.com/nats-io/nats.go"
)

// interruptible makes connections of these options end with ctx, also while they are
// being made: the library waits for a name, a port and a greeting with its locks held,
// so that closing it would wait as well.
func interruptible(ctx context.Context, o nats.Options) nats.Options {
	d := dialer{ctx: ctx, custom: o.CustomDialer}
	if d.custom == nil {
		if d.plain.Timeout = o.Timeout; o.Dialer != nil {
			d.plain = *o.Dialer
		}
		if o.AllowMultipathTCP != nil {
			d.plain.SetMultipathTCP(*o.AllowMultipathTCP)
		}
		o.SkipHostLookup = true // ours can be interrupted
	}
	o.CustomDialer = &d
	if o.InProcessServer != nil {
		o.InProcessServer = inProcess{ctx, o.InProcessServer}
	}
	return o
}

// dialer dials until ctx is done, and then closes what it dialled.
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

// SkipTLSHandshake is what the library asks a dialer whose connections are secure
// already.
func (d *dialer) SkipTLSHandshake() bool {
	s, ok := d.custom.(interface{ SkipTLSHandshake() bool })
	return ok && s.SkipTLSHandshake()
}

// inProcess bounds connections to a server in the same process.
type inProcess struct {
	ctx    context.Context //nolint:containedctx // as above
	server nats.InProcessConnProvider
}

func (p inProcess) InProcessConn() (net.Conn, error) {
	return bound(p.ctx)(p.server.InProcessConn())
}

// bound makes a connection that was just made end with ctx.
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
	forget func() bool
}

func (c *boundConn) Close() error {
	c.forget()
	return c.Conn.Close()
}

var errNoDialling = errors.New("not dialled")

// noDialer refuses to dial.
type noDialer struct{}

func (noDialer) Dial(string, string) (net.Conn, error) { return nil, errNoDialling }
