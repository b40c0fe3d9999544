//go:build unix

package node_test

import (
	"fmt"
	"syscall"
	"testing"
	"time"

	"github.com/distributed-rate-limiter/distributed-rate-limiter/node"
	deltasync "github.com/distributed-rate-limiter/distributed-rate-limiter/sync"
)

// crew is a load of a lab: nodes, and clients that ask them by turns at a rate a second.
type crew struct{ nodes, clients, rate int }

func (c crew) String() string {
	return fmt.Sprintf("nodes=%d/clients=%d/rate=%d", c.nodes, c.clients, c.rate)
}

// BenchmarkSync is what the protocol costs under load, and what cold clients cost: of a core for
// each node, bytes of a row, and rows a second.
func BenchmarkSync(b *testing.B) {
	for _, c := range []crew{{3, 10_000, 100_000}, {3, million, 100_000}, {3, million, 0}, {3, 0, 0}} {
		b.Run(c.String(), func(b *testing.B) { c.run(b, 1e9) })
	}
}

// BenchmarkGrowth is how messages, bytes, processor time and staleness grow with nodes, clients
// and rate. Each client may take 100 in a minute.
func BenchmarkGrowth(b *testing.B) {
	for _, c := range []crew{
		{2, 1000, 1000},
		{4, 1000, 1000},
		{8, 1000, 1000},
		{16, 1000, 1000},
		{32, 1000, 1000},
		{64, 1000, 1000},
		{8, 10, 1000},
		{8, 100, 1000},
		{8, 10_000, 1000},
		{8, 100_000, 1000},
		{8, 1000, 10},
		{8, 1000, 100},
		{8, 1000, 10_000},
	} {
		b.Run(c.String(), func(b *testing.B) { c.run(b, 100) })
	}
}

// run lets a second pass in each iteration, on one thread and in virtual time. It measures
// processor time of the protocol alone: of making messages and of taking them in. A real node
// also hands the messages to NATS.
func (c crew) run(b *testing.B, limit int64) {
	l := newLab(b, c.nodes, node.Config{Limit: limit, Window: time.Minute, MaxClients: 2 * million})
	clients := ids(c.clients)
	for i, id := range clients {
		l.nodes[i%c.nodes].Node.Allow(id)
		if i%1000 == 0 {
			l.run(time.Millisecond)
		}
	}
	l.run(4 * time.Second) // all have heard of all, beats compared them, and name parts of their peers
	asked, due := 0, 0
	var made, taken, stale time.Duration
	samples := 0
	second := func() {
		for ms := range 1000 {
			for due += c.rate; due >= 1000; due -= 1000 {
				l.nodes[asked%c.nodes].Node.Allow(clients[asked*7919%len(clients)])
				asked++
			}
			l.now = l.now.Add(time.Millisecond)
			arrived := l.wire
			l.wire = nil
			begin := used(b)
			for _, p := range arrived {
				l.deliver(p)
			}
			middle := used(b)
			l.tick()
			made, taken = made+used(b)-middle, taken+middle-begin
			if ms%90 == 0 {
				for _, p := range l.nodes[0].Node.Stats().Sync.Peers {
					stale, samples = stale+p.StaleFor, samples+1
				}
			}
		}
	}
	second() // the first one still has the age of idle nodes
	made, taken, stale, samples = 0, 0, 0, 0
	before := synced(l)
	for b.Loop() {
		second()
	}
	after, seconds := synced(l), float64(b.N*c.nodes)
	b.ReportMetric(100*(made+taken).Seconds()/seconds, "%core/node")
	b.ReportMetric(float64(after.messages-before.messages)/seconds, "msg/node/s")
	b.ReportMetric(float64(after.received-before.received)/seconds/1e3, "kB-in/node/s")
	b.ReportMetric(float64(stale.Milliseconds())/float64(samples), "ms-stale")
	if rows := float64(after.rows - before.rows); rows > 0 {
		b.ReportMetric(float64(after.bytes-before.bytes)/rows, "B/row")
		b.ReportMetric(rows*float64(c.nodes-1)/taken.Seconds()/1e6, "Mrows-merged/core/s")
	}
}

// BenchmarkOverNATS is what three real nodes cost while they decide 100,000 requests a second of
// 10,000 clients: the share of a core that each takes, with all that a node does. Once they are alone.
// Together, they share over a NATS server, whose time counts as well.
func BenchmarkOverNATS(b *testing.B) {
	const nodes, rate = 3, 100_000
	clients := ids(10_000)
	for _, way := range []string{"alone", "together"} {
		b.Run(way, func(b *testing.B) {
			var over node.NATS
			if way == "together" {
				over.URL = server(b).ClientURL()
			}
			var all []*node.Node
			for i := range nodes {
				n, err := node.Open(b.Context(), node.Config{Name: fmt.Sprint("n", i), Limit: 1e9, Window: time.Minute, NATS: over})
				must(b, err)
				b.Cleanup(func() { _ = n.Close() })
				all = append(all, n)
			}
			for start := time.Now(); way == "together" && len(all[0].Stats().Sync.Peers) < nodes-1; time.Sleep(10 * time.Millisecond) {
				if time.Since(start) > 30*time.Second {
					b.Fatal("the nodes do not find each other")
				}
			}
			for i := range clients {
				all[i%nodes].Allow(clients[i])
			}
			asked := 0
			second := func() {
				next := time.Now()
				for range 1000 {
					for range rate / 1000 {
						all[asked%nodes].Allow(clients[asked*7919%len(clients)])
						asked++
					}
					next = next.Add(time.Millisecond)
					time.Sleep(time.Until(next))
				}
			}
			second()
			var shares []float64
			for b.Loop() {
				begin, start := used(b), time.Now()
				second()
				shares = append(shares, 100*(used(b)-begin).Seconds()/time.Since(start).Seconds()/nodes)
			}
			b.ReportMetric(median(shares), "%core/node")
		})
	}
}

// BenchmarkSnapshot is how fast a node that starts takes over a million clients: by processor time
// of the giver and of the taker together.
func BenchmarkSnapshot(b *testing.B) {
	cfg := node.Config{Limit: 1e9, Window: time.Hour, MaxClients: 2 * million}
	for b.Loop() {
		b.StopTimer()
		l := newLab(b, 1, cfg)
		for i, id := range ids(million) {
			l.nodes[0].Node.Allow(id)
			if i%1000 == 0 {
				l.run(time.Millisecond)
			}
		}
		l.run(time.Second)
		b.StartTimer()
		begin, start := used(b), l.now
		taker := l.join(cfg)
		for taker.Node.Ready() != nil {
			l.run(time.Millisecond)
		}
		took := used(b) - begin
		s := taker.Node.Stats()
		if s.Sync.Partial || s.Clients != million {
			b.Fatalf("ready with %d clients, partial: %t", s.Clients, s.Sync.Partial)
		}
		mb := float64(s.Sync.Received[deltasync.KindRows.String()].Bytes) / 1e6
		b.ReportMetric(mb, "MB")
		b.ReportMetric(mb/took.Seconds(), "MB/core/s")
		b.ReportMetric(float64(l.now.Sub(start).Milliseconds()), "virtual-ms")
	}
}

// traffic is what all nodes of a lab have sent.
type traffic struct{ rows, messages, bytes, received uint64 }

func synced(l *lab) (t traffic) {
	for _, m := range l.nodes {
		s := m.Node.Stats().Sync
		t.rows += s.RowsSent
		for _, sent := range s.Sent {
			t.messages += sent.Messages
		}
		for _, received := range s.Received {
			t.received += received.Bytes
		}
		t.bytes += s.Sent[deltasync.KindDelta.String()].Bytes
	}
	return t
}

// used is the processor time that this process has used.
func used(b *testing.B) time.Duration {
	b.Helper()
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		b.Fatal(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}
