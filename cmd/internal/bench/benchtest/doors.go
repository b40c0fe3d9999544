// Package benchtest opens doors of a node for the tests of a load: Envoy's rate limit service, and the
// service over NATS. Each gives a client six units an hour.
package benchtest

import (
	"context"
	"net"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	"google.golang.org/grpc"

	"github.com/distributed-rate-limiter/distributed-rate-limiter/node"
	"github.com/distributed-rate-limiter/distributed-rate-limiter/node/embednats"
	"github.com/distributed-rate-limiter/distributed-rate-limiter/node/envoyrls"
	"github.com/distributed-rate-limiter/distributed-rate-limiter/node/httpapi"
	"github.com/distributed-rate-limiter/distributed-rate-limiter/node/natsapi"
)

// Units is what a client has in an hour. Prefix begins the subjects of NATS.
const (
	Units  = 6
	Prefix = "bench"
)

// Envoy serves Envoy's rate limit service until the test ends, and returns its host:port. The limit is
// that of the key remote_address in the domain edge.
func Envoy(t testing.TB) string {
	t.Helper()
	n := open(t, node.Config{Limit: 1, Window: time.Hour})
	rules, err := envoyrls.Read([]envoyrls.File{{Name: "edge.yaml", Text: []byte(
		"domain: edge\ndescriptors:\n  - key: remote_address\n    rate_limit: {unit: hour, requests_per_unit: 6}\n")}}, envoyrls.Options{})
	if err != nil {
		t.Fatal(err)
	}
	server := grpc.NewServer()
	envoyrls.New(envoyrls.Config{Node: n, Rules: rules}).Register(server)
	listener, err := (&net.ListenConfig{}).Listen(context.Background(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	served := make(chan error, 1)
	go func() { served <- server.Serve(listener) }()
	t.Cleanup(func() {
		server.Stop()
		if err := <-served; err != nil {
			t.Error(err)
		}
	})
	return listener.Addr().String()
}

// NATS serves the limit login of the cluster default over a NATS server of its own until the test
// ends, and returns the server's URL. A change of the limit needs the token.
func NATS(t testing.TB, token string) string {
	t.Helper()
	server, err := embednats.Start(embednats.Config{ClientListen: "127.0.0.1:0"})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = server.Close() })
	conn, err := nats.Connect(embednats.ProcessURL, server.InProcessApp())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(conn.Close)
	n := open(t, node.Config{Limits: map[string]node.Policy{"login": {Limit: Units, Window: time.Hour}}})
	service, err := natsapi.Serve(natsapi.Config{Conn: conn, Prefix: Prefix, API: httpapi.Config{Node: n, AdminToken: token}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = service.Stop() }) // an error means that the connection is gone
	// From here on, the server knows who answers.
	if err := conn.Flush(); err != nil {
		t.Fatal(err)
	}
	return server.ClientURL()
}

func open(t testing.TB, cfg node.Config) *node.Node {
	t.Helper()
	n, err := node.Open(context.Background(), cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = n.Close() })
	return n
}
