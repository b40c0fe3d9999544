package sync

import (
	"fmt"
	"testing"
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
				b.ReportAllocs()
				packets := round()
				for b.Loop() {
					if len(packets) == 0 {
						b.StopTimer()
						packets = round()
						b.StartTimer()
					}
					p.engine.Step(p.now, Input{Kind: InputPacket, Packet: packets[0]})
					packets = packets[1:]
				}
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
