package integration_test

import (
	"os/exec"
	"slices"
	"strings"
	"testing"
)

// heavyDependencies are what an embedder of the node package must not get with it: the first two add some 10 MB each to a
// binary, the third brings a second metrics library to whoever has one, and the fourth is for those who keep their limits in
// a bucket. They live in adapters and programs.
var heavyDependencies = []string{
	"google.golang.org/grpc",
	"github.com/nats-io/nats-server",
	"github.com/prometheus/client_golang",
	"github.com/nats-io/nats.go/jetstream",
}

// heavyOnes picks from a list of package paths those that belong to a heavy dependency.
func heavyOnes(packages []string) []string {
	var heavy []string
	for _, p := range packages {
		if slices.ContainsFunc(heavyDependencies, func(h string) bool { return within(p, h) }) {
			heavy = append(heavy, p)
		}
	}
	return heavy
}

// TestNodeLinksNothingHeavy asks the go command for everything that a program gets by importing the node package.
func TestNodeLinksNothingHeavy(t *testing.T) {
	cmd := exec.CommandContext(t.Context(), "go", "list", "-deps", "./node")
	cmd.Dir = moduleRoot(t)
	var stderr strings.Builder
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("go list: %v\n%s", err, stderr.String())
	}
	packages := strings.Fields(string(out))
	if !slices.Contains(packages, modulePath+"/node") {
		t.Fatalf("go list did not name the node package itself: %q", packages)
	}
	for _, p := range heavyOnes(packages) {
		t.Errorf("the node package links %s", p)
	}
}

func TestHeavyDependenciesAreRecognised(t *testing.T) {
	got := heavyOnes([]string{
		"google.golang.org/grpc",
		"google.golang.org/grpc/codes",
		"google.golang.org/grpcish",
		"google.golang.org/protobuf/proto",
		"github.com/nats-io/nats.go",
		"github.com/nats-io/nats.go/jetstream",
		"github.com/nats-io/nats-server/v2/server",
		"github.com/prometheus/client_golang/prometheus",
		"github.com/prometheus/client_model/go",
	})
	want := []string{
		"google.golang.org/grpc",
		"google.golang.org/grpc/codes",
		"github.com/nats-io/nats.go/jetstream",
		"github.com/nats-io/nats-server/v2/server",
		"github.com/prometheus/client_golang/prometheus",
	}
	if !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
}
