package sync

import (
	"math"
	"testing"
)

// A number so high that the next one wraps around is no sender's own: it is refused in the first
// message, too, and in every kind that has one.
func TestANumberNearTheEndOfItsRangeIsRefused(t *testing.T) {
	for _, kind := range []Kind{KindDelta, KindBeat, KindBye} {
		for _, seq := range []uint64{math.MaxUint64, math.MaxUint64 - 1, math.MaxUint64 - 63, 1 << 63} {
			p := newReadyProbe(t)
			p.hear(&Message{Kind: kind, Node: "c", Replica: 3, Seq: seq, Sent: p.now})
			for i := range uint64(70) { // whatever comes then, no invariant breaks
				p.hear(&Message{Kind: KindDelta, Node: "c", Replica: 3, Seq: max(seq, seq+i), Sent: p.now + int64(i)}) //nolint:gosec // small
			}
			if c := p.engine.members.find(3); c.known || c.left {
				t.Errorf("%v of %d: %+v", kind, seq, c.received)
			}
		}
	}
}

// Whoever spoke in a peer's name of the future silences it until its next beat, and no longer: the
// echo in that beat can only be from now.
func TestAFalseTimeSilencesNobody(t *testing.T) {
	for name, m := range map[string]*Message{
		"bye":   {Kind: KindBye, Seq: 3},
		"beat":  {Kind: KindBeat, Seq: 3, Beat: 1 << 40},
		"delta": {Kind: KindDelta, Seq: 4},
	} {
		for _, ahead := range []int64{20e9, 3600e9, 1 << 61} {
			p := newHearing(t)
			p.run(5e9)
			m.Node, m.Replica, m.Sent = "b", 2, p.now+ahead
			p.hear(m)
			for range 10 {
				p.run(900e6)
				p.hear(&Message{Kind: KindBeat, Node: "b", Replica: 2, Seq: 3, Heard: []Heard{{Replica: 1, Beat: p.engine.members.echoes.last, Member: true}}})
			}
			b := p.engine.members.find(2)
			if b.left || b.state != PeerAlive || b.seq > 4 || p.store.view().Members != 2 {
				t.Errorf("%s, %d s ahead: left %v, %v, seq %d, %+v", name, ahead/1e9, b.left, b.state, b.seq, p.store.view())
			}
		}
	}
}

// What was said in a peer's name of its number is no proof that nothing is missing: that show
// digests.
func TestACorrectedNumberSaysNothingOfWhatIsMissing(t *testing.T) {
	p := newHearing(t)
	b := p.engine.members.find(2)
	p.hear(&Message{Kind: KindDelta, Node: "b", Replica: 2, Seq: 1, Sent: p.now})
	p.beat(2, 1, false)
	fresh := b.freshAt
	p.run(1e9)
	p.hear(&Message{Kind: KindDelta, Node: "b", Replica: 2, Seq: 1000, Sent: p.now})
	p.run(1e9)
	// 2 was lost, and the beat that says so corrects the number as well.
	p.hear(&Message{Kind: KindBeat, Node: "b", Replica: 2, Seq: 2, Roots: []Root{{2, Window{testWidth, p.now - p.now%testWidth}, 77}}, Heard: []Heard{{Replica: 1}}})
	if b.freshAt != fresh || !b.behind() {
		t.Errorf("fresh at %d, then at %d; behind %v", fresh, b.freshAt, b.behind())
	}
}
