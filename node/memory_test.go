package node

import (
	"fmt"
	"runtime"
	"slices"
	"testing"
	"time"

	"github.com/distributed-rate-limiter/distributed-rate-limiter/crdt"
)

// BenchmarkMemory fills a table with a million clients that other replicas have
// counted too, and reports what one costs on the heap, and how long a collection
// of it all takes.
func BenchmarkMemory(b *testing.B) {
	for _, replicas := range []int{1, 3} {
		b.Run(fmt.Sprintf("replicas_%d", replicas), func(b *testing.B) {
			const clients = 1_000_000
			for b.Loop() {
				before := heap()
				n := filled(b, clients, replicas)
				used := heap() - before
				start := time.Now()
				runtime.GC()
				b.ReportMetric(float64(time.Since(start).Milliseconds()), "gc-ms")
				b.ReportMetric(float64(used)/clients, "B/client")
				runtime.KeepAlive(n)
			}
			b.ReportMetric(0, "ns/op") // says nothing
		})
	}
}

// BenchmarkInsert reports how long the first request of each of a million clients takes, which all
// become new ones of one table. The index grows meanwhile from its least length.
func BenchmarkInsert(b *testing.B) {
	const clients = 1_000_000
	ids := make([]string, clients)
	for i := range ids {
		ids[i] = fmt.Sprintf("client-%013d", i)
	}
	took := make([]time.Duration, clients)
	for b.Loop() {
		n := filled(b, 0, 1)
		for i, id := range ids {
			start := time.Now()
			n.Allow(id)
			took[i] = time.Since(start)
		}
	}
	slices.Sort(took)
	for _, q := range []struct {
		name string
		part float64
	}{{"p50", 0.5}, {"p99", 0.99}, {"p99.9", 0.999}, {"max", 1}} {
		b.ReportMetric(float64(took[int(q.part*(clients-1))]), q.name+"-ns")
	}
	b.ReportMetric(0, "ns/op") // says nothing
}

func heap() int64 {
	runtime.GC()
	runtime.GC() // what finalizers held goes in the second
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return int64(m.HeapAlloc) //nolint:gosec // a heap is smaller
}

// filled is a node that admitted one unit for each client, and heard of one from
// each other replica.
func filled(b *testing.B, clients, replicas int) *Node {
	b.Helper()
	s, err := NewStepper(Config{Name: "n", Limit: 100, Window: time.Minute, Now: time.Now}, 1)
	if err != nil {
		b.Fatal(err)
	}
	n, l := s.Node, s.Node.limits.Get("")
	n.table.Joined(n.now())
	for i := range clients {
		n.Allow(fmt.Sprintf("client-%013d", i))
	}
	now := n.now()
	r := &l.At(now).Rules[0]
	start := r.Frame.Start(now)
	for of := 2; of <= replicas; of++ {
		d := &crdt.Delta{Limit: l.Name, Revision: r.Revision, Replica: crdt.Replica(of), Width: r.Frame.Width, Start: start, Rows: make([]crdt.Row, 1)} //nolint:gosec // small
		for i := range clients {
			d.Rows[0] = crdt.Row{
				Key:  l.Key(fmt.Sprintf("client-%013d", i), nil),
				Cur:  crdt.Part{Origin: now, Count: crdt.Count{P: 1}},
				Prev: crdt.Part{Origin: crdt.Never},
			}
			n.table.Merge(now, d, true, now)
		}
	}
	if got := n.table.Clients(); got != clients {
		b.Fatalf("%d clients", got)
	}
	return n
}
