package node_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"slices"
	"sync/atomic"
	"testing"
	"time"

	"github.com/distributed-rate-limiter/distributed-rate-limiter/node"
)

// load is one way in which clients come, and what they are let do.
type load struct {
	name    string
	limit   int64 // per second, and burst
	clients []string
	order   []uint32 // indices into clients; its length is a power of two
}

const million = 1_000_000

// loads are the shapes that the comparison names: one client that is always let
// pass, one that is refused, clients as real ones come, and so many that memory is
// what counts.
func loads() []load {
	const plenty = 1e9
	return []load{
		{name: "one_client", limit: plenty, clients: ids(1), order: make([]uint32, 1)},
		{name: "refused", limit: 1, clients: ids(1), order: make([]uint32, 1)},
		{name: "zipf_10k", limit: plenty, clients: ids(10_000), order: zipf(10_000)},
		{name: "uniform_1M", limit: plenty, clients: ids(million), order: uniform(million)},
	}
}

// ids are client ids of 20 bytes.
func ids(n int) []string {
	out := make([]string, n)
	for i := range out {
		out[i] = fmt.Sprintf("client-%013d", i)
	}
	return out
}

func zipf(n int) []uint32 {
	z := rand.NewZipf(rand.New(rand.NewPCG(1, 2)), 1.1, 1, uint64(n-1))
	out := make([]uint32, 1<<20)
	for i := range out {
		out[i] = uint32(z.Uint64())
	}
	return out
}

func uniform(n int) []uint32 {
	rnd := rand.New(rand.NewPCG(3, 4))
	out := make([]uint32, 1<<20)
	for i := range out {
		out[i] = uint32(rnd.IntN(n))
	}
	return out
}

// node is a node alone that knows every client of the load.
func (l *load) node(b *testing.B) node.RateLimiter {
	n, err := node.Open(context.Background(), node.Config{Name: "bench", Limit: l.limit, Window: time.Second})
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { _ = n.Close() })
	return l.warm(n)
}

// clustered is the same with a peer, so that all that is admitted is also sent.
func (l *load) clustered(b *testing.B) node.RateLimiter {
	var network node.Memory
	var nodes []*node.Node
	for _, name := range []string{"bench", "peer"} {
		n, err := node.Open(context.Background(), node.Config{Name: name, Limit: l.limit, Window: time.Second, Transport: network.Transport()})
		if err != nil {
			b.Fatal(err)
		}
		b.Cleanup(func() { _ = n.Close() })
		nodes = append(nodes, n)
	}
	for start := time.Now(); len(nodes[0].Stats().Sync.Peers) == 0 || nodes[0].Ready() != nil; time.Sleep(time.Millisecond) {
		if time.Since(start) > 30*time.Second {
			b.Fatal("the node has not joined its peer")
		}
	}
	return l.warm(nodes[0])
}

func (l *load) bare() node.RateLimiter { return l.warm(newBare(l.limit, time.Second, l.limit)) }

func (l *load) warm(r node.RateLimiter) node.RateLimiter {
	for _, c := range l.clients {
		r.Allow(c)
	}
	return r
}

// turn makes n decisions from position at on.
func (l *load) turn(r node.RateLimiter, at, n int) {
	mask := len(l.order) - 1
	for i := at; i < at+n; i++ {
		r.Allow(l.clients[l.order[i&mask]])
	}
}

func BenchmarkAllow(b *testing.B) {
	for _, l := range loads() {
		for _, who := range []struct {
			name string
			make func() node.RateLimiter
		}{
			{"node", func() node.RateLimiter { return l.node(b) }},
			{"bare", l.bare},
		} {
			b.Run(l.name+"/"+who.name, func(b *testing.B) {
				r := who.make()
				b.ReportAllocs()
				at := 0
				for b.Loop() {
					l.turn(r, at, 1)
					at++
				}
			})
			b.Run(l.name+"/parallel/"+who.name, func(b *testing.B) {
				r := who.make()
				b.ReportAllocs()
				var lane atomic.Int64
				b.RunParallel(func(pb *testing.PB) {
					at := int(lane.Add(1)) * 7919
					for pb.Next() {
						l.turn(r, at, 1)
						at++
					}
				})
			})
		}
	}
}

// BenchmarkTake is a whole decision, with what a client is told.
func BenchmarkTake(b *testing.B) {
	for _, limit := range []int64{1e9, 1} {
		b.Run(map[bool]string{true: "allowed", false: "refused"}[limit > 1], func(b *testing.B) {
			n, err := node.Open(context.Background(), node.Config{Name: "bench", Limit: limit, Window: time.Second})
			if err != nil {
				b.Fatal(err)
			}
			defer n.Close()
			b.ReportAllocs()
			for b.Loop() {
				n.Take("client-0000000000001", 1)
			}
		})
	}
}

// BenchmarkRatio measures a node beside the bare limiter, turn and turn about, so
// that what else the machine does hits both: the ratio is the median over turns.
func BenchmarkRatio(b *testing.B) {
	for _, l := range loads() {
		b.Run(l.name, func(b *testing.B) { l.ratio(b, l.node(b)) })
		b.Run(l.name+"_with_a_peer", func(b *testing.B) { l.ratio(b, l.clustered(b)) })
	}
}

func (l *load) ratio(b *testing.B, ours node.RateLimiter) { l.beside(b, ours, l.bare()) }

// beside lets two limiters take turns, and reports the median of each and of their ratio.
func (l *load) beside(b *testing.B, ours, theirs node.RateLimiter) {
	const most = 2048
	var nanos, bareNanos, ratios []float64
	at := 0
	timed := func(r node.RateLimiter, n int) float64 {
		start := time.Now()
		l.turn(r, at, n)
		return float64(time.Since(start)) / float64(n)
	}
	b.ResetTimer()
	for left := b.N; left > 0; left -= most {
		n := min(left, most)
		// Who goes second finds warm caches, so they take turns at that too.
		var our, their float64
		if len(ratios)%2 == 0 {
			our, their = timed(ours, n), timed(theirs, n)
		} else {
			their, our = timed(theirs, n), timed(ours, n)
		}
		at += n
		nanos, bareNanos, ratios = append(nanos, our), append(bareNanos, their), append(ratios, our/their)
	}
	b.ReportMetric(0, "ns/op") // both together: says nothing
	b.ReportMetric(median(nanos), "node-ns")
	b.ReportMetric(median(bareNanos), "bare-ns")
	b.ReportMetric(median(ratios), "ratio")
}

func median(x []float64) float64 {
	slices.Sort(x)
	return x[len(x)/2]
}

// BenchmarkBounded measures decisions under a bounded limit beside those under an eventual one, and
// decisions under an eventual limit of a node that has bounded ones beside those of a node that has
// none. Each pair takes turns, so that what else the machine does hits both.
func BenchmarkBounded(b *testing.B) {
	const plenty = 1e7
	eventual, bounded := node.Policy{Limit: plenty, Window: time.Second}, node.Policy{Limit: plenty, Window: time.Second, Consistency: node.Bounded}
	open := func(limits map[string]node.Policy) *node.Node {
		n, err := node.Open(context.Background(), node.Config{Name: "bench", Limits: limits})
		if err != nil {
			b.Fatal(err)
		}
		b.Cleanup(func() { _ = n.Close() })
		return n
	}
	pair := func(name string, ours, theirs *node.Limiter) {
		b.Run(name, func(b *testing.B) {
			l := load{clients: ids(10_000), order: zipf(10_000)}
			l.warm(ours)
			l.warm(theirs)
			time.Sleep(3 * time.Second) // what a start counts as lent is back
			b.ReportAllocs()
			l.beside(b, ours, theirs)
		})
	}
	pair("bounded_beside_eventual", open(map[string]node.Policy{"x": bounded}).Limiter("x"), open(map[string]node.Policy{"x": eventual}).Limiter("x"))
	pair("eventual_with_bounded_beside_eventual", open(map[string]node.Policy{"x": eventual, "y": bounded}).Limiter("x"), open(map[string]node.Policy{"x": eventual}).Limiter("x"))
}
