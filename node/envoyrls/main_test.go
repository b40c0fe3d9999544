package envoyrls_test

import (
	"context"
	"net"
	"testing"

	rls "github.com/envoyproxy/go-control-plane/envoy/service/ratelimit/v3"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"

	"github.com/distributed-rate-limiter/distributed-rate-limiter/node"
	"github.com/distributed-rate-limiter/distributed-rate-limiter/node/envoyrls"
)

// openNode opens a node alone, until the test ends.
func openNode(t testing.TB) *node.Node {
	t.Helper()
	n, err := node.Open(context.Background(), node.Config{Limit: 1, Window: 1e9, Name: "test"})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = n.Close() })
	return n
}

// read reads rules from texts, which are files of the names 1.yaml and so on.
func read(t testing.TB, texts ...string) *envoyrls.Rules {
	t.Helper()
	rules, err := envoyrls.Read(files(texts...), envoyrls.Options{})
	if err != nil {
		t.Fatal(err)
	}
	return rules
}

func files(texts ...string) []envoyrls.File {
	var all []envoyrls.File
	for i, text := range texts {
		all = append(all, envoyrls.File{Name: string(rune('1'+i)) + ".yaml", Text: []byte(text)})
	}
	return all
}

// serve serves a service on loopback, and returns a client of it.
func serve(t testing.TB, s *envoyrls.Service, options ...grpc.ServerOption) (rls.RateLimitServiceClient, *grpc.ClientConn) {
	t.Helper()
	l, err := new(net.ListenConfig).Listen(context.Background(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	server := grpc.NewServer(options...)
	s.Register(server)
	served := make(chan error, 1)
	go func() { served <- server.Serve(l) }()
	conn, err := grpc.NewClient(l.Addr().String(), grpc.WithTransportCredentials(insecure.NewCredentials()))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = conn.Close()
		server.Stop()
		if err := <-served; err != nil {
			t.Error(err)
		}
	})
	return rls.NewRateLimitServiceClient(conn), conn
}
