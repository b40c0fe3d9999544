package sync

import (
	"fmt"
	"slices"
	"testing"

	"pgregory.net/rapid"

	"github.com/distributed-rate-limiter/distributed-rate-limiter/crdt"
)

// crowd makes n peers, of incarnations 100 and up, say that they hear the probe, but for one
// that has left.
func (p *probe) crowd(n int, left crdt.Replica) {
	p.t.Helper()
	for i := range n {
		if r := crdt.Replica(100 + i); r != left {
			p.hear(&Message{Kind: KindBeat, Node: fmt.Sprint("n", i), Replica: r, Heard: []Heard{{Replica: 1, Member: true}}})
		}
	}
}

// newCalmProbe is a probe that hears n peers and nobody else, and has told of it.
func newCalmProbe(t testing.TB, n int) *probe {
	t.Helper()
	p := newProbe(t, func(c *Config) { c.Alone = true })
	p.run(3e9)
	p.crowd(n, 0)
	for range tellsChange {
		if m := p.nextBeat(); len(m.Heard) != n || m.HeardFrom != m.HeardTo {
			t.Fatalf("%d peers that just came: %d named", n, len(m.Heard))
		}
		p.crowd(n, 0)
	}
	return p
}

// nextBeat is the next beat of the probe.
func (p *probe) nextBeat() *Message {
	p.t.Helper()
	p.sent, p.to = nil, nil
	for range 1000 {
		p.tick(max(1, p.wake-p.now))
		for _, m := range p.sent {
			if m.Kind == KindBeat {
				return m
			}
		}
	}
	p.t.Fatal("no beat")
	return nil
}

func (m *Message) named(r crdt.Replica) bool {
	return slices.ContainsFunc(m.Heard, func(h Heard) bool { return h.Replica == r })
}

func TestABeatNamesFewPeersAllAndManyInTurn(t *testing.T) {
	for _, c := range []struct{ peers, beats int }{{mostNamed, 1}, {mostNamed + 1, 2}, {100, 4}} {
		p := newCalmProbe(t, c.peers)
		for range 3 { // rounds
			named := map[crdt.Replica]bool{}
			for range c.beats {
				p.crowd(c.peers, 0)
				m := p.nextBeat()
				if len(m.Heard) > mostNamed {
					t.Errorf("%d peers: %d named at once", c.peers, len(m.Heard))
				}
				for _, h := range m.Heard {
					named[h.Replica] = true
					if h.Beat == 0 || h.Beat < p.beats-uint64(c.peers) {
						t.Errorf("%d peers: the echo is beat %d, and %d was heard", c.peers, h.Beat, p.beats)
					}
				}
			}
			if len(named) != c.peers {
				t.Errorf("%d of %d peers named in %d beats", len(named), c.peers, c.beats)
			}
		}
	}
}

func TestABeatNamesAllPeersAfterAChange(t *testing.T) {
	const many = 100
	for name, change := range map[string]func(*probe){
		"a peer came": func(p *probe) {
			p.hear(&Message{Kind: KindBeat, Node: "new", Replica: 50, Heard: []Heard{{Replica: 1, Member: true}}})
		},
		"a peer left": func(p *probe) { p.hear(&Message{Kind: KindBye, Node: "n7", Replica: 107}) },
	} {
		p := newCalmProbe(t, many)
		left := map[bool]crdt.Replica{true: 107}[name == "a peer left"]
		for range tellsChange {
			p.crowd(many, left)
			change(p)
			if m := p.nextBeat(); m.HeardFrom != m.HeardTo || len(m.Heard) < many-1 || m.named(50) != (name == "a peer came") || m.named(107) == (name == "a peer left") {
				t.Errorf("%s: %d named, from %d to %d", name, len(m.Heard), m.HeardFrom, m.HeardTo)
			}
		}
	}
}

// Who does not know this node as a member needs its echo, and whose messages come less late than
// it was told has a clock of ours to correct: neither waits for its turn.
func TestABeatNamesAtOnceWhoNeedsIt(t *testing.T) {
	const many = 200
	p := newCalmProbe(t, many)
	p.hear(&Message{Kind: KindBeat, Node: "n150", Replica: 250, Heard: []Heard{{Replica: 1}}})
	for range 2 {
		if m := p.nextBeat(); !m.named(250) || m.HeardFrom == m.HeardTo {
			t.Error("a peer to which we are a stranger is not named")
		}
	}
	p.crowd(many, 0)
	quick := func() { // its messages take 50 ms less
		p.hear(&Message{Kind: KindBeat, Node: "n150", Replica: 250, Sent: p.now + 49e6, Heard: []Heard{{Replica: 1, Member: true}}})
	}
	quick()
	if m := p.nextBeat(); !m.named(250) {
		t.Error("a peer whose lag fell by 50 ms is not named")
	}
	times := 0
	for range 6 { // 200 peers take 7 beats
		p.crowd(many, 0)
		quick()
		if p.nextBeat().named(250) {
			times++
		}
	}
	if times > 1 {
		t.Errorf("named %d times though nothing changed", times)
	}
}

// What a beat says of a part holds until another beat says otherwise, in whatever order parts,
// and all that do not belong to one, come.
func TestWhomAPeerHearsIsWhatItSaidLastOfEach(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var hears, strange []crdt.Replica
		said := map[crdt.Replica]string{}
		number := func(label string) crdt.Replica {
			return crdt.Replica(rapid.OneOf(rapid.Uint64Range(0, 20), rapid.Just(^uint64(0))).Draw(t, label))
		}
		for range rapid.IntRange(1, 8).Draw(t, "beats") {
			m := &Message{HeardFrom: number("from"), HeardTo: number("to")}
			for _, r := range rapid.SliceOfNDistinct(rapid.Uint64Range(1, 20), 0, 12, rapid.ID[uint64]).Draw(t, "named") {
				m.Heard = append(m.Heard, Heard{Replica: crdt.Replica(r), Member: rapid.Bool().Draw(t, "member")})
			}
			for r := crdt.Replica(1); r <= 20; r++ {
				from, to := m.HeardFrom, m.HeardTo
				inside := from == to || from < to && from <= r && r < to || from > to && (r >= from || r < to)
				if inside {
					delete(said, r)
				}
			}
			for _, h := range m.Heard {
				said[h.Replica] = map[bool]string{true: "member", false: "stranger"}[h.Member]
			}
			hears, strange = m.patch(hears, true), m.patch(strange, false)
			for r := crdt.Replica(1); r <= 20; r++ {
				if slices.Contains(hears, r) != (said[r] == "member") || slices.Contains(strange, r) != (said[r] == "stranger") {
					t.Fatalf("%d is %q; hears %d, strangers %d", r, said[r], hears, strange)
				}
			}
			if !slices.IsSorted(hears) || !slices.IsSorted(strange) || len(hears)+len(strange) != len(said) {
				t.Fatalf("hears %d, strangers %d", hears, strange)
			}
		}
	})
}

// A beat that names a part tells by its digest that the rest changed. Until a beat names the
// rest, a node that does not hear everybody counts for itself.
func TestADigestThatIsNotKnownMakesNoGroup(t *testing.T) {
	p := newReadyProbe(t)
	whole := []Heard{{Replica: 1, Member: true}, {Replica: 3, Member: true}}
	say := func(m *Message) {
		m.Kind = KindBeat
		for _, as := range []Message{{Node: "b", Replica: 2}, {Node: "c", Replica: 3}} {
			beat := *m
			beat.Node, beat.Replica = as.Node, as.Replica
			if as.Replica == 3 && m.HeardFrom == m.HeardTo {
				beat.Heard = []Heard{{Replica: 1, Member: true}, {Replica: 2, Member: true}}
			}
			p.hear(&beat)
		}
	}
	p.hear(&Message{Kind: KindBeat, Node: "gone", Replica: 4, Heard: []Heard{{Replica: 1, Member: true}}})
	for range 5 {
		say(&Message{Heard: whole})
		p.run(1e9)
	}
	if v := p.engine.view; !v.Isolated || v.Visible != 3 || v.Members != 4 {
		t.Fatalf("shown %+v, want three of four", v)
	}
	ours := circleOf(1, 2, 3)
	for name, c := range map[string]struct {
		circle  crdt.Digest
		visible int
	}{"the digest that follows": {ours, 3}, "another digest": {ours + circleOf(5), 1}, "the digest as before": {ours, 3}} {
		say(&Message{HeardFrom: 60, HeardTo: 70, Circle: c.circle})
		p.run(1e6)
		if v := p.engine.view; v.Visible != c.visible || !v.Isolated {
			t.Errorf("%s: shown %+v", name, v)
		}
		for _, peer := range p.engine.Status(p.now).Peers {
			if peer.Replica < 4 && (!peer.HearsUs || len(peer.Hears) != 2) {
				t.Errorf("%s: %s hears us: %t, and %d", name, peer.Node, peer.HearsUs, peer.Hears)
			}
		}
	}
}

// Among many nodes all know who hears whom, also over losses, a crash and a partition.
func TestManyNodesKnowWhoHearsWhom(t *testing.T) {
	const nodes = 72
	n := newSimNet(t, 5)
	for i := range nodes {
		n.join(fmt.Sprintf("n%02d", i), 0)
	}
	n.ready()
	n.run(4e9)
	longest, bytes := 0, 0
	n.watch = func(_ *simNode, p Packet, m *Message) {
		if m.Kind == KindBeat {
			longest, bytes = max(longest, len(m.Heard)), bytes+len(p.Data)
		}
	}
	n.run(5e9)
	if longest > mostNamed {
		t.Errorf("a beat of a calm cluster names %d", longest)
	}
	t.Logf("%d bytes a node and second", bytes*(nodes-1)/nodes/5)
	know := func(of []*simNode) bool {
		return !slices.ContainsFunc(of, func(node *simNode) bool {
			return slices.ContainsFunc(of, func(other *simNode) bool {
				p := node.engine.members.find(other.replica)
				return node != other && (!p.hearsUs || len(p.hears) != len(of)-1)
			})
		})
	}
	if !know(n.nodes) {
		t.Error("not all know who hears whom")
	}
	for _, node := range n.nodes {
		if node.logged(EventOneWay, nil) > 0 || node.engine.view.Isolated {
			t.Errorf("%s was one-way, or is isolated", node.name)
		}
	}

	n.lose = func(_, _ *simNode, _ Packet) bool { return n.random.IntN(4) == 0 }
	n.nodes[nodes-1].crash()
	living := n.nodes[:nodes-1]
	n.run(8e9)
	n.lose = nil
	n.until(4e9, "all know who hears whom after a crash and losses", func() bool { return know(living) })

	west, east := living[:36], living[36:]
	n.lose = func(from, to *simNode, _ Packet) bool {
		return slices.Contains(west, from) != slices.Contains(west, to)
	}
	n.run(5e9)
	for _, node := range living {
		want := len(east)
		if slices.Contains(west, node) {
			want = len(west)
		}
		if v := node.engine.view; !v.Isolated || v.Visible != want {
			t.Errorf("%s is shown %+v, want %d", node.name, v, want)
		}
	}
	n.lose = nil
	n.until(6e9, "all know who hears whom after the partition", func() bool { return know(living) })
}
