package bench

import (
	"context"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"

	"github.com/distributed-rate-limiter/distributed-rate-limiter/cmd/internal/bench/benchtest"
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
	conn, err := grpc.NewClient(benchtest.Envoy(t), grpc.WithTransportCredentials(insecure.NewCredentials()))
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
	conn, err := nats.Connect(benchtest.NATS(t, "secret"))
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	put(t, NewNATS(conn, benchtest.Prefix, "default", "login", "", 30*time.Second))
	for _, target := range []*NATS{
		NewNATS(conn, benchtest.Prefix, "default", "nope", "", 30*time.Second),
		NewNATS(conn, benchtest.Prefix, "elsewhere", "login", "", 30*time.Second),
		NewNATS(conn, "other", "default", "login", "", 30*time.Second),
	} {
		if _, err := target.Take(t.Context(), "a", 1); err == nil {
			t.Error("a limit, a cluster or a prefix that does not exist decided")
		}
	}
}
