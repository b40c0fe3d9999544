package sync

import (
	"slices"
	"testing"
	"time"
)

// knew is a configuration of a node that knew others when it last ran.
func knew(names ...string) func(*Config) { return func(cfg *Config) { cfg.Members = names } }

// A node that starts again while others are cut off knows that they are there, and so does one
// that comes for the first time: its peers know.
func TestANodeThatComesInACutKnowsOfTheOthers(t *testing.T) {
	n := newSimNet(t, 3)
	nodes := n.joinAll("a", "b", "c", "d")
	n.ready()
	n.run(2e9)
	cut := func(from, to *simNode) bool {
		return (from.name == "c" || from.name == "d") != (to.name == "c" || to.name == "d")
	}
	n.lose = func(from, to *simNode, _ Packet) bool { return cut(from, to) }
	n.run(5e9)
	nodes[0].crash()
	again := n.join("a", 0, knew("b", "c", "d"))
	if v := again.store.view(); v.Members != 4 || !v.Isolated {
		t.Errorf("at its start it is shown %+v", v)
	}
	fresh := n.join("e", 0)
	n.run(1500e6)
	visible := 1 // as long as b hears the run that crashed
	for _, when := range []string{"soon", "later", "still"} {
		for _, node := range []*simNode{again, fresh} {
			if v := node.store.view(); v.Members != 5 || v.Visible != visible || !v.Isolated {
				t.Errorf("%s, %s is shown %+v, want %d of 5", when, node.name, v, visible)
			}
		}
		n.run(40e9)
		visible = 3
	}
	n.lose = nil
	n.run(5e9)
	for _, node := range []*simNode{again, fresh, nodes[1], nodes[2], nodes[3]} {
		if v := node.store.view(); v.Members != 5 || v.Isolated {
			t.Errorf("after the heal, %s is shown %+v", node.name, v)
		}
	}
}

// Who left while a node was away is no member, once all that it hears say so. Nobody else goes.
func TestNamesOfAnEarlierRunGoIfNobodyKnowsThem(t *testing.T) {
	n := newSimNet(t, 4)
	n.joinAll("a", "b")
	n.ready()
	n.run(2e9)
	again := n.join("c", 0, knew("a", "b", "left", "c", "no name!"))
	if v := again.store.view(); v.Members != 4 || !v.Isolated {
		t.Errorf("at its start it is shown %+v", v)
	}
	n.run(2500e6)
	if v := again.store.view(); !v.Isolated {
		t.Errorf("it believes its peers at once: %+v", v)
	}
	n.run(4e9)
	for _, node := range n.nodes {
		if v := node.store.view(); v.Members != 3 || v.Isolated {
			t.Errorf("%s is shown %+v, want 3 nodes that hear each other", node.name, v)
		}
	}
	if got := again.engine.Status(n.now).Roster; !slices.Equal(got, []string{"a", "b"}) {
		t.Errorf("the members are %q", got)
	}
}

func TestLostNamesCountAsOneNode(t *testing.T) {
	n := newSimNet(t, 5)
	lone := n.join("a", 0, func(cfg *Config) { cfg.Lost = true })
	n.run(20e9)
	if v := lone.store.view(); v.Members != 2 || v.Visible != 1 || !v.Isolated {
		t.Errorf("a node that hears nobody is shown %+v", v)
	}
	if got := lone.engine.Status(n.now).Roster; len(got) != 0 {
		t.Errorf("the members are %q", got)
	}
	n.join("b", 0)
	n.run(10e9)
	if v := lone.store.view(); v.Members != 2 || v.Isolated {
		t.Errorf("with a peer that knows of nobody else it is shown %+v", v)
	}
	alone := newSimNet(t, 6).join("a", 0, func(cfg *Config) { cfg.Alone, cfg.Lost, cfg.Members = true, true, []string{"b"} })
	if v := alone.store.view(); v.Members != 1 || v.Isolated {
		t.Errorf("a node that expects nobody is shown %+v", v)
	}
}

// A crash, a restart and a bye within the time in which silence is noticed leave no name behind.
func TestANameGoesWithTheLastThatBearsIt(t *testing.T) {
	n := newSimNet(t, 7)
	nodes := n.joinAll("a", "b")
	n.ready()
	n.run(2e9)
	nodes[1].crash()
	n.run(300e6)
	again := n.join("b", 0)
	n.run(600e6)
	again.step(Input{Kind: InputClose})
	again.crash()
	n.run(40e9)
	if v := nodes[0].store.view(); v.Members != 1 || v.Isolated {
		t.Errorf("it is shown %+v, want a node alone", v)
	}
}

// A node that is back before anybody missed it has ended its run before, as one that is back later has:
// what that run had not told was over when it was missed, and nobody waits for it.
func TestARunEndsWhenTheNextOneCameBeforeItWasMissed(t *testing.T) {
	for _, down := range []int64{300e6, 2e9, 5e9} {
		n := newSimNet(t, 7)
		nodes := n.joinAll("a", "b", "c")
		n.ready()
		n.run(2e9)
		nodes[1].crash()
		n.run(down)
		n.join("b", 0)
		n.run(6e9)
		for _, node := range n.nodes {
			if node.dead {
				continue
			}
			s := node.engine.Status(n.now)
			for _, u := range s.Unknown {
				for _, span := range u.Spans {
					if span.Ended == 0 && span.Began > int64(3e9) {
						t.Errorf("back after %v: %s waits for %x since %v", time.Duration(down), node.name, u.Replica, time.Duration(span.Began))
					}
				}
			}
			for i := range s.Peers {
				if p := &s.Peers[i]; p.Admits && p.State != PeerAlive {
					t.Errorf("back after %v: %s takes that the run before may be admitting", time.Duration(down), node.name)
				}
			}
		}
	}
}

// Of two nodes of one name, one falls silent and the other leaves: the silent one may be
// admitting. It is a member until an operator says otherwise, and again when it is heard.
func TestASilentTwinKeepsItsName(t *testing.T) {
	n := newSimNet(t, 8)
	nodes := n.joinAll("a", "b", "b")
	n.ready()
	n.run(3e9)
	a, silent, leaver := nodes[0], nodes[1], nodes[2]
	n.lose = func(from, to *simNode, _ Packet) bool { return from == silent || to == silent }
	n.run(10e9)
	leaver.step(Input{Kind: InputClose})
	leaver.crash()
	for range 5 {
		n.run(60e9)
		if v := a.store.view(); v.Members != 2 || !v.Isolated {
			t.Fatalf("it is shown %+v, want one that is silent", v)
		}
	}
	if !a.engine.Forget(n.now, "b") {
		t.Error("there was no b to forget")
	}
	n.run(5e9)
	if v := a.store.view(); v.Members != 1 || v.Isolated {
		t.Errorf("after Forget it is shown %+v", v)
	}
	n.lose = nil
	n.run(5e9)
	if v := a.store.view(); v.Members != 2 || v.Isolated {
		t.Errorf("when it is heard again it is shown %+v", v)
	}
}

// Two nodes of one name are one member. In a cut they are no more of the group than that: their
// shares would add up to more than the limit.
func TestNodesOfOneNameAreOneOfTheGroup(t *testing.T) {
	n := newSimNet(t, 5)
	nodes := n.joinAll("a", "b")
	n.ready()
	n.lose = func(from, to *simNode, _ Packet) bool { return (from.name == "a") != (to.name == "a") }
	n.run(5e9)
	twin := n.join("b", 0)
	n.run(10e9)
	for _, node := range append(nodes, twin) {
		if v := node.store.view(); v.Members != 2 || v.Visible != 1 || !v.Isolated {
			t.Errorf("%s is shown %+v, want 1 of 2", node.name, v)
		}
	}
	n.lose = nil
	n.run(10e9)
	for _, node := range append(nodes, twin) {
		if v := node.store.view(); v.Members != 2 || v.Isolated {
			t.Errorf("after the heal, %s is shown %+v", node.name, v)
		}
	}
}
