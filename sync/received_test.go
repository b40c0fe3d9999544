package sync

import (
	"math/rand/v2"
	"testing"
)

// Messages that overtake each other close their own gaps, whatever their order, and a gap stays
// while one of them is missing.
func TestGapsCloseWhenAllHaveArrived(t *testing.T) {
	rnd := rand.New(rand.NewPCG(1, 2)) //nolint:gosec // repeatable
	for range 1000 {
		n := 2 + rnd.IntN(60)
		lost := rnd.IntN(2*n) + 1 // beyond n: none
		r := received{}
		r.first(0)
		for _, i := range rnd.Perm(n) {
			seq := uint64(i + 1) //nolint:gosec // positive
			if int(seq) == lost {
				continue
			}
			if seq > r.seq+1 {
				r.miss(r.seq, seq-1)
			}
			r.seq = max(r.seq, seq)
			r.arrived(seq)
		}
		r.seq = uint64(n) //nolint:gosec // positive
		if lost == n {    // nobody can miss the last one before a beat names it
			continue
		}
		if want := lost < n; r.gap != want || r.gap && int(r.since) != lost-1 {
			t.Fatalf("%d of %d lost: %+v", lost, n, r)
		}
	}
}

// An answer moves the gap's start, and what arrived after it still counts.
func TestAnAnswerKeepsWhatArrivedAhead(t *testing.T) {
	r := received{}
	r.first(10)
	r.miss(10, 19)
	for _, seq := range []uint64{15, 16, 17, 18, 19, 200} {
		r.arrived(seq)
	}
	if closed := r.filled(13); closed || !r.gap || r.since != 13 {
		t.Fatalf("%+v", r)
	}
	if r.arrived(14); r.gap {
		t.Errorf("%+v: nothing is missing any more", r)
	}
}

// A beat that deltas overtook still says what its sender hears; an older beat, or one that was
// held back for long, says nothing.
func TestABeatThatIsOvertakenCounts(t *testing.T) {
	for name, c := range map[string]struct {
		late int64
		beat uint64
		want uint64
	}{
		"overtaken": {50e6, 7, 7},
		"an older":  {50e6, 3, 5},
		"held back": {2e9, 7, 5},
	} {
		p := newHearing(t)
		p.run(5e9)
		p.hear(&Message{Kind: KindBeat, Node: "b", Replica: 2, Sent: p.now - 1e6, Beat: 5 + p.beats})
		base := p.engine.members.find(2).beat - 5
		p.hear(&Message{Kind: KindDelta, Node: "b", Replica: 2, Sent: p.now, Seq: p.engine.members.find(2).seq + 1})
		p.hear(&Message{Kind: KindBeat, Node: "b", Replica: 2, Sent: p.now - c.late, Beat: base + c.beat})
		if got := p.engine.members.find(2).beat - base; got != c.want {
			t.Errorf("%s: the last beat is %d, want %d", name, got, c.want)
		}
	}
}
