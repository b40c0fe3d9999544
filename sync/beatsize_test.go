package sync

import (
	"fmt"
	"testing"

	"github.com/distributed-rate-limiter/distributed-rate-limiter/crdt"
)

// The longest beat that there can be fits into a message.
func TestTheLongestBeatFits(t *testing.T) {
	p := newReadyProbe(t)
	e := p.engine
	for i := range MaxPeers - 2 {
		p.hear(&Message{Kind: KindBeat, Node: fmt.Sprint("n", i), Replica: crdt.Replica(100 + i)})
	}
	for r := crdt.Replica(1 << 40); r < 1<<40+600; r++ {
		p.counted(r)
		e.knowledge.learn(Known{r, 1 << 60, 1 << 60})
	}
	for i := range maxMissing + 10 {
		e.members.spans.close(crdt.Replica(1<<50)+crdt.Replica(i), p.now-int64(i+2)*1e9, p.now-int64(i+1)*1e9, SpanLost)
	}
	p.sent = nil
	p.run(1e9)
	for _, m := range p.sent {
		if m.Kind == KindBeat {
			if len(m.Missing) != maxMissing || len(m.Roots) != maxRoots || len(m.Heard) < MaxPeers-3 || len(m.Known) < 100 {
				t.Fatalf("%d missing, %d roots, %d heard, %d known: not the longest", len(m.Missing), len(m.Roots), len(m.Heard), len(m.Known))
			}
			if n := len(p.writer.encode(m, nil)) + signatureSize; n > MaxMessage {
				t.Errorf("%d bytes", n)
			}
			return
		}
	}
	t.Error("no beat")
}
