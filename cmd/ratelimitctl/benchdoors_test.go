package main

import (
	"encoding/json"
	"net"
	"strings"
	"testing"
	"time"

	"google.golang.org/grpc"

	"github.com/distributed-rate-limiter/distributed-rate-limiter/cmd/internal/bench"
	"github.com/distributed-rate-limiter/distributed-rate-limiter/node"
	"github.com/distributed-rate-limiter/distributed-rate-limiter/node/envoyrls"
)

// benched runs bench, and reads its JSON.
func benched(t *testing.T, args ...string) *bench.Result {
	t.Helper()
	code, out, errs := ctl(append([]string{"bench", "-n", "40", "-rate", "400", "-clients", "2", "-timeout", "30s", "-o", "json"}, args...)...)
	r := &bench.Result{}
	if err := json.Unmarshal([]byte(out), r); err != nil || code != exitOK {
		t.Fatalf("%d, %v, %q", code, err, errs)
	}
	return r
}

func TestBenchAsksEnvoysService(t *testing.T) {
	n, err := node.Open(t.Context(), node.Config{Limit: 1, Window: time.Hour})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = n.Close() })
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
	t.Cleanup(server.Stop)
	target := "grpc://" + listener.Addr().String()
	r := benched(t, "-target", target, "-descriptor", "edge/remote_address", "-policy", "6/1h")
	if a := r.Accuracy; r.Allowed != 12 || a == nil || a.Central != 12 || a.Admitted != 12 || a.Bound != nil {
		t.Errorf("%d allowed, %+v", r.Allowed, a)
	}
	code, _, errs := ctl("bench", "-target", target, "-descriptor", "edge/other")
	if code != exitError || !strings.Contains(errs, `no rule of domain "edge" is for the key "other"`) {
		t.Errorf("%d, %q", code, errs)
	}
}
