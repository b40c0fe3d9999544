//go:build unix

package sync

import (
	"fmt"
	"syscall"
	"testing"
	"time"
)

// BenchmarkStep takes in what a calm cluster sends: a beat of each peer a second, or a delta of
// one row. It reports what beats of all peers bring into the node in a second.
func BenchmarkStep(b *testing.B) {
	for _, peers := range []int{2, 63, 199, MaxPeers} {
		for _, kind := range []Kind{KindBeat, KindDelta} {
			b.Run(fmt.Sprintf("%s/nodes=%d", kind, peers+1), func(b *testing.B) {
				p := newCalmProbe(b, peers)
				own := p.nextBeat() // all nodes of a calm cluster send alike ones
				bytes := len(p.writer.encode(own, nil))
				circle := p.engine.members.circle()
				seq := uint64(0)
				round := func() (out []Packet) {
					p.now, seq = p.now+1e9, seq+1
					for _, peer := range p.engine.members.peers {
						m := *own
						m.Kind, m.Node, m.Replica, m.Sent = kind, peer.node, peer.replica, p.now
						switch kind {
						case KindBeat:
							p.beats++
							m.Beat, m.Heard = p.beats, nil
							if m.within(1) {
								m.Heard = append(m.Heard, Heard{Replica: 1, Member: true})
							}
							for _, h := range own.Heard {
								if h.Replica != m.Replica {
									m.Heard = append(m.Heard, h)
								}
							}
						default:
							m = Message{Kind: kind, Node: m.Node, Replica: m.Replica, Sent: m.Sent, Seq: seq, Deltas: rowsFor(0, int(peer.replica%100), seq)}
						}
						out = append(out, Packet{Subject: p.subjectOf(&m), Data: p.writer.encode(&m, nil)})
					}
					return out
				}
				// The machine may be busy, so processor time counts.
				steps, took := 0, time.Duration(0)
				for b.Loop() {
					packets := round()
					begin := cpuTime(b)
					for _, packet := range packets {
						p.engine.Step(p.now, Input{Kind: InputPacket, Packet: packet})
					}
					steps, took = steps+len(packets), took+cpuTime(b)-begin
				}
				b.ReportMetric(float64(took.Nanoseconds())/float64(steps), "cpu-ns/step")
				if kind == KindBeat {
					b.ReportMetric(float64(bytes*peers), "beat-B/s")
				}
				for _, peer := range p.engine.members.peers {
					if !peer.hearsUs || peer.circle != circle && kind == KindBeat {
						b.Fatalf("%s hears us: %t", peer.node, peer.hearsUs)
					}
				}
			})
		}
	}
}

// cpuTime is the processor time that this process has used.
func cpuTime(b *testing.B) time.Duration {
	b.Helper()
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		b.Fatal(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}
