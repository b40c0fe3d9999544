//go:build unix

package metrics_test

import (
	"context"
	"net/http"
	"net/http/httptest"
	"slices"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"github.com/distributed-rate-limiter/distributed-rate-limiter/node"
	"github.com/distributed-rate-limiter/distributed-rate-limiter/node/metrics"
)

// BenchmarkPrometheus compares a hot client's decisions on a node that Prometheus scrapes with the same on
// that node while nobody does, turn and turn about. It measures the CPU time of the whole process, so the
// scrapes count. One falls into each turn of two million decisions, which a core takes in a quarter of a
// second: Prometheus asks every 15 s unless it is told otherwise.
func BenchmarkPrometheus(b *testing.B) {
	const turn, client = 2_000_000, "client-0000000000001"
	for name, limit := range map[string]int64{"admitted": 1e9, "denied": 1} {
		b.Run(name, func(b *testing.B) {
			n, err := node.Open(context.Background(), node.Config{Name: "bench", Limit: limit, Window: time.Second})
			if err != nil {
				b.Fatal(err)
			}
			defer n.Close()
			registry := prometheus.NewRegistry()
			registry.MustRegister(metrics.New(n))
			handler := promhttp.HandlerFor(registry, promhttp.HandlerOpts{})
			scrape := func() {
				handler.ServeHTTP(httptest.NewRecorder(), httptest.NewRequestWithContext(context.Background(), http.MethodGet, "/metrics", http.NoBody))
			}
			// decide makes the decisions of a turn beside something else.
			decide := func(beside func()) float64 {
				before := cpu(b)
				var other sync.WaitGroup
				other.Go(beside)
				for range turn {
					n.Allow(client)
				}
				other.Wait()
				return float64(cpu(b)-before) / turn
			}
			var off, on, ratios []float64
			for b.Loop() {
				var without, with float64
				if len(ratios)%2 == 0 { // who goes second finds warm caches
					without, with = decide(func() {}), decide(scrape)
				} else {
					with, without = decide(scrape), decide(func() {})
				}
				off, on, ratios = append(off, without), append(on, with), append(ratios, with/without)
			}
			b.ReportMetric(0, "ns/op") // of a pair of turns: says nothing
			for unit, x := range map[string][]float64{"off-ns": off, "on-ns": on, "ratio": ratios} {
				slices.Sort(x)
				b.ReportMetric(x[len(x)/2], unit)
			}
			b.ReportMetric(ratios[len(ratios)/4], "ratio-q1")
			b.ReportMetric(ratios[len(ratios)*3/4], "ratio-q3")
		})
	}
}

// cpu is the CPU time that the process has used. Other programs on the machine cost it little.
func cpu(b *testing.B) time.Duration {
	b.Helper()
	var use syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &use); err != nil {
		b.Fatal(err)
	}
	return time.Duration(use.Utime.Nano() + use.Stime.Nano())
}
