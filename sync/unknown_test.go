package sync

import (
	"testing"

	"github.com/distributed-rate-limiter/distributed-rate-limiter/crdt"
)

// beat is one of node b's, which tells that it sent nothing more than seq deltas.
func (p *probe) beat(r crdt.Replica, seq uint64, joining bool) {
	p.hear(&Message{Kind: KindBeat, Node: "b", Replica: r, Seq: seq, Sent: p.now, Joining: joining, Heard: []Heard{{Replica: 1}}})
}

// spansOf is what the engine says of one incarnation, in seconds.
func (p *probe) spansOf(r crdt.Replica) (out [][2]int64) {
	s := p.engine.Status(p.now)
	for _, u := range s.Unknown {
		if u.Replica == r {
			for _, sp := range u.Spans {
				out = append(out, [2]int64{(sp.Began + 5e8) / 1e9, (sp.Ended + 5e8) / 1e9})
			}
		}
	}
	return out
}

func (p *probe) want(when string, r crdt.Replica, want ...[2]int64) {
	p.t.Helper()
	got := p.spansOf(r)
	if len(got) != len(want) {
		p.t.Errorf("%s: %v, want %v", when, got, want)
		return
	}
	for i := range got {
		if got[i] != want[i] {
			p.t.Errorf("%s: %v, want %v", when, got, want)
		}
	}
}

// newHearing is a probe that has joined and is sure of peer 2 of node b.
func newHearing(t *testing.T) *probe {
	p := newProbe(t, func(c *Config) { c.Alone = true })
	p.run(3e9)
	p.beat(2, 0, false)
	p.tick(1e9)
	p.beat(2, 0, false)
	return p
}

func TestWhatIsUnknownOfAPeer(t *testing.T) {
	p := newProbe(t, func(c *Config) { c.Alone = true })
	p.run(100e9)
	p.hear(&Message{Kind: KindDelta, Node: "b", Replica: 2, Seq: 5, Sent: p.now})
	p.want("before anything is sure: since we listen", 2, [2]int64{100, 0})
	p.beat(2, 5, true)
	p.want("it has just come, so it admitted for 5 s at most", 2, [2]int64{5, 0})
	p.tick(1e9)
	p.beat(2, 5, false)
	p.run(7e9)
	p.want("silence grows", 2, [2]int64{7, 0})
	p.hear(&Message{Kind: KindBeat, Node: "b", Replica: 3, Joining: true, Sent: p.now, Heard: []Heard{{Replica: 1}}})
	p.tick(2e9)
	p.want("a later run of its node ends it", 2, [2]int64{9, 2})
	p.run(200e9)
	p.want("it stays, also when the peer is forgotten", 2, [2]int64{209, 202})
}

func TestAByeIsBelievedOnceNothingIsMissing(t *testing.T) {
	p := newHearing(t)
	p.hear(&Message{Kind: KindBye, Node: "b", Replica: 2, Seq: 0, Sent: p.now})
	p.want("all was heard", 2)
	if s := p.engine.Status(p.now); !s.Heard {
		t.Error("nobody was heard")
	}

	p = newHearing(t)
	p.run(2e9)
	p.hear(&Message{Kind: KindBye, Node: "b", Replica: 2, Seq: 3, Sent: p.now})
	p.tick(1e9)
	p.want("three deltas are missing", 2, [2]int64{3, 1})
	p.run(200e9)
	p.want("and nobody has them", 2, [2]int64{203, 201})
}

func TestALongSilenceThatHealsIsToldOfForItsTime(t *testing.T) {
	p := newHearing(t)
	p.run(20e9)
	p.beat(2, 0, false)
	p.want("healed", 2, [2]int64{20, 0}, [2]int64{0, 0})
	p = newHearing(t)
	p.run(4e9)
	p.beat(2, 0, false)
	p.want("nothing of it was too old", 2, [2]int64{0, 0})
	p = newHearing(t)
	p.run(20e9)
	p.hear(&Message{Kind: KindBye, Node: "b", Replica: 2, Seq: 0, Sent: p.now})
	p.want("a bye heals it as well, and ends it", 2, [2]int64{20, 0})
}

func TestAnIncarnationThatOthersNameIsUnknown(t *testing.T) {
	p := newHearing(t)
	name := func() {
		p.hear(&Message{Kind: KindBeat, Node: "b", Replica: 2, Sent: p.now, Heard: []Heard{{Replica: 1}, {Replica: 77}}})
	}
	name()
	if s := p.engine.Status(p.now); s.Unheard != 0 {
		t.Error("its first message may be under way")
	}
	for range 4 {
		p.tick(1e9)
		name()
	}
	if s := p.engine.Status(p.now); s.Unheard != 1 || len(p.spansOf(77)) != 1 {
		t.Errorf("%d were never heard", s.Unheard)
	}
	p.beat(2, 0, false)
	if s := p.engine.Status(p.now); s.Unheard != 0 {
		t.Error("nobody names it any more")
	}
}

// A node is settled once it is ready, and its peers name it and told all.
func TestANodeIsSettledWhenItsPeersKnowIt(t *testing.T) {
	p := newProbe(t, nil)
	deaf := func() {
		p.hear(&Message{Kind: KindBeat, Node: "b", Replica: 2, Joining: true, Sent: p.now})
	}
	deaf()
	for range 8 {
		p.tick(1e9)
		deaf()
	}
	if s := p.engine.Status(p.now); !s.Ready || s.Settled {
		t.Errorf("ready %t, settled %t", s.Ready, s.Settled)
	}
	p.beat(2, 0, true)
	p.tick(1e9)
	if !p.engine.Status(p.now).Settled {
		t.Error("it is heard")
	}
}

// Who was ready while nobody was heard did not join those who were there before.
func TestAJoinWithoutASnapshotIsTold(t *testing.T) {
	p := newProbe(t, nil)
	p.run(6e9)
	p.beat(2, 0, false)
	if !p.engine.Status(p.now).Partial {
		t.Error("a peer that had joined long ago was heard after the join")
	}
	p = newProbe(t, nil)
	p.run(6e9)
	p.beat(2, 0, true)
	p.beat(2, 0, false)
	if p.engine.Status(p.now).Partial {
		t.Error("the peer came later")
	}
}
