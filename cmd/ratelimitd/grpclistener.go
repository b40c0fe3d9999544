package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"strings"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/keepalive"
	"google.golang.org/grpc/status"

	"github.com/distributed-rate-limiter/distributed-rate-limiter/node"
	"github.com/distributed-rate-limiter/distributed-rate-limiter/node/config"
	"github.com/distributed-rate-limiter/distributed-rate-limiter/node/envoyrls"
	"github.com/distributed-rate-limiter/distributed-rate-limiter/node/metrics"
)

const (
	// ageGrace is how long calls may go on on a connection that has lasted long enough.
	ageGrace = time.Minute
	// mostStreams caps the calls under way on one connection. Raising it lets one client take
	// more memory; lowering it makes a busy Envoy open more connections.
	mostStreams = 10_000
	// unixPrefix begins addresses of -grpc that are files.
	unixPrefix = "unix:"
)

// grpcListener is the server of Envoy's rate limit service and its listener. It is nil without
// -grpc.
type grpcListener struct {
	listener net.Listener
	server   *grpc.Server
	tls      bool
}

// openGRPC opens the address of -grpc, nil if there is none.
func openGRPC(ctx context.Context, s *config.Settings) (*grpcListener, error) {
	path, unix := strings.CutPrefix(s.GRPC, unixPrefix)
	switch {
	case s.GRPC == "":
		return nil, nil
	case unix:
		l, err := listenUnix(ctx, path)
		if err != nil {
			return nil, at(s, "grpc", "%w", err)
		}
		return &grpcListener{listener: l}, nil
	}
	l, err := listen(ctx, s, "grpc", s.GRPC)
	if err != nil {
		return nil, err
	}
	return &grpcListener{listener: l}, nil
}

// listenUnix opens a socket in the file system, and removes one that nobody listens at: a
// process that was killed left it.
func listenUnix(ctx context.Context, path string) (net.Listener, error) {
	if path == "" {
		return nil, errors.New("unix: needs a path, such as unix:/run/ratelimitd.sock")
	}
	if info, err := os.Stat(path); err == nil && info.Mode().Type() == fs.ModeSocket {
		c, err := new(net.Dialer).DialContext(ctx, "unix", path)
		if err == nil {
			_ = c.Close()
			return nil, fmt.Errorf("%s is in use by another program", path)
		}
		if err := os.Remove(path); err != nil {
			return nil, err
		}
	}
	return new(net.ListenConfig).Listen(ctx, "unix", path)
}

// prepare makes the server that serves the service.
func (d *grpcListener) prepare(p *plan, e *envoy, requests *metrics.Requests) error {
	if d == nil {
		return nil
	}
	how, err := p.grpcCredentials()
	if err != nil {
		return at(p.settings, "grpc_tls_cert", "%w", err)
	}
	d.tls = p.settings.GRPCTLSCert != ""
	age := keepalive.ServerParameters{MaxConnectionAgeGrace: ageGrace}
	if a := time.Duration(p.settings.GRPCMaxConnectionAge); a > 0 {
		age.MaxConnectionAge = a
	}
	count := func(ctx context.Context, q any, _ *grpc.UnaryServerInfo, next grpc.UnaryHandler) (any, error) {
		a, err := next(ctx, q)
		requests.Count(node.DoorGRPC, status.Code(err).String())
		return a, err
	}
	d.server = grpc.NewServer(append(envoyrls.ServerOptions(),
		grpc.UnaryInterceptor(count), grpc.Creds(how), grpc.KeepaliveParams(age), grpc.MaxConcurrentStreams(mostStreams))...)
	e.service.Register(d.server)
	return nil
}

// url is the address as clients dial it.
func (d *grpcListener) url() string {
	if a := d.listener.Addr(); a.Network() == "unix" {
		return unixPrefix + a.String()
	}
	if d.tls {
		return "grpcs://" + d.listener.Addr().String()
	}
	return "grpc://" + d.listener.Addr().String()
}

// serve returns when the listener was shut, or with what broke it.
func (d *grpcListener) serve() error {
	if err := d.server.Serve(d.listener); err != nil && !errors.Is(err, net.ErrClosed) {
		return fmt.Errorf("serve %s: %w", d.url(), err)
	}
	return nil
}

// shut tells clients to go elsewhere, and returns when the calls under way are answered or ctx
// is done.
func (d *grpcListener) shut(ctx context.Context) error {
	if d == nil {
		return nil
	}
	done := make(chan struct{})
	go func() {
		defer close(done)
		d.server.GracefulStop()
	}()
	select {
	case <-done:
		return nil
	case <-ctx.Done():
		d.server.Stop()
		<-done
		return ctx.Err()
	}
}
