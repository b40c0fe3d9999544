package sync

import (
	"testing"

	"pgregory.net/rapid"

	"github.com/distributed-rate-limiter/distributed-rate-limiter/crdt"
)

func TestAnIncarnationBearsItsNodesMark(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		node, other := genName(t), genName(t)
		r := NewReplica(node, rapid.Uint32().Draw(t, "random"))
		if !bears(r, node) || uint32(r) == 0 {
			t.Fatalf("%x is none of %s's", r, node)
		}
		if node != other && markOf(node) != markOf(other) && bears(r, other) {
			t.Fatalf("%x of %s is also %s's", r, node, other)
		}
	})
}

// A node that starts later than others has not heard them yet, so it goes by the mark.
func TestNobodyClaimsAnIncarnationThatWasNotHeardYet(t *testing.T) {
	p := newProbe(t, func(c *Config) { c.Marked = true })
	b, first := NewReplica("b", 5), &Message{Kind: KindDelta, Node: "evil", Seq: 1, Deltas: rowsFor(0, 1, 5)}
	for i, r := range []crdt.Replica{b, 2} {
		first.Replica = r
		p.hearOn(p.subjectOf(first), first)
		if got := p.drops(DropSender); got != uint64(i+1) || p.count(1) != 0 || p.engine.members.find(r) != nil {
			t.Errorf("incarnation %d: %d dropped, count %d", r, got, p.count(1))
		}
	}
	p.hear(&Message{Kind: KindDelta, Node: "b", Replica: b, Seq: 1, Deltas: rowsFor(0, 1, 7)})
	if p.count(1) != 7 || p.drops(DropSender) != 2 {
		t.Errorf("count %d of its own", p.count(1))
	}
}
