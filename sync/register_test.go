package sync

import (
	"fmt"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/distributed-rate-limiter/distributed-rate-limiter/crdt"
)

func TestLimitsConvergeToTheLastWriterOnAllNodes(t *testing.T) {
	for seed := range uint64(5) {
		n := newSimNet(t, seed)
		nodes := n.joinAll("a", "b", "c", "d")
		n.ready()
		n.lose = func(from, to *simNode, _ Packet) bool {
			cut := (from.replica <= 2) != (to.replica <= 2) // two halves
			return cut || n.random.IntN(5) == 0
		}
		last := map[string]Register{}
		for i := range 200 {
			node := nodes[n.random.IntN(4)]
			name := fmt.Sprint("limit", n.random.IntN(40))
			node.store.set(n.now, name, fmt.Sprint("value ", i))
			last[name] = node.store.regs[name]
			n.run(30e6)
		}
		n.lose = nil
		n.run(8e9)
		late := n.join("late", 0)
		n.until(6e9, "the late joiner is ready", late.engine.Ready)
		for _, node := range n.nodes {
			if !reflect.DeepEqual(node.store.regs, last) {
				t.Errorf("seed %d: %s has %d registers, %v", seed, node.name, len(node.store.regs), node.store.regs)
			}
		}
		n.run(2e9)
		seen := n.record()
		n.run(10e9)
		if k := len(seen[KindLimits]); k != 0 {
			t.Errorf("seed %d: %d messages of limits that all know", seed, k)
		}
	}
}

// A node that missed the message of a change learns of it from a beat, also if all registers were
// alike before.
func TestAChangeWhoseMessageIsLostIsAskedFor(t *testing.T) {
	n := newSimNet(t, 6)
	nodes := n.joinAll("a", "b", "c")
	n.ready()
	n.run(3e9)
	n.lose = func(from, _ *simNode, p Packet) bool { return from.kindOf(p) == KindLimits }
	for i := range 2 {
		nodes[0].store.set(n.now, "limit", fmt.Sprint("value ", i))
		n.until(4e9, "all have the change", func() bool {
			return reflect.DeepEqual(nodes[1].store.regs, nodes[0].store.regs) && reflect.DeepEqual(nodes[2].store.regs, nodes[0].store.regs)
		})
		n.run(3e9)
	}
}

// Whatever the sizes, each message of the register is one that receivers take.
func TestLargeRegistersAreSplit(t *testing.T) {
	n := newSimNet(t, 1)
	nodes := n.joinAll("a", "b")
	n.ready()
	for i := range 100 {
		size := []int{40_000, 10, 44_000, 22_000, 44_000, 1000}[i%6]
		nodes[0].store.set(n.now, fmt.Sprintf("%s%d", strings.Repeat("l", 60), i), strings.Repeat("v", size))
	}
	n.run(100e6)
	if !reflect.DeepEqual(nodes[0].store.regs, nodes[1].store.regs) {
		t.Errorf("%d of %d registers arrived", len(nodes[1].store.regs), len(nodes[0].store.regs))
	}
	late := n.join("late", 0)
	n.until(6e9, "the late joiner is ready", late.engine.Ready)
	if !reflect.DeepEqual(nodes[0].store.regs, late.store.regs) {
		t.Errorf("%d of %d registers are in the snapshot", len(late.store.regs), len(nodes[0].store.regs))
	}
}

func TestResetsLeaveAtOnceAndAreRepeated(t *testing.T) {
	n := newSimNet(t, 1)
	nodes := n.joinAll("a", "b")
	a, b := nodes[0], nodes[1]
	n.ready()
	a.store.reset(n.now, 1)
	n.run(60e6)
	if !slices.Equal(b.store.resets, a.store.resets) || len(b.store.resets) != 1 {
		t.Fatalf("b knows %v, want %v", b.store.resets, a.store.resets)
	}
	// One that is lost comes with the next beats, many of them in several messages.
	n.lose = func(_, _ *simNode, _ Packet) bool { return true }
	for i := range 3000 {
		a.store.reset(n.now, i)
	}
	n.run(60e6)
	n.lose = nil
	seen := n.record()
	n.run(2500e6)
	if len(b.store.resets) != 3001 {
		t.Errorf("b knows %d resets, want 3001", len(b.store.resets))
	}
	for _, m := range seen[KindReset] {
		if len(m.Resets) == 0 || len(m.Resets) > maxResets {
			t.Errorf("a message of %d resets", len(m.Resets))
		}
	}
}

// Whoever broadcasts limits in another's name is not believed; what an asked peer answers is.
func TestLimitsAreTakenFromTheirAuthor(t *testing.T) {
	p := newReadyProbe(t)
	reg := func(name string, by crdt.Replica) Register {
		return Register{Name: name, Stamp: crdt.Stamp{At: 1, By: by}, Value: []byte("value")}
	}
	p.hear(&Message{Kind: KindLimits, Node: "b", Replica: 2, Regs: []Register{reg("its", 2), reg("another's", 3), reg("ours", 1)}})
	if _, its := p.store.regs["its"]; !its || len(p.store.regs) != 1 || p.drops(DropSender) != 1 {
		t.Errorf("%v, %d dropped", p.store.regs, p.drops(DropSender))
	}
	p.engine.members.find(2).pull = 5
	p.hear(&Message{Kind: KindPulled, Node: "b", Replica: 2, Request: 5, Regs: []Register{reg("another's", 3)}})
	if len(p.store.regs) != 2 {
		t.Errorf("%v", p.store.regs)
	}
}
