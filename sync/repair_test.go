package sync

import (
	"testing"

	"github.com/distributed-rate-limiter/distributed-rate-limiter/crdt"
)

// traffic collects what is published, by kind.
type traffic map[Kind][]*Message

func (n *simNet) record() traffic {
	seen := traffic{}
	n.watch = func(_ *simNode, _ Packet, m *Message) { seen[m.Kind] = append(seen[m.Kind], m) }
	return seen
}

func (tr traffic) rows() int {
	n := 0
	for _, m := range tr[KindRows] {
		n += m.rowsOf()
	}
	return n
}

func TestGapIsRepairedWithWhatIsMissingOnly(t *testing.T) {
	n := newSimNet(t, 1)
	nodes := n.joinAll("a", "b", "c")
	a, b := nodes[0], nodes[1]
	n.ready()
	for i := range 1000 {
		a.store.admit(n.now, i, 1)
	}
	n.run(200e6)
	seen := n.record()
	before := a.engine.seq
	a.store.admit(n.now, 1, 5)
	a.store.admit(n.now, 2, 5)
	n.lose = func(_, to *simNode, p Packet) bool { return to == b && a.kindOf(p) == KindDelta }
	n.run(60e6)
	n.lose = nil
	a.store.admit(n.now, 3, 5)
	n.run(300e6)

	if len(seen[KindRepair]) != 1 {
		t.Fatalf("%d requests, want 1", len(seen[KindRepair]))
	}
	ask := seen[KindRepair][0]
	if ask.Replica != b.replica || ask.Of != a.replica || ask.Since != before {
		t.Errorf("%d asks for rows of %d since %d, want %d for %d since %d", ask.Replica, ask.Of, ask.Since, b.replica, a.replica, before)
	}
	// All that left since, though one of them arrived: a row may have carried an
	// origin alone, so digests cannot tell which.
	if got := seen.rows(); got != 3 {
		t.Errorf("%d rows answer it, want the three that left since", got)
	}
	n.agree()
	if s := b.stats(); s.Gaps != 1 || s.Repairs != 1 || s.Timeouts != 0 {
		t.Errorf("gaps %d, repairs %d, timeouts %d, want 1, 1, 0", s.Gaps, s.Repairs, s.Timeouts)
	}
	if b.peer(a).Behind {
		t.Error("behind after the repair")
	}
}

func TestLostLastDeltaShowsInTheNextBeat(t *testing.T) {
	n := newSimNet(t, 2)
	nodes := n.joinAll("a", "b")
	a, b := nodes[0], nodes[1]
	n.ready()
	n.lose = func(_, _ *simNode, p Packet) bool { return a.kindOf(p) == KindDelta }
	a.store.admit(n.now, 1, 5)
	n.run(60e6)
	n.lose = nil
	n.run(1200e6)
	n.agree()
	if s := b.stats(); s.Gaps != 1 || s.Mismatches != 0 {
		t.Errorf("gaps %d, mismatches %d, want 1, 0", s.Gaps, s.Mismatches)
	}
}

func TestNothingIsAskedWhileDigestsAgree(t *testing.T) {
	for _, skew := range []int64{0, 400e6, -400e6} {
		n := newSimNet(t, 3)
		a, b := n.join("a", 0), n.join("b", skew)
		n.ready()
		seen := n.record()
		n.during = map[*simNode]func(){}
		for _, node := range []*simNode{a, b} {
			n.during[node] = func() { node.store.admit(node.clock(), n.random.IntN(50), 1) }
		}
		n.run(200e9) // three changes of window
		if k := len(seen[KindRepair]) + len(seen[KindSnapshot]); k != 0 {
			t.Errorf("skew %d ms: %d requests without a loss", skew/1e6, k)
		}
		for _, node := range n.nodes {
			if s := node.stats(); s.Gaps+s.Mismatches+s.Timeouts != 0 {
				t.Errorf("skew %d ms: %s counts gaps %d, mismatches %d, timeouts %d", skew/1e6, node.name, s.Gaps, s.Mismatches, s.Timeouts)
			}
		}
	}
}

func TestDigestsFindWhatNoGapShows(t *testing.T) {
	n := newSimNet(t, 4)
	nodes := n.joinAll("a", "b")
	a, b := nodes[0], nodes[1]
	n.ready()
	for i := range 500 {
		a.store.admit(n.now, i, 1)
	}
	b.store.deaf = func(_ *crdt.Delta, k crdt.Key) bool { return k == key(7) }
	n.run(200e6)
	b.store.deaf = nil
	seen := n.record()
	n.run(2500e6)
	n.agree()
	if s := b.stats(); s.Gaps != 0 || s.Mismatches != 1 {
		t.Errorf("gaps %d, mismatches %d, want 0, 1", s.Gaps, s.Mismatches)
	}
	// The clients of one partition of 256, of 500.
	if got := seen.rows(); got == 0 || got > 10 {
		t.Errorf("%d rows answer, want those of one partition", got)
	}
}

func TestRepairsThatDoNotHelpBecomeRare(t *testing.T) {
	n := newSimNet(t, 5)
	nodes := n.joinAll("a", "b")
	a, b := nodes[0], nodes[1]
	n.ready()
	b.store.deaf = func(_ *crdt.Delta, k crdt.Key) bool { return k == key(7) }
	n.during = map[*simNode]func(){a: func() { a.store.admit(a.clock(), 7, 1) }}
	n.run(240e9)
	if s := b.stats(); s.Repairs < 5 || s.Repairs > 16 {
		t.Errorf("%d repairs in four minutes that did not help, want one every 30 s after the first few", s.Repairs)
	}
	b.store.deaf = nil
	n.during = nil
	n.run(35e9)
	n.agree()
	if b.peer(a).Behind {
		t.Error("behind after what was missing is there")
	}
}

// A node at its memory cap does not take some clients for minutes; that must not
// slow down the repair of the others.
func TestGapIsRepairedAtOnceThoughOtherRepairsDoNotHelp(t *testing.T) {
	n := newSimNet(t, 6)
	nodes := n.joinAll("a", "b")
	a, b := nodes[0], nodes[1]
	n.ready()
	b.store.deaf = func(_ *crdt.Delta, k crdt.Key) bool { return k == key(7) }
	n.during = map[*simNode]func(){a: func() { a.store.admit(a.clock(), 7, 1) }}
	n.run(50e9)
	for i := range 20 {
		n.lose = func(_, to *simNode, p Packet) bool { return to == b && a.kindOf(p) == KindDelta }
		a.store.admit(n.now, 100+i, 5)
		n.run(60e6)
		n.lose = nil
		n.run(1400e6) // at most one repair a second
		if e := b.store.entries[memKey{"default", key(100 + i)}]; e == nil || e.state.Count() != 5 {
			t.Fatalf("loss %d is not repaired after 1.4 s", i)
		}
	}
}

// A loss while an answer is under way, in a part of the rows that was answered
// already, is not in that answer.
func TestLossDuringALongAnswerIsRepairedToo(t *testing.T) {
	n := newSimNet(t, 7)
	nodes := n.joinAll("a", "b")
	a, b := nodes[0], nodes[1]
	n.ready()
	first := 0 // a client of the first partition
	for key(first).Partition() != 0 {
		first++
	}
	b.store.deaf = func(_ *crdt.Delta, _ crdt.Key) bool { return true }
	for i := range 60_000 {
		a.store.admit(n.now, i, 1)
	}
	n.run(300e6)
	b.store.deaf = nil
	answered := 0
	n.watch = func(_ *simNode, _ Packet, m *Message) {
		if m.Kind == KindRows && m.rowsOf() > 0 {
			answered++
		}
	}
	lost := false
	n.lose = func(from, _ *simNode, p Packet) bool {
		if from == a && answered > 0 && !lost && a.kindOf(p) == KindDelta {
			lost = true
			return true
		}
		return false
	}
	n.delay = func(_, _ *simNode) int64 { return 100e6 } // a page takes a while
	n.until(5e9, "the answer has begun", func() bool { return answered > 0 })
	a.store.admit(n.now, first, 7)
	n.until(5e9, "the answer is merged to its end", func() bool { return b.engine.members.find(a.replica).request.id == 0 })
	if !lost {
		t.Fatal("this test is to lose a delta while an answer is under way")
	}
	if e := b.store.entries[memKey{"default", key(first)}]; e.state.Count() != 1 {
		t.Fatalf("this test is to lose a row that was answered before: count %d", e.state.Count())
	}
	n.run(3e9)
	n.agree()
	// The first one is of what b did not take; the loss is to show as a gap.
	if s := b.stats(); s.Mismatches != 1 || s.Gaps != 1 {
		t.Errorf("mismatches %d, gaps %d, want 1, 1: the answer's end hid a loss that it does not account for", s.Mismatches, s.Gaps)
	}
}

func TestLastWordsOfADeadPeerReachAllSurvivors(t *testing.T) {
	n := newSimNet(t, 8)
	nodes := n.joinAll("a", "b", "c", "d")
	a, b := nodes[0], nodes[1]
	n.ready()
	for i := range 300 {
		a.store.admit(n.now, i, 1)
	}
	n.lose = func(from, to *simNode, _ Packet) bool { return from == a && to != b }
	n.run(100e6)
	n.lose = nil
	a.crash()
	if n.agreed() {
		t.Fatal("this test is to lose what a said last")
	}
	n.run(6e9)
	n.agree()
	seen := n.record()
	n.run(10e9)
	if k := len(seen[KindRepair]); k > 0 {
		t.Errorf("%d requests after all is well", k)
	}
}

func TestRepairsOfADeadPeerThatDoNotHelpBecomeRare(t *testing.T) {
	n := newSimNet(t, 9)
	nodes := n.joinAll("a", "b", "c")
	a, c := nodes[0], nodes[2]
	n.ready()
	c.store.deaf = func(_ *crdt.Delta, k crdt.Key) bool { return k == key(7) }
	a.store.admit(n.now, 7, 1)
	n.run(100e6)
	a.crash()
	n.run(90e9)
	if s := c.stats(); s.Repairs < 3 || s.Repairs > 12 {
		t.Errorf("%d repairs in 90 s that did not help, want few", s.Repairs)
	}
}

// More windows than one request lists, as limits of many widths have.
func TestRepairReachesEveryWindowOfManyWidths(t *testing.T) {
	n := newSimNet(t, 10)
	nodes := n.joinAll("a", "b")
	a, b := nodes[0], nodes[1]
	names := "abcdefghijklmnopqrst"
	for _, node := range nodes {
		for i, c := range names {
			node.store.widths[string(c)] = int64(60+i) * 1e9
		}
	}
	n.ready()
	b.store.deaf = func(_ *crdt.Delta, _ crdt.Key) bool { return true }
	for i, c := range names {
		a.store.admitTo(n.now, string(c), i, 1)
	}
	n.run(200e6)
	b.store.deaf = nil
	n.run(20e9)
	n.agree()
}
