package sync

import (
	"testing"

	"github.com/distributed-rate-limiter/distributed-rate-limiter/crdt"
)

// lastWordsLost lets b lose what a admitted last, and a leave: c has heard it all, if it is
// there.
func lastWordsLost(n *simNet, a, b *simNode) {
	n.t.Helper()
	n.lose = func(from, to *simNode, p Packet) bool { return from == a && to == b && a.kindOf(p) == KindDelta }
	a.store.admit(n.now, 1, 5)
	n.run(60e6)
	n.lose = nil
	a.step(Input{Kind: InputClose})
	if n.run(5e6); b.store.entries[memKey{"default", key(1)}] != nil {
		n.t.Fatal("nothing was lost: this proves nothing")
	}
}

func (node *simNode) counts(i int) bool {
	e := node.store.entries[memKey{"default", key(i)}]
	return e != nil && e.state.Count() > 0
}

func TestALeaverAnswersForAWhileWhatItsByeShowsToBeMissing(t *testing.T) {
	n := newSimNet(t, 1)
	nodes := n.joinAll("a", "b")
	a, b := nodes[0], nodes[1]
	n.ready()
	lastWordsLost(n, a, b)
	if p := b.peer(a); !p.Left || !p.Behind || p.Whole {
		t.Errorf("after the bye: %+v, want one that left with something missing", p)
	}
	n.run(lingerFor)
	a.crash()
	if p := b.peer(a); !b.counts(1) || p.Behind || !p.Whole {
		t.Errorf("what the bye named is not repaired by the leaver: %+v", p)
	}
	if a.engine.Lingers(a.clock()) != 0 || a.engine.out.Wake != crdt.End {
		t.Error("the leaver does not come to an end")
	}
}

func TestNobodyToAnswerNobodyToWaitFor(t *testing.T) {
	p := newProbe(t, nil)
	p.step(Input{Kind: InputClose})
	if p.engine.Lingers(p.now) != 0 {
		t.Error("a node without peers lingers after its bye")
	}
}

// Where the leaver is gone, whoever heard all of it closes the gap: with its rows, and with
// the number up to which it holds them.
func TestPeersCloseTheGapOfWhoLeft(t *testing.T) {
	n := newSimNet(t, 2)
	nodes := n.joinAll("a", "b", "c")
	a, b, c := nodes[0], nodes[1], nodes[2]
	n.ready()
	lastWordsLost(n, a, b)
	a.crash()
	n.until(4e9, "repaired by another", func() bool { return b.counts(1) })
	n.until(3e9, "known to be whole", func() bool { return b.peer(a).Whole && !b.peer(a).Behind })
	if !c.peer(a).Whole {
		t.Error("who heard all of it does not know so")
	}
}

func TestNobodyClosesAGapThatAllHave(t *testing.T) {
	n := newSimNet(t, 3)
	nodes := n.joinAll("a", "b", "c")
	a, b, c := nodes[0], nodes[1], nodes[2]
	n.ready()
	n.lose = func(from, _ *simNode, p Packet) bool { return from == a && a.kindOf(p) == KindDelta }
	a.store.admit(n.now, 1, 5)
	n.run(60e6)
	n.lose = nil
	a.step(Input{Kind: InputClose})
	a.crash()
	n.run(20e9)
	for _, node := range []*simNode{b, c} {
		if p := node.peer(a); !p.Left || p.Whole || !p.Behind {
			t.Errorf("%s: %+v, want a gap that stays: equal digests alone prove nothing", node.name, p)
		}
	}
}

// A bye that was lost is heard from others, with its number.
func TestAByeIsTakenFromWhoHeardIt(t *testing.T) {
	n := newSimNet(t, 4)
	nodes := n.joinAll("a", "b", "c")
	a, b := nodes[0], nodes[1]
	n.ready()
	a.store.admit(n.now, 1, 5)
	n.run(60e6)
	n.lose = func(_, to *simNode, p Packet) bool { return to == b && a.kindOf(p) == KindBye }
	a.step(Input{Kind: InputClose})
	a.crash()
	n.run(1e9)
	if b.peer(a).Left {
		t.Fatal("a bye was to be lost")
	}
	n.run(5e9)
	if p := b.peer(a); !p.Left || !p.Whole || b.store.view().Members != 2 {
		t.Errorf("%+v of %d members: the bye that another heard is not known", p, b.store.view().Members)
	}
}

// A node that comes later knows of those that left what the others know.
func TestAJoinerLearnsHowWholeOthersAre(t *testing.T) {
	n := newSimNet(t, 5)
	nodes := n.joinAll("a", "b", "c")
	a := nodes[0]
	n.ready()
	a.store.admit(n.now, 1, 5)
	n.run(60e6)
	a.step(Input{Kind: InputClose})
	a.crash()
	n.run(1e9)
	d := n.join("d", 0)
	n.run(4e9)
	silent := d.engine.Status(d.clock()).Silent
	if len(silent) != 1 || silent[0].Replica != a.replica || !silent[0].Whole() {
		t.Errorf("the joiner knows %+v of who left", silent)
	}
	n.run(200e9) // the windows are over
	if silent := d.engine.Status(d.clock()).Silent; len(silent) != 0 || len(d.engine.knowledge.of) != 0 {
		t.Errorf("the joiner remembers %+v for ever", silent)
	}
}
