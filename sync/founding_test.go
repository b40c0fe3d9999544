package sync

import (
	"testing"

	"github.com/distributed-rate-limiter/distributed-rate-limiter/crdt"
)

// tells is a beat of a node b that has joined.
func (p *probe) tells(r crdt.Replica, founded, before int64, missing ...Missing) {
	p.hear(&Message{Kind: KindBeat, Node: "b", Replica: r, Sent: p.now, Founded: founded, Before: before, Heard: []Heard{{Replica: 1}}, Missing: missing})
}

func TestWhoBeganWithoutThoseWhoKnewSaysSo(t *testing.T) {
	const second = int64(1e9)
	ran := func(c *Config) { c.Last = Run{Replica: 9, Began: simStart - 500*second, Until: simStart - second} }
	for _, c := range []struct {
		name   string
		config func(*Config)
		play   func(p *probe)
		want   bool
	}{
		{"a new cluster", nil, func(p *probe) { p.beat(2, 0, true); p.run(5 * second); p.tells(2, 6*second, 0) }, false},
		{"a cluster that starts again", ran, func(p *probe) { p.beat(2, 0, true); p.run(5 * second) }, true},
		{"nobody knows, as a peer says", nil, func(p *probe) {
			p.beat(2, 0, true)
			p.run(5 * second)
			p.tells(2, 4*second, 60*second)
		}, true},
		{"what the peer missed ran while this node knew", nil, func(p *probe) {
			p.beat(2, 0, true)
			p.run(50 * second)
			p.tells(3, 4*second, 10*second)
		}, false},
		{"peers that know more were not heard in time", nil, func(p *probe) { p.run(20 * second); p.tells(2, 100*second, 0) }, true},
		{"the first one heard asked this node for all that it knows", nil, func(p *probe) {
			p.run(5 * second)
			p.hear(&Message{Kind: KindSnapshot, Node: "b", Replica: 2, Request: 1, Beat: 1})
			p.tells(2, 5*second, 0)
		}, false},
		{"one that knows of more is heard late", nil, func(p *probe) {
			p.beat(2, 0, true)
			p.run(5 * second)
			p.tells(3, 100*second, 0)
		}, true},
		{"alone, and nobody came", func(c *Config) { ran(c); c.Alone = true }, func(p *probe) { p.run(5 * second) }, false},
	} {
		p := newProbe(t, c.config)
		c.play(p)
		if s := p.engine.Status(p.now); s.Partial != c.want || s.FoundedAgo < 0 {
			t.Errorf("%s: partial is %t, founded %v ago", c.name, s.Partial, s.FoundedAgo)
		}
	}
}

func TestASnapshotBringsWhatItsGiverKnowsOf(t *testing.T) {
	var f founding
	f.join(1000, &peer{foundedAt: 100}, Run{Until: 900})
	if f.at != 100 || f.before != 0 {
		t.Errorf("%+v: the giver was there when our last run was", f)
	}
	f = founding{}
	f.join(1000, &peer{foundedAt: 950}, Run{Until: 900})
	if f.at != 950 || f.before != 900 {
		t.Errorf("%+v: the giver came after our last run", f)
	}
	if founded, before := f.ages(2000); founded != 1050 || before != 1100 {
		t.Errorf("%d and %d ago", founded, before)
	}
}

// What an earlier run admitted is missing, unless somebody tells of it.
func TestALastRunThatNobodyKnowsIsMissing(t *testing.T) {
	const second = int64(1e9)
	last := Run{Replica: 9, Began: simStart - 100*second, Until: simStart - 2*second}
	for name, c := range map[string]struct {
		left  bool
		alone bool
		tell  []Missing
		want  int
	}{
		"nobody tells":              {want: 1},
		"a peer tells":              {tell: []Missing{{Of: 9, Span: Span{Began: 9 * second, Ended: second}}}, want: 1},
		"it said bye":               {left: true},
		"alone, and crashed":        {alone: true, want: 1},
		"alone: a bye tells nobody": {alone: true, left: true, want: 1},
	} {
		p := newProbe(t, func(cfg *Config) {
			cfg.Last, cfg.Alone = last, c.alone
			cfg.Last.Left = c.left
		})
		if !c.alone {
			p.tells(2, 500*second, 0, c.tell...)
		}
		p.run(6 * second)
		if !c.alone {
			for i := range c.tell { // ages
				c.tell[i].Began, c.tell[i].Ended = c.tell[i].Began+6*second, c.tell[i].Ended+6*second
			}
			p.tells(2, 506*second, 0, c.tell...)
			p.tick(second)
		}
		spans, own := 0, false
		for _, u := range p.engine.Status(p.now).Unknown {
			if u.Replica == 9 {
				spans, own = len(u.Spans), u.Own
			}
		}
		if spans != c.want || own != (c.want > 0) {
			t.Errorf("%s: %d spans, our own %t; want %d", name, spans, own, c.want)
		}
	}
}

// A peer that joins keeps apart what it admits: nothing that it sent meanwhile proves that all
// of it is here.
func TestAPeerThatJoinsIsUnknownUntilItHasJoined(t *testing.T) {
	p := newHearing(t)
	p.run(100e9)
	p.beat(3, 0, true)
	p.tick(1e9)
	p.beat(3, 0, true)
	p.want("joining", 3, [2]int64{6, 0})
	p.tells(3, 1e9, 0, Missing{Of: 3, Span: Span{Began: 1e9, Ended: 1, Kind: SpanDrained}})
	p.tick(1e9)
	p.tells(3, 2e9, 0, Missing{Of: 3, Span: Span{Began: 2e9, Ended: 1e9 + 1, Kind: SpanDrained}})
	p.want("joined: what drained meanwhile is missing", 3, [2]int64{2, 1}, [2]int64{0, 0})
}

// What a joiner admitted before it had joined drained while nobody counted it.
func TestWhatWasKeptApartIsMissingOnceItIsTold(t *testing.T) {
	for _, kept := range []bool{true, false} {
		p := newUnconnectedProbe(t, nil)
		p.store.kept = kept
		p.step(Input{Kind: InputConnected})
		p.run(6e9)
		own := 0
		for _, u := range p.engine.Status(p.now).Unknown {
			for _, s := range u.Spans {
				if u.Replica == 1 && u.Own && s.Kind == SpanDrained && s.Began-s.Ended > 1e9 {
					own++
				}
			}
		}
		if want := map[bool]int{true: 1}[kept]; own != want {
			t.Errorf("kept apart %t: %d spans of its own, want %d", kept, own, want)
		}
	}
}

// A peer that makes room for another may be admitting still: the bound is not known then.
func TestAPeerThatMakesRoomIsNotForgottenInSilence(t *testing.T) {
	p := newHearing(t)
	ms := &p.engine.members
	for i := range crdt.Replica(MaxPeers) {
		if ms.find(100+i) == nil && len(ms.peers) < MaxPeers {
			ms.add("x", 100+i).state = PeerGone
		}
	}
	if p.engine.Status(p.now).Dropped {
		t.Fatal("some were dropped while there was room")
	}
	p.beat(9999, 0, false)
	if s := p.engine.Status(p.now); !s.Dropped {
		t.Error("one made room, and what it may have admitted is forgotten")
	}
}
