package integration_test

import (
	"slices"
	"strings"
	"testing"
)

// TestLayerRulesCatch feeds each rule files that break it and files that come close and do not: a rule that could not fail
// would say nothing. "M/" in the code stands for the module's path.
func TestLayerRulesCatch(t *testing.T) {
	cases := []struct {
		name string
		path string
		code string
		want []rule // exactly these, in order of place
	}{
		// Direction.
		{"gcra imports crdt", "gcra/x.go", `import "M/crdt"`, []rule{ruleDirection}},
		{"gcra's tests import crdt", "gcra/x_test.go", `import "M/crdt"`, []rule{ruleDirection}},
		{"crdt imports gcra", "crdt/x.go", `import "M/gcra"`, []rule{ruleDirection}},
		{"crdt imports sync", "crdt/x.go", `import deltasync "M/sync"`, []rule{ruleDirection}},
		{"sync imports gcra", "sync/x.go", `import "M/gcra"`, []rule{ruleDirection}},
		{"sync imports node", "sync/x.go", `import "M/node"`, []rule{ruleDirection}},
		{"sync's sub-package imports gcra", "sync/transporttest/x.go", `import "M/gcra"`, []rule{ruleDirection}},
		{"node imports an adapter", "node/x.go", `import "M/node/metrics"`, []rule{ruleDirection}},
		{"node imports a program's package", "node/x.go", `import "M/cmd/internal/bench"`, []rule{ruleDirection}},
		{"an adapter imports another", "node/httpapi/x.go", `import "M/node/metrics"`, []rule{ruleDirection}},
		{"an adapter's test imports another", "node/httpapi/x_test.go", `import "M/node/metrics"`, []rule{ruleDirection}},
		{"an adapter's example imports a lower layer", "node/httpapi/example_test.go", `import "M/gcra"`, []rule{ruleDirection}},
		{"an adapter's example looks inside a node", "node/httpapi/example_test.go", `import "M/node/internal/clock"`, []rule{ruleDirection}},
		{"node's example imports an adapter", "node/example_test.go", `import "M/node/httpapi"`, []rule{ruleDirection}},
		{"a file that is called like an example imports another adapter", "node/httpapi/example_x.go", `import "M/node/metrics"`, []rule{ruleDirection}},
		{"an adapter imports a lower layer", "node/metrics/x.go", `import "M/gcra"`, []rule{ruleDirection}},
		{"an adapter's sub-package imports crdt", "node/envoyrls/conv/x.go", `import "M/crdt"`, []rule{ruleDirection}},
		{"the simulator imports an adapter", "node/sim/x.go", `import "M/node/config"`, []rule{ruleDirection}},
		{"an adapter imports a part of node", "node/httpapi/x.go", `import "M/node/internal/clock"`, []rule{ruleDirection}},
		{"an adapter looks inside a node", "node/httpapi/x.go", `import "M/node/internal/inside"`, []rule{ruleDirection}},
		{"a part of node imports node", "node/internal/top/x.go", `import "M/node"`, []rule{ruleDirection}},
		{"a part of node imports another", "node/internal/top/x.go", `import "M/node/internal/clock"`, []rule{ruleDirection}},
		{"a part of node's test imports another", "node/internal/top/x_test.go", `import "M/node/internal/clock"`, []rule{ruleDirection}},
		{"embednats imports node", "node/embednats/x.go", `import "M/node"`, []rule{ruleDirection}},
		{"limit imports sync", "node/limit/x.go", `import deltasync "M/sync"`, []rule{ruleDirection}},
		{"limit imports node", "node/limit/x.go", `import "M/node"`, []rule{ruleDirection}},
		{"a layer imports an unknown folder", "sync/x.go", `import "M/util"`, []rule{ruleDirection}},
		{"a layer imports the module's root", "sync/x.go", `import "github.com/distributed-rate-limiter/distributed-rate-limiter"`, []rule{ruleDirection}},

		{"limit imports gcra and crdt", "node/limit/x.go", `import ("M/gcra"; "M/crdt")`, nil},
		{"node imports limit", "node/x.go", `import "M/node/limit"`, nil},
		{"an adapter imports limit", "node/httplimit/x.go", `import "M/node/limit"`, nil},
		{"sync imports crdt", "sync/x.go", `import "M/crdt"`, nil},
		{"sync's external test imports sync", "sync/x_test.go", `import deltasync "M/sync"`, nil},
		{"node imports all three", "node/x.go", `import ("M/gcra"; "M/crdt"; deltasync "M/sync")`, nil},
		{"an adapter imports node", "node/httplimit/x.go", `import "M/node"; var _ node.Decision`, nil},
		{"the simulator looks inside a node", "node/sim/x.go", `import "M/node/internal/inside"`, nil},
		{"node imports its parts", "node/x.go", `import ("M/node/internal/clock"; "M/node/internal/top")`, nil},
		{"an adapter's example imports another", "node/dashboard/example_test.go", `import "M/node/httpapi"`, nil},
		{"an adapter imports itself", "node/httplimit/x_test.go", `import "M/node/httplimit"`, nil},
		{"an adapter imports shared internals", "node/httplimit/x.go", `import "M/node/internal/problem"`, nil},
		{"the simulator imports every layer", "node/sim/x.go", `import ("M/gcra"; "M/crdt"; deltasync "M/sync"; "M/node")`, nil},
		{"a program imports anything", "cmd/ratelimitd/x.go", `import ("M/node"; "M/node/httpapi"; "M/gcra")`, nil},
		{"the integration tests import anything", "integration/x_test.go", `import ("M/node/sim"; deltasync "M/sync")`, nil},

		// Integration and folders.
		{"a program imports integration", "cmd/ratelimitctl/x.go", `import "M/integration/harness"`, []rule{ruleIntegration}},
		{"node's tests import integration", "node/x_test.go", `import "M/integration/harness"`, []rule{ruleIntegration}},
		{"integration imports its own helper", "integration/x_test.go", `import "M/integration/harness"`, nil},
		{"an unknown folder", "util/x.go", ``, []rule{ruleFolder}},
		{"a file in the root", "x.go", ``, []rule{ruleFolder}},
		{"a folder that only starts like a layer", "gcrab/x.go", ``, []rule{ruleFolder}},

		// The sync package's name.
		{"sync without alias", "node/x.go", `import "M/sync"`, []rule{ruleSyncAlias}},
		{"sync under another alias", "node/x.go", `import replication "M/sync"`, []rule{ruleSyncAlias}},
		{"sync as a dot import", "integration/x_test.go", `import . "M/sync"`, []rule{ruleSyncAlias}},
		{"sync as a blank import", "cmd/ratelimitd/x.go", `import _ "M/sync"`, []rule{ruleSyncAlias}},
		{"sync's external test without alias", "sync/x_test.go", `import "M/sync"`, []rule{ruleSyncAlias}},
		{"the standard sync", "node/x.go", `import "sync"; var mu sync.Mutex`, nil},
		{"sync's sub-package", "sync/x_test.go", `import "M/sync/transporttest"`, nil},

		// Purity.
		{"gcra reads the clock", "gcra/x.go", `import "time"; var t = time.Now()`, []rule{ruleClock}},
		{"crdt measures", "crdt/x.go", `import "time"; func f(t time.Time) time.Duration { return time.Since(t) }`, []rule{ruleClock}},
		{"crdt sleeps", "crdt/x.go", `import "time"; func f() { time.Sleep(1) }`, []rule{ruleClock}},
		{"crdt waits", "crdt/x.go", `import "time"; func f() { <-time.After(1); <-time.Tick(1); time.NewTimer(1) }`, []rule{ruleClock, ruleClock, ruleClock}},
		{"crdt reads a renamed clock", "crdt/x.go", `import clock "time"; var t = clock.Now`, []rule{ruleClock}},
		{"crdt dot-imports time", "crdt/x.go", `import . "time"; var t = Now()`, []rule{ruleClock}},
		{"crdt starts a goroutine", "crdt/x.go", `func f() { go f() }`, []rule{ruleGoroutine}},
		{"gcra's sub-package starts a goroutine", "gcra/internal/x.go", `func f() { go func() {}() }`, []rule{ruleGoroutine}},
		{"gcra locks", "gcra/x.go", `import "sync"`, []rule{ruleImpure}},
		{"gcra uses atomics", "gcra/x.go", `import "sync/atomic"`, []rule{ruleImpure}},
		{"gcra reads files", "gcra/x.go", `import "os"`, []rule{ruleImpure}},
		{"crdt talks to the network", "crdt/x.go", `import ("net"; "net/http")`, []rule{ruleImpure, ruleImpure}},
		{"crdt logs", "crdt/x.go", `import ("log"; "log/slog")`, []rule{ruleImpure, ruleImpure}},
		{"crdt knows NATS", "crdt/x.go", `import "github.com/nats-io/nats.go"`, []rule{ruleTransport}},

		{"a part of node reads the clock", "node/internal/top/x.go", `import "time"; var t = time.Now()`, []rule{ruleClock}},
		{"node's clock reads the clock", "node/internal/clock/x.go", `import "time"; var t = time.Now()`, nil},
		{"limit locks", "node/limit/x.go", `import "sync"`, []rule{ruleImpure}},
		{"limit reads the clock", "node/limit/x.go", `import "time"; var t = time.Now()`, []rule{ruleClock}},
		{"limit starts a goroutine", "node/limit/x.go", `func f() { go f() }`, []rule{ruleGoroutine}},
		{"limit talks to the network", "node/limit/x.go", `import ("net"; "net/http")`, []rule{ruleImpure, ruleImpure}},
		{"limit parses addresses and remembers a calendar", "node/limit/x.go", `import ("net/netip"; "sync/atomic")`, nil},
		{"gcra uses durations", "gcra/x.go", `import "time"; const d = time.Second`, nil},
		{"gcra has a method named Now", "gcra/x.go", `type c struct{}; func (c) Now() int { return 0 }; func f(time c) { time.Now() }`, nil},
		{"gcra's tests measure", "gcra/x_test.go", `import ("os"; "time"); func f() { go f(); _ = time.Now(); _ = os.Args }`, nil},
		{"sync runs on goroutines and timers", "sync/x.go", `import ("sync"; "time"); var mu sync.Mutex; func f() { go f(); time.Sleep(1) }`, nil},

		// What an embedder pays for, and whose process it is.
		{"node links gRPC", "node/x.go", `import "google.golang.org/grpc/codes"`, []rule{ruleEmbedding}},
		{"node links the server", "node/x.go", `import "github.com/nats-io/nats-server/v2/server"`, []rule{ruleEmbedding}},
		{"node links OpenTelemetry", "node/x.go", `import "go.opentelemetry.io/otel/trace"`, []rule{ruleEmbedding}},
		{"node's internals link Prometheus", "node/internal/x.go", `import "github.com/prometheus/client_golang/prometheus"`, []rule{ruleEmbedding}},
		{"a part of node links Prometheus", "node/internal/top/x.go", `import "github.com/prometheus/client_golang/prometheus"`, []rule{ruleEmbedding}},
		{"node reads flags", "node/x.go", `import "flag"`, []rule{ruleProcess}},
		{"node catches signals", "node/x.go", `import "os/signal"`, []rule{ruleProcess}},
		{"node exits", "node/x.go", `import "os"; func f() { os.Exit(1) }`, []rule{ruleProcess}},
		{"node reads the environment", "node/x.go", `import "os"; var v = os.Getenv("X")`, []rule{ruleProcess}},
		{"node reads a file", "node/x.go", `import "os"; func f() { os.ReadFile("x") }`, []rule{ruleProcess}},

		{"node links the client", "node/x.go", `import "github.com/nats-io/nats.go"`, nil},
		{"node asks for the host name", "node/x.go", `import "os"; var h, _ = os.Hostname()`, nil},
		{"node's tests run a server", "node/x_test.go", `import "github.com/nats-io/nats-server/v2/server"`, nil},
		{"an adapter links the server", "node/embednats/x.go", `import "github.com/nats-io/nats-server/v2/server"`, nil},
		{"a program exits", "cmd/ratelimitd/x.go", `import ("flag"; "os"); func f() { flag.Parse(); os.Exit(2) }`, nil},

		// Adapters' interfaces.
		{"an adapter takes the concrete node", "node/httplimit/x.go", `import "M/node"; func New(n *node.Node) {}`, []rule{ruleInterface}},
		{"an adapter opens a node", "node/dashboard/x.go", `import "M/node"; var open = node.Open`, []rule{ruleInterface}},
		{"an adapter's test opens a node", "node/httplimit/x_test.go", `import "M/node"; var _ = node.Open`, nil},
		{"the simulator opens nodes", "node/sim/x.go", `import "M/node"; var _ = node.Open`, nil},
	}

	tried := map[rule]bool{}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			code := "package p\n" + strings.ReplaceAll(c.code, `"M/`, `"`+modulePath+`/`)
			src, err := parseSource(c.path, code)
			if err != nil {
				t.Fatal(err)
			}
			var got []rule
			for _, f := range violations(src) {
				got = append(got, f.rule)
				tried[f.rule] = true
			}
			if !slices.Equal(got, c.want) {
				t.Errorf("%s\n%s\ngot  %q\nwant %q", c.path, code, got, c.want)
			}
		})
	}
	for _, r := range []rule{
		ruleDirection, ruleFolder, ruleIntegration, ruleSyncAlias, ruleClock, ruleGoroutine, ruleImpure, ruleTransport,
		ruleEmbedding, ruleProcess, ruleInterface,
	} {
		if !tried[r] {
			t.Errorf("no case breaks the rule %q", r)
		}
	}
}
