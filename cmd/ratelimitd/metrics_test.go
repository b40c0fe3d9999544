package main

import (
	"bytes"
	"cmp"
	"flag"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	dto "github.com/prometheus/client_model/go"
	"github.com/prometheus/common/expfmt"
	"github.com/prometheus/common/model"
)

var update = flag.Bool("update", false, "write docs/metrics.md")

// scraped is what a daemon serves with its files and its door to NATS.
func scraped(t *testing.T) (text string, families map[string]*dto.MetricFamily) {
	t.Helper()
	file := filepath.Join(t.TempDir(), "f.yaml")
	if err := os.WriteFile(file, []byte("roster: [n1]\nlimits:\n  paid: {limit: 1, window: 60, consistency: bounded}\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	a := runDaemon(t, nil, "-config", file, "-name", "n1", "-nats-listen", "127.0.0.1:0", "-nats-api", "-state-dir", t.TempDir())
	_, text = a.ask("GET", "/metrics", "")
	parser := expfmt.NewTextParser(model.LegacyValidation)
	families, err := parser.TextToMetricFamilies(strings.NewReader(text))
	if err != nil {
		t.Fatal(err)
	}
	return text, families
}

// described are metrics that a node alone has no series of.
var described = map[string]struct{ help, labels string }{
	"ratelimiter_peer_staleness_seconds":  {"Age of the data held from a peer; +Inf before that is complete. Peers that can be admitting, at most 100.", "peer"},
	"ratelimiter_peer_clock_skew_seconds": {"A peer's clock minus this node's, estimated. Peers that can be admitting, at most 100.", "peer"},
}

const metricsManual = "../../docs/metrics.md"

// The manual is written by `go test ./cmd/ratelimitd -run Manual -update`, so it says what the code does.
func TestTheManualListsEveryMetric(t *testing.T) {
	_, families := scraped(t)
	for name, d := range described {
		kind := dto.MetricType_GAUGE
		families[name] = &dto.MetricFamily{Name: &name, Help: &d.help, Type: &kind, Metric: []*dto.Metric{{Label: []*dto.LabelPair{{Name: &d.labels}}}}}
	}
	parts := []struct {
		title string
		holds func(name string, labels []string) bool
	}{
		{"By limit", func(_ string, labels []string) bool { return slices.Contains(labels, "limit") }},
		{"Replication", func(name string, _ []string) bool {
			return strings.Contains(name, "sync_") || strings.Contains(name, "peer") || strings.Contains(name, "nats_") || strings.Contains(name, "member") || strings.Contains(name, "staleness") || strings.Contains(name, "clock_")
		}},
		{"The node", func(string, []string) bool { return true }},
	}
	var out bytes.Buffer
	out.WriteString(`# Metrics

Every metric that a daemon exports at ` + "`GET /metrics`" + `, and what it says. A test compares this page with the code. [alerts.md](alerts.md) says
which to watch. An embedder registers ` + "`metrics.New(node)`" + ` for all but those that speak of the daemon's files and build.

Each exists from the node's start, at 0 if nothing happened, apart from series of peers. No label holds a client. Names of overrides are at
most 200 for each limit; what is beyond counts as ` + "`other`" + `. Durations are in seconds. The daemon also exports those of Go's runtime (` + "`go_`" + `)
and of the process (` + "`process_`" + `).

` + "`ratelimiter_decision_duration_seconds`" + ` has native and classic buckets. Prometheus takes the native ones with
` + "`scrape_native_histograms: true`" + `.
`)
	done := map[string]bool{}
	for _, part := range parts {
		fmt.Fprintf(&out, "\n## %s\n\n| metric | type | labels | what it says |\n|---|---|---|---|\n", part.title)
		for _, name := range slices.Sorted(maps.Keys(families)) {
			f := families[name]
			var labels []string
			for _, l := range f.GetMetric()[0].GetLabel() {
				labels = append(labels, l.GetName())
			}
			if done[name] || !strings.HasPrefix(name, "ratelimiter_") || !part.holds(name, labels) {
				continue
			}
			done[name] = true
			fmt.Fprintf(&out, "| `%s` | %s | %s | %s |\n", name, strings.ToLower(f.GetType().String()), cmp.Or(strings.Join(labels, ", "), "-"), f.GetHelp())
		}
	}
	if *update {
		if err := os.WriteFile(metricsManual, out.Bytes(), 0o644); err != nil { //nolint:gosec // a document
			t.Fatal(err)
		}
	}
	text, err := os.ReadFile(metricsManual)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(text, out.Bytes()) {
		t.Errorf("%s is not what the code exports: run this test with -update", metricsManual)
	}
	if len(done) < 55 {
		t.Errorf("there are %d metrics", len(done))
	}
}
