package bench

import (
	"context"
	"net"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"

	"github.com/distributed-rate-limiter/distributed-rate-limiter/node"
	"github.com/distributed-rate-limiter/distributed-rate-limiter/node/embednats"
	"github.com/distributed-rate-limiter/distributed-rate-limiter/node/envoyrls"
	"github.com/distributed-rate-limiter/distributed-rate-limiter/node/httpapi"
	"github.com/distributed-rate-limiter/distributed-rate-limiter/node/natsapi"
)

// put puts a small load on a target that gives each of three clients six units, two a request.
func put(t *testing.T, target Target) {
	t.Helper()
	cfg := Config{Rate: 10000, Duration: time.Minute, Requests: 60, Workers: 4, Clients: 3, Cost: 2, Seed: 1}
	r, err := Run(context.Background(), cfg, []Node{{Name: "n1", Target: target}}, nil)
	if err != nil {
		t.Fatal(err)
	}
	if r.Allowed != 9 || r.Denied != 51 || r.Errors != 0 {
		t.Errorf("%d allowed, %d denied, %d errors, the first %s", r.Allowed, r.Denied, r.Errors, r.FirstError)
	}
}

func TestALoadOnEnvoysServiceCountsItsDecisions(t *testing.T) {
	n, err := node.Open(t.Context(), node.Config{Limit: 1, Window: time.Hour})
	if err != nil {
		t.Fatal(err)
	}
	defer n.Close()
	rules, err := envoyrls.Read([]envoyrls.File{{Name: "edge.yaml", Text: []byte(
		"domain: edge\ndescriptors:\n  - key: remote_address\n    rate_limit: {unit: hour, requests_per_unit: 6}\n")}}, envoyrls.Options{})
	if err != nil {
		t.Fatal(err)
	}
	server := grpc.NewServer()
	envoyrls.New(envoyrls.Config{Node: n, Rules: rules}).Register(server)
	listener, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	go func() { _ = server.Serve(listener) }()
	defer server.Stop()
	conn, err := grpc.NewClient(listener.Addr().String(), grpc.WithTransportCredentials(insecure.NewCredentials()))
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = conn.Close() }()
	put(t, NewRLS(conn, "edge", "remote_address", 30*time.Second))
	_, err = NewRLS(conn, "edge", "other", 30*time.Second).Take(t.Context(), "a", 1)
	if err == nil || !strings.Contains(err.Error(), `"other"`) {
		t.Errorf("a key without a rule: %v", err)
	}
}

func TestALoadOverNATSCountsItsDecisions(t *testing.T) {
	server, err := embednats.Start(embednats.Config{Name: "bench"})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = server.Close() }()
	conn, err := nats.Connect("", server.InProcess())
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	n, err := node.Open(t.Context(), node.Config{Limits: map[string]node.Policy{"login": {Limit: 6, Window: time.Hour}}})
	if err != nil {
		t.Fatal(err)
	}
	defer n.Close()
	service, err := natsapi.Serve(natsapi.Config{Conn: conn, API: httpapi.Config{Node: n}})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = service.Stop() }()
	put(t, NewNATS(conn, "default", "login", "", 30*time.Second))
	for _, target := range []*NATS{NewNATS(conn, "default", "nope", "", 30*time.Second), NewNATS(conn, "elsewhere", "login", "", 30*time.Second)} {
		if _, err := target.Take(t.Context(), "a", 1); err == nil {
			t.Error("a limit or a cluster that does not exist decided")
		}
	}
}
