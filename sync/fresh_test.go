package sync

import (
	"fmt"
	"slices"
	"testing"

	"github.com/distributed-rate-limiter/distributed-rate-limiter/crdt"
)

// stranger is a probe whose peers show nothing by themselves.
func strangerProbe(t *testing.T) *probe {
	t.Helper()
	p := newProbe(t, nil)
	p.strangers = true
	return p
}

// beatOf is a beat of peer b, which names us with that number.
func beatOf(number uint64) *Message {
	return &Message{Kind: KindBeat, Node: "b", Replica: 2, Heard: []Heard{{Replica: 1, Beat: number}}}
}

func TestOnlyAYoungBeatThatComesBackConfirms(t *testing.T) {
	for name, c := range map[string]struct {
		number func(e *echoes) uint64
		after  int64
		want   bool
	}{
		"none":            {func(*echoes) uint64 { return 0 }, 1e9, false},
		"the last":        {func(e *echoes) uint64 { return e.last }, 1e9, true},
		"nine seconds":    {func(e *echoes) uint64 { return e.last }, 9e9, true},
		"ten seconds":     {func(e *echoes) uint64 { return e.last }, 11e9, false},
		"never sent":      {func(e *echoes) uint64 { return e.last + 100 }, 1e9, false},
		"of another life": {func(*echoes) uint64 { return 1 << 62 }, 1e9, false},
	} {
		for what, echo := range map[string]func(p *probe, n uint64){
			"a beat": func(p *probe, n uint64) { p.hear(beatOf(n)) },
			"a question": func(p *probe, n uint64) {
				p.hear(&Message{Kind: KindSnapshot, Node: "b", Replica: 2, Beat: n, Request: 1})
			},
		} {
			p := strangerProbe(t)
			p.hear(&Message{Kind: KindBeat, Node: "b", Replica: 2})
			p.tick(1e6)
			number := c.number(&p.engine.members.echoes)
			p.run(c.after)
			p.sent, p.to = nil, nil
			echo(p, number)
			b := p.engine.members.find(2)
			if b.confirmed != c.want || p.store.view().Members != map[bool]int{true: 2, false: 1}[c.want] {
				t.Errorf("%s in %s: confirmed %v, view %+v", name, what, b.confirmed, p.store.view())
			}
			answered := false
			for _, m := range p.sent {
				answered = answered || m.Kind == KindRows
			}
			if what == "a question" && answered != c.want {
				t.Errorf("%s: answered %v", name, answered)
			}
		}
	}
}

// A recording of an earlier run has right tags, and names nobody who is there.
func TestARecordingMakesNoMember(t *testing.T) {
	p := strangerProbe(t)
	for i := range int64(40) {
		for r := crdt.Replica(2); r < 5; r++ {
			m := &Message{
				Kind: KindBeat, Node: fmt.Sprint("old", r), Replica: r, Sent: p.now - 3600e9, Beat: uint64(i + 1), Heard: []Heard{{Replica: 99, Beat: 7, Member: true}},
				Limits: 5, Known: []Known{{Replica: 77, Merged: 9, Bye: 10}}, Missing: []Missing{{Of: 78, Span: Span{Began: 5e9}}},
			}
			p.hear(m)
		}
		p.hear(&Message{Kind: KindLimits, Node: "old2", Replica: 2, Sent: p.now - 3600e9, Regs: []Register{{Name: "login", Stamp: crdt.Stamp{At: 1, By: 2}, Value: []byte("old")}}})
		p.hear(&Message{Kind: KindReset, Node: "old2", Replica: 2, Sent: p.now - 3600e9, Resets: []ClientReset{{Limit: "default", Key: key(1), Stamp: crdt.Stamp{At: 1, By: 2}}}})
		p.hear(&Message{Kind: KindSnapshot, Node: "old2", Replica: 2, Sent: p.now - 3600e9, Request: uint64(i + 1), Beat: 1 << 40})
		p.run(100e6)
	}
	if v := p.store.view(); v.Members != 1 || v.Isolated || v.Peers != 0 || !p.engine.Ready() {
		t.Errorf("view %+v, ready %v", v, p.engine.Ready())
	}
	if len(p.store.regs) > 0 || len(p.store.resets) > 0 {
		t.Errorf("limits %v and resets %v came back", p.store.regs, p.store.resets)
	}
	for _, m := range p.sent {
		if m.Kind.addressed() {
			t.Errorf("answered or asked a stranger: %+v", m)
		}
	}
	if n := p.drops(DropStale); n != 3*40 {
		t.Errorf("%d dropped as stale, want %d", n, 3*40)
	}
	if s := p.engine.Status(p.now); s.Unheard != 0 || len(s.Peers) != 3 {
		t.Errorf("%d unheard, %d peers", s.Unheard, len(s.Peers))
	}
	// A real one is a member at once, whatever the others say.
	p.strangers = false
	p.hear(&Message{Kind: KindBeat, Node: "real", Replica: 9})
	if v := p.store.view(); v.Members != 2 {
		t.Errorf("view %+v", v)
	}
}

// A stranger that is really there and does not hear us shows.
func TestAStrangerThatDoesNotHearUsIsNoMemberButShows(t *testing.T) {
	p := strangerProbe(t)
	for range 5 {
		p.hear(&Message{Kind: KindBeat, Node: "b", Replica: 2})
		p.run(1e9)
	}
	s := p.engine.Status(p.now)
	if s.Members != 1 || s.Isolated || len(s.Peers) != 1 || s.Peers[0].State != PeerAlive || s.Peers[0].DeafFor < 4e9 {
		t.Errorf("%+v", s)
	}
}

func TestARepeatedMessageIsNoSignOfLife(t *testing.T) {
	p := newReadyProbe(t)
	beat := &Message{Kind: KindBeat, Node: "b", Replica: 2, Sent: p.now, Seq: 1, Heard: []Heard{{Replica: 1}}}
	delta := &Message{Kind: KindDelta, Node: "b", Replica: 2, Sent: p.now, Seq: 1, Deltas: rowsFor(0, 1, 5)}
	limits := &Message{Kind: KindLimits, Node: "b", Replica: 2, Sent: p.now, Regs: []Register{{Name: "login", Stamp: crdt.Stamp{At: 1, By: 2}, Value: []byte("old")}}}
	reset := &Message{Kind: KindReset, Node: "b", Replica: 2, Sent: p.now, Resets: []ClientReset{{Limit: "default", Key: key(1), Stamp: crdt.Stamp{At: 1, By: 2}}}}
	for _, m := range []*Message{delta, limits, reset, beat} {
		p.hear(m)
	}
	p.run(1e9)
	b := p.hear(&Message{Kind: KindBeat, Node: "b", Replica: 2, Seq: 1, Heard: []Heard{{Replica: 1}}})
	if len(p.store.regs) != 1 || len(p.store.resets) != 1 || p.count(1) != 5 || b.state != PeerAlive {
		t.Fatalf("limits %v, resets %v, count %d, %v", p.store.regs, p.store.resets, p.count(1), b.state)
	}
	clear(p.store.regs)
	p.store.resets = nil
	for range 100 {
		for _, m := range []*Message{delta, limits, reset, beat} {
			p.hear(m)
		}
		p.run(50e6)
	}
	if b.state != PeerSuspect {
		t.Errorf("a recording keeps the peer %v", b.state)
	}
	if len(p.store.regs) != 0 || len(p.store.resets) != 0 {
		t.Errorf("limits %v and resets %v came back", p.store.regs, p.store.resets)
	}
}

func TestARecordedQuestionIsAnsweredOnce(t *testing.T) {
	p := newReadyProbe(t)
	ask := &Message{Kind: KindSnapshot, Node: "b", Replica: 2, Request: 5, Sent: p.now}
	older := &Message{Kind: KindRepair, Node: "b", Replica: 2, Request: 4, Sent: p.now}
	for range 200 {
		p.hear(ask)
		p.hear(older)
	}
	rows := 0
	for _, m := range p.sent {
		if m.Kind == KindRows {
			rows++
		}
	}
	if rows != 1 {
		t.Errorf("%d answers", rows)
	}
	// Nor does anybody else take it: the tag is for one incarnation and one cluster.
	for name, change := range map[string]func(*Config){
		"another incarnation": func(c *Config) { c.Replica = 7 },
		"another cluster":     func(c *Config) { c.Cluster = "other" },
	} {
		other := newProbe(t, change)
		other.strangers = true
		ask.To = 1
		other.step(Input{Kind: InputPacket, Packet: Packet{Subject: other.subjectOf(ask), Data: p.writer.encode(ask, nil)}})
		if other.drops(DropTag) != 1 {
			t.Errorf("%s took it: %v", name, other.engine.Status(other.now).Stats.Dropped)
		}
	}
}

func TestAByeIsVoidWhenItsSenderSpeaksAgain(t *testing.T) {
	for name, speak := range map[string]*Message{
		"a beat":  {Kind: KindBeat, Node: "b", Replica: 2, Seq: 3},
		"a delta": {Kind: KindDelta, Node: "b", Replica: 2, Seq: 4},
	} {
		p := newReadyProbe(t)
		b := p.hear(&Message{Kind: KindBeat, Node: "b", Replica: 2, Seq: 3, Heard: []Heard{{Replica: 1, Member: true}}})
		p.hear(&Message{Kind: KindBye, Node: "b", Replica: 2, Seq: 3})
		if !b.left || p.store.view().Members != 1 {
			t.Fatalf("%s: left %v, %+v", name, b.left, p.store.view())
		}
		// What was sent before is on its way still, and an answer comes from who lingers.
		before := &Message{Kind: KindBeat, Node: "b", Replica: 2, Seq: 3, Sent: p.now - 2e6}
		p.hear(before)
		p.hear(&Message{Kind: KindRows, Node: "b", Replica: 2, Request: 77, Sent: p.now})
		if !b.left {
			t.Errorf("%s: the bye is void before anything was said", name)
		}
		p.run(10e6)
		p.hear(speak)
		if b.left || b.state != PeerAlive || p.store.view().Members != 2 {
			t.Errorf("%s: left %v, %v, %+v", name, b.left, b.state, p.store.view())
		}
	}
}

// The bye of an earlier run, said again, strikes no name off.
func TestARecordedByeStrikesNobodyOff(t *testing.T) {
	p := newReadyProbe(t)
	for range 3 {
		p.hear(&Message{Kind: KindBeat, Node: "b", Replica: 2, Heard: []Heard{{Replica: 1, Member: true}}})
		p.run(900e6)
	}
	p.run(4e9) // b is silent, and may be admitting
	p.strangers = true
	p.hear(&Message{Kind: KindBye, Node: "b", Replica: 7, Sent: p.now - 3600e9})
	if v := p.store.view(); v.Members != 2 || !v.Isolated {
		t.Errorf("%+v", v)
	}
}

func TestANumberThatNobodyCanHaveReachedIsRefused(t *testing.T) {
	for _, kind := range []Kind{KindDelta, KindBeat, KindBye} {
		p := newReadyProbe(t)
		b := p.hear(&Message{Kind: KindBeat, Node: "b", Replica: 2, Seq: 3})
		before := b.received
		p.hear(&Message{Kind: kind, Node: "b", Replica: 2, Seq: 1 << 40, Sent: p.now, Deltas: rowsFor(0, 1, 5)})
		if b.received != before || b.left || p.drops(DropSequence) != 1 || p.count(1) != 0 {
			t.Errorf("%v: %+v, %d dropped", kind, b.received, p.drops(DropSequence))
		}
		// After a long silence much can have been lost.
		p.run(20e9)
		p.hear(&Message{Kind: kind, Node: "b", Replica: 2, Seq: 1_000_000, Sent: p.now})
		if b.seq != 1_000_000 {
			t.Errorf("%v after 20 s: %+v", kind, b.received)
		}
	}
}

// What was said in a peer's name ends with its next beat.
func TestABeatCorrectsAFalseNumber(t *testing.T) {
	p := newReadyProbe(t)
	b := p.hear(&Message{Kind: KindBeat, Node: "b", Replica: 2, Seq: 3, Heard: []Heard{{Replica: 1}}})
	p.hear(&Message{Kind: KindDelta, Node: "b", Replica: 2, Seq: 1000, Sent: p.now})
	if !b.gap {
		t.Fatalf("%+v", b.received)
	}
	p.run(1e9)
	p.hear(&Message{Kind: KindBeat, Node: "b", Replica: 2, Seq: 4, Heard: []Heard{{Replica: 1}}})
	if b.seq != 4 || b.gap {
		t.Errorf("%+v", b.received)
	}
}

// A thousand invented names a second leave room for who comes.
func TestInventedNamesDoNotKeepOthersOut(t *testing.T) {
	p := strangerProbe(t)
	ghost := crdt.Replica(1000)
	for range 100 {
		for range 100 {
			ghost++
			p.hear(&Message{Kind: KindBeat, Node: "ghost", Replica: ghost})
		}
		p.run(100e6)
	}
	if n := len(p.engine.members.peers); n > MaxPeers {
		t.Errorf("%d peers", n)
	}
	if p.drops(DropPeers) < 5000 {
		t.Errorf("%d of 10,000 invented names were not taken", p.drops(DropPeers))
	}
	if !p.engine.Ready() || p.store.view().Members != 1 {
		t.Errorf("ready %v, %+v", p.engine.Ready(), p.store.view())
	}
	// Somebody who comes beats until it is taken, answers, and is a member.
	for tries := 0; ; tries++ {
		if tries == 100 {
			t.Fatal("nobody else gets in")
		}
		for range 10 {
			ghost++
			p.hear(&Message{Kind: KindBeat, Node: "ghost", Replica: ghost})
		}
		p.hear(&Message{Kind: KindBeat, Node: "real", Replica: 5})
		p.run(10e6)
		if p.engine.members.find(5) != nil {
			break
		}
	}
	for range 20 { // a round trip later
		ghost++
		p.hear(&Message{Kind: KindBeat, Node: "ghost", Replica: ghost})
		p.run(5e6)
	}
	if p.engine.members.find(5) == nil {
		t.Fatal("invented names push out who came")
	}
	p.confirm("real", 5, p.now)
	if p.store.view().Members != 2 {
		t.Errorf("%+v", p.store.view())
	}
}

// Who claims another digest gets nobody to send limits: he is asked, and asked ever less.
func TestAWrongDigestBringsNoLimits(t *testing.T) {
	p := newReadyProbe(t)
	for i := range 100 {
		p.store.set(p.now, fmt.Sprint("limit", i), "value")
	}
	p.run(100e6)
	p.sent, p.to = nil, nil
	for i := range 60 {
		p.hear(&Message{Kind: KindBeat, Node: "b", Replica: 2, Limits: crdt.Digest(i + 1), Heard: []Heard{{Replica: 1}}})
		p.run(500e6)
	}
	asked := 0
	for _, m := range p.sent {
		switch {
		case len(m.Regs) > 0:
			t.Fatalf("sent %d limits as %v", len(m.Regs), m.Kind)
		case m.Kind == KindPull:
			asked++
		}
	}
	if asked == 0 || asked > 8 {
		t.Errorf("asked %d times in 30 s", asked)
	}
}

func TestAPullBringsWhatIsNewerAndNothingElse(t *testing.T) {
	p := newReadyProbe(t)
	var held []Held
	for i := range 100 {
		name := fmt.Sprint("limit", i)
		p.store.set(p.now, name, "value")
		ours := p.store.regs[name]
		h := p.engine.registers.heldOf(&ours)
		switch i {
		case 3: // not held
			continue
		case 4:
			h.Stamp.At--
		case 5:
			h.Stamp.At++
		case 6: // of one stamp, but with other revisions
			h.Value++
		}
		held = append(held, h)
	}
	p.run(100e6)
	p.sent, p.to = nil, nil
	p.hear(&Message{Kind: KindPull, Node: "b", Replica: 2, Request: 1, Held: held})
	var names []string
	for _, m := range p.sent {
		for _, r := range m.Regs {
			names = append(names, r.Name)
		}
		if m.Kind == KindPulled && m.Request != 1 {
			t.Errorf("answered %+v", m)
		}
	}
	if slices.Sort(names); !slices.Equal(names, []string{"limit3", "limit4", "limit6"}) {
		t.Errorf("sent %v", names)
	}
	// An answer to a question that nobody asked is nothing.
	p.hear(&Message{Kind: KindPulled, Node: "b", Replica: 2, Request: 12, Regs: []Register{{Name: "x", Stamp: crdt.Stamp{At: 1, By: 1}}}})
	p.hear(&Message{Kind: KindPulled, Node: "b", Replica: 2, Regs: []Register{{Name: "x", Stamp: crdt.Stamp{At: 1, By: 1}}}})
	if _, some := p.store.regs["x"]; some {
		t.Error("an answer that was not asked for was taken")
	}
}

// A node that does not hear us counts as deaf at a certain time, though nothing happens then.
func TestTheGroupIsFoundAnewWhenTimeAloneChangesIt(t *testing.T) {
	p := newReadyProbe(t)
	for range 3 {
		p.hear(&Message{Kind: KindBeat, Node: "b", Replica: 2, Heard: []Heard{{Replica: 1, Member: true}}})
		p.run(900e6)
	}
	if v := p.store.view(); v.Isolated || v.Members != 2 {
		t.Fatalf("%+v", v)
	}
	for range 4 {
		p.hear(&Message{Kind: KindBeat, Node: "b", Replica: 2})
		p.run(900e6)
	}
	if v := p.store.view(); !v.Isolated || v.Visible != 1 {
		t.Errorf("%+v", v)
	}
}

// A server lets a node publish under its own name alone. So nobody speaks for another's incarnation
// under a name of its own.
func TestNobodySpeaksForAnothersIncarnation(t *testing.T) {
	p := newReadyProbe(t)
	for i, m := range []*Message{
		{Kind: KindDelta, Seq: 9, Deltas: rowsFor(0, 1, 5)},
		{Kind: KindReset, Resets: []ClientReset{{Limit: "default", Key: key(1), Stamp: crdt.Stamp{At: p.now, By: 2}}}},
		{Kind: KindBye, Seq: 9},
		{Kind: KindBeat, Seq: 9, Heard: []Heard{{Replica: 1}}},
		{Kind: KindSnapshot, Request: 1 << 40},
	} {
		m.Node, m.Replica = "evil", 2
		p.hear(m)
		if got := p.drops(DropSender); got != uint64(i+1) {
			t.Errorf("%v: %d dropped", m.Kind, got)
		}
	}
	if b := p.engine.members.find(2); b.node != "b" || b.left || b.state != PeerAlive || p.count(1) != 0 {
		t.Errorf("%s, left %v, %v, count %d", b.node, b.left, b.state, p.count(1))
	}
}
