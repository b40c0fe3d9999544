package sync

import "testing"

// A peer that can be reached again is asked at once, however often it was asked in vain.
func TestContactEndsEveryPause(t *testing.T) {
	for name, contact := range map[string]func(p *probe, b *peer){
		"heard after silence": func(p *probe, _ *peer) { p.run(4e9) },
		"begins to hear us":   func(p *probe, _ *peer) { p.hear(&Message{Kind: KindBeat, Node: "b", Replica: 2, Seq: 1}) },
		"its link was full": func(p *probe, _ *peer) {
			p.run(950e6)
			p.hear(&Message{Kind: KindBeat, Node: "b", Replica: 2, Seq: 1, Heard: []Heard{{Replica: 1}}, Sent: p.now - 900e6})
		},
	} {
		p := newReadyProbe(t)
		heard := func() *peer {
			return p.hear(&Message{Kind: KindBeat, Node: "b", Replica: 2, Seq: 1, Heard: []Heard{{Replica: 1}}})
		}
		b := heard()
		b.gap, b.gapTo, b.seq = true, 1, 1
		b.request.pace = backoff{failures: 9, after: p.now + 30e9}
		b.silent, b.origins = b.request.pace, b.request.pace
		p.asked()
		contact(p, b)
		if asked := p.asked(); len(asked) > 0 {
			t.Fatalf("%s: asked %+v within the pause", name, asked)
		}
		heard()
		if asked := p.asked(); len(asked) != 1 || b.silent != (backoff{}) || b.origins != (backoff{}) {
			t.Errorf("%s: asked %+v, pauses %+v and %+v", name, asked, b.silent, b.origins)
		}
	}
}

// Rows are facts: an answer that comes after its question was given up still counts.
func TestALateAnswerCounts(t *testing.T) {
	p := newReadyProbe(t)
	b := p.hear(&Message{Kind: KindDelta, Node: "b", Replica: 2, Seq: 2})
	p.run(60e6)
	asked := p.asked()
	if len(asked) != 1 {
		t.Fatalf("asked %+v", asked)
	}
	for b.request.id != 0 {
		p.run(1e6)
	}
	p.hear(&Message{Kind: KindRows, Node: "b", Replica: 2, Request: asked[0].Request, Seq: 2, Deltas: rowsFor(2, 1, 5), Last: true, Done: true})
	if p.count(1) != 5 || b.gap {
		t.Errorf("%d are counted, a gap is %v", p.count(1), b.gap)
	}
}

// An answer of which a page was lost is asked for again from there, and ends nothing.
func TestALostPageIsNoWholeAnswer(t *testing.T) {
	next := Cursor{Partition: 7}
	for lost := range uint64(3) {
		joiner := newProbe(t, nil)
		repairing := newReadyProbe(t)
		joiner.hear(&Message{Kind: KindBeat, Node: "b", Replica: 2})
		repairing.hear(&Message{Kind: KindDelta, Node: "b", Replica: 2, Seq: 2})
		repairing.run(60e6)
		for name, p := range map[string]*probe{"snapshot": joiner, "repair": repairing} {
			asked := p.asked()
			if len(asked) != 1 {
				t.Fatalf("%s: asked %+v", name, asked)
			}
			for page := range uint64(3) {
				if page != lost {
					p.hear(&Message{
						Kind: KindRows, Node: "b", Replica: 2, Request: asked[0].Request, Seq: 2, Page: page, Next: next,
						Last: page == 2, Done: page == 2,
					})
				}
			}
			b := p.engine.members.find(2)
			if p == joiner && p.engine.Ready() || p == repairing && !b.gap {
				t.Errorf("%s: an answer without page %d counts as whole", name, lost)
			}
			p.run(1200e6)
			if again := p.asked(); len(again) == 0 || lost == 1 && again[0].Cursor != next {
				t.Errorf("%s without page %d: asked again %+v", name, lost, again)
			}
		}
	}
}
