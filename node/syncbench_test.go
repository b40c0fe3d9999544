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

// BenchmarkSync runs three nodes on one thread and in virtual time, one second in each iteration.
// It measures processor time of the protocol alone: of making messages, of taking them in, and of
// what each needs of a core. A real node also hands the messages to NATS. Idle tables tell what
// cold clients cost.
func BenchmarkSync(b *testing.B) {
	const nodes = 3
	for _, c := range []struct{ clients, rate int }{{10_000, 100_000}, {million, 100_000}, {million, 0}, {0, 0}} {
		b.Run(fmt.Sprintf("clients=%d/rate=%d", c.clients, c.rate), func(b *testing.B) {
			l := newLab(b, nodes, node.Config{Limit: 1e9, Window: time.Minute, MaxClients: 2 * million})
			clients := ids(c.clients)
			for i, id := range clients {
				l.nodes[i%nodes].Node.Allow(id)
				if i%1000 == 0 {
					l.run(time.Millisecond)
				}
			}
			l.run(3 * time.Second) // all have heard of all, and beats compared them
			before := synced(l)
			at, made, taken := 0, time.Duration(0), time.Duration(0)
			for b.Loop() {
				for range 1000 {
					for range c.rate / 1000 {
						l.nodes[at%nodes].Node.Allow(clients[at*7919%len(clients)])
						at++
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
				}
			}
			after := synced(l)
			rows, seconds := float64(after.rows-before.rows), float64(b.N)
			b.ReportMetric(100*(made+taken).Seconds()/seconds/nodes, "%core/node")
			b.ReportMetric(float64(after.messages-before.messages)/seconds/nodes, "msg/node/s")
			if c.rate > 0 {
				b.ReportMetric(float64(after.bytes-before.bytes)/rows, "B/row")
				b.ReportMetric(rows*(nodes-1)/taken.Seconds()/1e6, "Mrows/core/s-merged")
				b.ReportMetric(rows/made.Seconds()/1e6, "Mrows/core/s-sent")
			}
		})
	}
}

// traffic is what all nodes of a lab have sent.
type traffic struct{ rows, messages, bytes uint64 }

func synced(l *lab) (t traffic) {
	for _, m := range l.nodes {
		s := m.Node.Stats().Sync
		t.rows += s.RowsSent
		for _, sent := range s.Sent {
			t.messages += sent.Messages
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
