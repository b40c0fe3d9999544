package sync

import (
	"testing"

	"github.com/distributed-rate-limiter/distributed-rate-limiter/crdt"
)

const second = int64(1e9)

// savedBefore is a file that was written ten seconds before the node started, when it knew of a
// hundred seconds.
func savedBefore(c *Config) {
	c.Saved = &Saved{Replica: 9, At: simStart - 10*second, Founded: 100 * second, Missing: []Missing{
		{Of: 5, Span: Span{Began: 30 * second, Ended: 20 * second}}, {Of: 6, Span: Span{Began: second}},
	}}
	c.Last = Run{Replica: 9, Began: simStart - 500*second, Until: simStart - 4*second}
}

func whole(c *Config) { savedBefore(c); c.Saved.Whole = true; c.Last.Left = true }

// restored steps that the owner has done with the file.
func (p *probe) restored(all bool) { p.step(Input{Kind: InputRestored, Whole: all}) }

// stretches lists what may be missing of an incarnation, as two instants each.
func (p *probe) stretches(r crdt.Replica) (out [][2]int64) {
	for _, u := range p.engine.Status(p.now).Unknown {
		for _, s := range u.Spans {
			if u.Replica == r {
				out = append(out, [2]int64{p.now - s.Began - simStart, p.now - s.Ended - simStart})
			}
		}
	}
	return out
}

func TestWhoFoundsWaitsForItsFile(t *testing.T) {
	p := newProbe(t, savedBefore)
	p.beat(2, 0, true)
	p.run(2 * second)
	if s := p.engine.Status(p.now); s.Ready || !s.Waiting {
		t.Fatalf("ready %t, waiting %t: all peers are starting, and the file is not here", s.Ready, s.Waiting)
	}
	p.restored(true)
	if s := p.engine.Status(p.now); !s.Ready || s.Waiting || s.Partial || s.FoundedAgo < 110*second {
		t.Errorf("%+v: the file was to bring what was known", s)
	}
}

func TestAFileIsWaitedForFiveSecondsAtMost(t *testing.T) {
	p := newProbe(t, savedBefore)
	between(t, "ready", p.readyAt(10*second), joinLimit, joinLimit+second)
	if s := p.engine.Status(p.now); !s.Partial {
		t.Error("it claims to know what the file is to bring")
	}
	p.restored(true) // after it
	if s := p.engine.Status(p.now); s.Partial || s.FoundedAgo < 110*second {
		t.Errorf("partial %t, founded %d s ago", s.Partial, s.FoundedAgo/second)
	}
}

func TestAPeersSnapshotIsNotHeldUpByAFile(t *testing.T) {
	p := newProbe(t, savedBefore)
	p.tells(2, 20*second, 0)
	asked := p.asked()
	if len(asked) != 1 || asked[0].Kind != KindSnapshot {
		t.Fatalf("asked %+v", asked)
	}
	p.hear(&Message{Kind: KindRows, Node: "b", Replica: 2, Request: asked[0].Request, Last: true, Done: true})
	if !p.engine.Ready() {
		t.Fatal("it waits for the file, though a peer told all")
	}
	p.restored(true)
	if got := p.stretches(6); len(got) > 0 {
		t.Errorf("what the file lacked counts, though a peer told all: %v", got)
	}
}

func TestWhatAFileLacksIsMissing(t *testing.T) {
	p := newProbe(t, savedBefore)
	p.beat(2, 0, true)
	p.restored(true)
	p.run(second)
	for _, c := range []struct {
		of   crdt.Replica
		want [2]int64
	}{
		{5, [2]int64{-40 * second, -30 * second}}, // it was over
		{6, [2]int64{-11 * second, 0}},            // it may have run on until this node began
		{9, [2]int64{-10 * second, -4 * second}},  // the last run, since it began to write
	} {
		if got := p.stretches(c.of); len(got) != 1 || got[0] != c.want {
			t.Errorf("of %d %v is missing, want %v", c.of, got, c.want)
		}
	}
	for _, u := range p.engine.Status(p.now).Unknown {
		if u.Own != (u.Replica == 9) {
			t.Errorf("%+v", u)
		}
	}
}

func TestNothingIsMissingOfARunThatSavedAllAtItsEnd(t *testing.T) {
	for name, alone := range map[string]bool{"among others": false, "alone": true} {
		p := newProbe(t, func(c *Config) { whole(c); c.Alone = alone })
		if !alone {
			p.beat(2, 0, true)
		}
		p.restored(true)
		p.run(4 * second)
		if got := p.stretches(9); len(got) > 0 {
			t.Errorf("%s: %v of the last run is missing", name, got)
		}
	}
}

func TestAFileThatIsNotAllHereBringsNoKnowledge(t *testing.T) {
	p := newProbe(t, savedBefore)
	p.beat(2, 0, true)
	p.run(second)
	p.restored(false)
	if s := p.engine.Status(p.now); !s.Ready || !s.Partial {
		t.Errorf("ready %t, partial %t", s.Ready, s.Partial)
	}
	late := newProbe(t, savedBefore)
	late.run(joinLimit + second)
	late.restored(false)
	if s := late.engine.Status(late.now); !s.Partial {
		t.Error("the rest of a file that is damaged counts as known")
	}
}

func TestAPeerThatRanOnKnowsMoreThanAFile(t *testing.T) {
	for _, c := range []struct {
		name  string
		beats uint64
		want  bool
	}{{"it began a little earlier", 20, false}, {"it ran for minutes", 300, true}} {
		p := newProbe(t, savedBefore)
		p.restored(true)
		p.run(4 * second) // nobody is heard
		p.hear(&Message{Kind: KindBeat, Node: "b", Replica: 2, Sent: p.now, Beat: c.beats, Founded: 100 * second, Heard: []Heard{{Replica: 1}}})
		if s := p.engine.Status(p.now); s.Partial != c.want {
			t.Errorf("%s: partial is %t", c.name, s.Partial)
		}
		if got := p.stretches(2); !c.want && (len(got) != 1 || got[0][0] > p.now-simStart-20*second) {
			t.Errorf("%s: %v of it is missing, and not all since it began", c.name, got)
		}
	}
}

func TestALoneNodeWaitsForItsFile(t *testing.T) {
	p := newUnconnectedProbe(t, func(c *Config) { savedBefore(c); c.Alone = true })
	if p.engine.Ready() {
		t.Error("it is ready without its file")
	}
	p.restored(true)
	if !p.engine.Ready() {
		t.Error("it has its file, and is not ready")
	}
	if got := p.stretches(9); len(got) != 1 {
		t.Errorf("of the last run %v is missing", got)
	}
}
