package integration_test

import (
	"os/exec"
	"slices"
	"strings"
	"testing"
)

// heavyDependencies are what an embedder of the node package must not get with it: the first two add some 10 MB each to a
// binary, the third brings a second metrics library to whoever has one, the fourth is for those who keep their limits in a
// bucket, the fifth for those who are asked over NATS, the sixth for those whom Envoy asks, and the last for those who trace. They
// live in adapters and programs.
var heavyDependencies = []string{
	"google.golang.org/grpc",
	"github.com/nats-io/nats-server",
	"github.com/prometheus/client_golang",
	"github.com/nats-io/nats.go/jetstream",
	"github.com/nats-io/nats.go/micro",
	"github.com/envoyproxy/go-control-plane",
	"go.opentelemetry.io",
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

// doors are the packages by which others reach a node, and the heavy dependencies that each is there for.
var doors = map[string][]string{
	"node":           nil,
	"node/httpapi":   nil,
	"node/httplimit": nil,
	"node/dashboard": nil,
	"node/grpclimit": {"google.golang.org/grpc"},
	"node/natsapi":   {"github.com/nats-io/nats.go/micro"},
	"node/envoyrls":  {"google.golang.org/grpc", "github.com/envoyproxy/go-control-plane"},
	"node/oteltrace": {"go.opentelemetry.io"},
	// The daemon has all doors, and no traces (docs/doors.md).
	"cmd/ratelimitd": {
		"google.golang.org/grpc", "github.com/nats-io/nats-server", "github.com/prometheus/client_golang", "github.com/nats-io/nats.go/jetstream",
		"github.com/nats-io/nats.go/micro", "github.com/envoyproxy/go-control-plane",
	},
}

// TestTracingLinksNoSDK sees that the package for traces brings what sets attributes, and nothing that makes spans or sends them.
func TestTracingLinksNoSDK(t *testing.T) {
	for _, p := range linked(t, "node/oteltrace") {
		if within(p, "go.opentelemetry.io/otel/sdk") || within(p, "go.opentelemetry.io/otel/exporters") {
			t.Errorf("node/oteltrace links %s", p)
		}
	}
}

// linked asks the go command for everything that a program gets by importing a package.
func linked(t *testing.T, folder string) []string {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), "go", "list", "-deps", "./"+folder)
	cmd.Dir = moduleRoot(t)
	var stderr strings.Builder
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("go list: %v\n%s", err, stderr.String())
	}
	packages := strings.Fields(string(out))
	if !slices.Contains(packages, modulePath+"/"+folder) {
		t.Fatalf("go list did not name %s itself: %q", folder, packages)
	}
	return packages
}

func TestNodeAndItsDoorsLinkNothingHeavyButTheirOwn(t *testing.T) {
	for folder, own := range doors {
		heavy := heavyOnes(linked(t, folder))
		for _, p := range heavy {
			if !slices.ContainsFunc(own, func(o string) bool { return within(p, o) }) {
				t.Errorf("%s links %s", folder, p)
			}
		}
		for _, o := range own {
			if !slices.ContainsFunc(heavy, func(p string) bool { return within(p, o) }) {
				t.Errorf("%s is said to be there for %s, and does not link it", folder, o)
			}
		}
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
		"github.com/envoyproxy/go-control-plane/envoy/service/ratelimit/v3",
		"go.opentelemetry.io/otel/trace",
	})
	want := []string{
		"google.golang.org/grpc",
		"google.golang.org/grpc/codes",
		"github.com/nats-io/nats.go/jetstream",
		"github.com/nats-io/nats-server/v2/server",
		"github.com/prometheus/client_golang/prometheus",
		"github.com/envoyproxy/go-control-plane/envoy/service/ratelimit/v3",
		"go.opentelemetry.io/otel/trace",
	}
	if !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
}
