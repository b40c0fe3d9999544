package sync

import (
	"slices"
	"testing"

	"github.com/distributed-rate-limiter/distributed-rate-limiter/crdt"
)

// ready is a probe that has joined and hears one peer, which has sent nothing.
func newReadyProbe(t *testing.T) *probe {
	t.Helper()
	p := newProbe(t, func(c *Config) { c.Alone = true })
	p.run(3e9) // nobody is there
	p.hear(&Message{Kind: KindBeat, Node: "b", Replica: 2})
	p.hear(&Message{Kind: KindBeat, Node: "b", Replica: 2})
	p.asked()
	return p
}

// counted lets the store hold one unit of a replica's in the current window.
func (p *probe) counted(of crdt.Replica) {
	d := rowsFor(of, int(of), 1)[0]
	p.store.Merge(p.now, &d, true, p.now)
}

// rooted lists the replicas whose digests the beats hold that were sent since last asked.
func (p *probe) rooted() (of []crdt.Replica) {
	for _, m := range p.sent {
		for _, root := range m.Roots {
			of = append(of, root.Replica)
		}
	}
	p.sent, p.to = nil, nil
	return of
}

func TestBeatsTellOfReplicasThatNobodyHears(t *testing.T) {
	p := newReadyProbe(t)
	p.counted(2) // is heard, and speaks for itself
	p.counted(99)
	p.run(1100e6)
	if of := slices.Compact(p.rooted()); !slices.Equal(of, []crdt.Replica{99}) {
		t.Errorf("a beat tells of %v, want the one that is no peer", of)
	}
	w := Window{testWidth, simStart}
	p.hear(&Message{Kind: KindBeat, Node: "b", Replica: 2, Roots: []Root{{2, w, p.engine.root(2, w)}, {77, w, 5}}})
	if asked := p.asked(); len(asked) != 1 || asked[0].Of != 77 || len(asked[0].Have) == 0 {
		t.Errorf("asked %+v, want for the counters of 77", asked)
	}
}

// A list of digests that is too long for one beat goes on in the next.
func TestEverySilentReplicaIsComparedInTurn(t *testing.T) {
	p := newReadyProbe(t)
	const silent = 2*maxRoots + 100
	for r := range crdt.Replica(silent) {
		p.counted(100 + r)
	}
	p.run(3100e6)
	of := p.rooted()
	slices.Sort(of)
	if n := len(slices.Compact(of)); n != silent {
		t.Errorf("three beats tell of %d replicas, want %d", n, silent)
	}
	p.hear(&Message{Kind: KindBeat, Node: "b", Replica: 2})
	if asked := p.asked(); len(asked) != 0 {
		t.Errorf("asked %+v for what a beat left out", asked)
	}
}

// Who has more windows than a beat lists speaks for those that it lists.
func TestALongListOfOwnWindowsIsJudgedByWhatItHolds(t *testing.T) {
	p := newReadyProbe(t)
	p.counted(2)
	full := make([]Root, maxOwnRoots)
	for i := range full {
		full[i] = Root{Replica: 2, Window: Window{Width: int64(i + 1), Start: 1}}
	}
	p.hear(&Message{Kind: KindBeat, Node: "b", Replica: 2, Roots: full})
	if p.engine.members.find(2).differs {
		t.Error("a window that a full list leaves out counts as empty")
	}
	p.hear(&Message{Kind: KindBeat, Node: "b", Replica: 2, Roots: full[:9]})
	if !p.engine.members.find(2).differs {
		t.Error("a window that a short list leaves out does not count as empty")
	}
}

// After a long cut there may be many: they do not wait for a beat each.
func TestAnAnswerAboutASilentReplicaThatHelpedLeadsToTheNext(t *testing.T) {
	p := newReadyProbe(t)
	p.counted(79)
	w := Window{testWidth, simStart}
	p.hear(&Message{Kind: KindBeat, Node: "b", Replica: 2, Roots: []Root{{77, w, 5}, {78, w, 5}, {79, w, p.engine.root(79, w)}, {80, w, 5}}})
	for _, of := range []crdt.Replica{77, 78, 80} {
		asked := p.asked()
		if len(asked) != 1 || asked[0].Of != of {
			t.Fatalf("asked %+v, want for the counters of %d", asked, of)
		}
		p.hear(&Message{Kind: KindRows, Node: "b", Replica: 2, Request: asked[0].Request, Deltas: rowsFor(of, 1, 5), Last: true, Done: true})
	}
	if asked := p.asked(); len(asked) > 0 {
		t.Errorf("asked %+v besides", asked)
	}
}

// A silent replica that cannot be mended does not hide the next one.
func TestSilentReplicasAreRepairedOneAfterTheOther(t *testing.T) {
	p := newReadyProbe(t)
	w := Window{testWidth, simStart}
	beat := func() *Message {
		return &Message{Kind: KindBeat, Node: "b", Replica: 2, Roots: []Root{{77, w, 5}, {78, w, 5}}}
	}
	p.hear(beat())
	asked := p.asked()
	if len(asked) != 1 {
		t.Fatalf("asked %+v", asked)
	}
	p.hear(&Message{Kind: KindRows, Node: "b", Replica: 2, Request: asked[0].Request, Last: true, Done: true})
	p.run(1200e6)
	p.hear(beat())
	if again := p.asked(); len(again) != 1 || again[0].Of == asked[0].Of {
		t.Errorf("asked %+v after %+v, want for the other replica", again, asked[0])
	}
}
