package sync

import (
	"fmt"
	"testing"

	"github.com/distributed-rate-limiter/distributed-rate-limiter/crdt"
)

// readyAt runs until the engine is ready and returns how long that took.
func (p *probe) readyAt(most int64) int64 {
	p.t.Helper()
	for began := p.now; ; p.tick(min(max(1, p.wake-p.now), 10e6)) {
		if p.engine.Ready() {
			if p.logged(EventReady) != 1 {
				p.t.Errorf("told %d times", p.logged(EventReady))
			}
			return p.now - began
		}
		if p.now-began > most {
			p.t.Fatalf("not ready after %.1f s", float64(p.now-began)/1e9)
		}
	}
}

func between(t *testing.T, what string, got, low, high int64) {
	t.Helper()
	if got < low || got > high {
		t.Errorf("%s after %d ms, want %d to %d", what, got/1e6, low/1e6, high/1e6)
	}
}

func TestAloneIsReadyAtOnce(t *testing.T) {
	p := newUnconnectedProbe(t, func(c *Config) { c.Alone = true })
	if !p.engine.Ready() || !p.engine.Status(p.now).Ready {
		t.Error("a node without peers waits")
	}
	p.run(6e9)
	if p.logged(EventReady) != 1 || p.events[0].Detail != "no peers are expected" {
		t.Errorf("told %+v", p.events)
	}
}

// Whoever expects nobody may be the restarted first node of a cluster that grew: what
// its last incarnation admitted is known to the others.
func TestAloneTakesASnapshotFromPeersThatAreThere(t *testing.T) {
	p := newProbe(t, func(c *Config) { c.Alone = true })
	p.hear(&Message{Kind: KindBeat, Node: "b", Replica: 2})
	asked := p.asked()
	if len(asked) != 1 || asked[0].Kind != KindSnapshot {
		t.Fatalf("asked %+v", asked)
	}
	for _, m := range p.sent {
		if m.Kind == KindBeat && !m.Joining {
			t.Error("it says that it has joined, so that others take its snapshot for whole")
		}
	}
	p.hear(&Message{Kind: KindRows, Node: "b", Replica: 2, Request: asked[0].Request, Deltas: rowsFor(99, 1, 5), Last: true, Done: true})
	if p.count(1) != 5 || p.logged(EventReady) != 1 {
		t.Errorf("count %d, told %d times", p.count(1), p.logged(EventReady))
	}
}

func TestAloneIsIsolatedOnceItLostOthers(t *testing.T) {
	p := newUnconnectedProbe(t, func(c *Config) { c.Alone = true })
	if p.engine.Status(p.now).Isolated {
		t.Error("isolated from nobody")
	}
	p.step(Input{Kind: InputConnected})
	p.hear(&Message{Kind: KindBeat, Node: "b", Replica: 2, Heard: []Heard{{Replica: 1}}})
	p.step(Input{Kind: InputDisconnected})
	if !p.engine.Status(p.now).Isolated {
		t.Error("not isolated, though it heard another and is cut off")
	}
}

func TestReadyTwoSecondsAfterConnectingWhereNobodyIsHeard(t *testing.T) {
	p := newUnconnectedProbe(t, nil)
	p.run(1500e6)
	p.step(Input{Kind: InputConnected})
	between(t, "ready", p.readyAt(6e9), 2000e6, 2060e6)
	if p.engine.Status(p.now).Partial {
		t.Error("partial, though there was nobody")
	}
}

func TestReadyFiveSecondsAfterTheStartWithoutANetwork(t *testing.T) {
	p := newUnconnectedProbe(t, nil)
	between(t, "ready", p.readyAt(6e9), 5000e6, 5060e6)
	if s := p.engine.Status(p.now); s.Connected || s.Partial {
		t.Errorf("connected %v, partial %v", s.Connected, s.Partial)
	}
}

func TestReadyWithinFiveSecondsThoughConnectedLate(t *testing.T) {
	p := newUnconnectedProbe(t, nil)
	p.run(4e9)
	p.step(Input{Kind: InputConnected})
	between(t, "ready", p.readyAt(6e9), 1000e6, 1060e6)
}

func TestReadyWhenAllPeersAreJoining(t *testing.T) {
	p := newProbe(t, nil)
	p.hear(&Message{Kind: KindBeat, Node: "b", Replica: 2, Joining: true})
	p.hear(&Message{Kind: KindBeat, Node: "c", Replica: 3, Joining: true})
	between(t, "ready", p.readyAt(6e9), 1, 400e6)
	if n := len(p.asked()); n != 0 {
		t.Errorf("%d requests to peers that know nothing either", n)
	}
}

func TestReadyByASnapshotOfAReadyPeer(t *testing.T) {
	p := newProbe(t, nil)
	p.hear(&Message{Kind: KindBeat, Node: "b", Replica: 2})
	asked := p.asked()
	if len(asked) != 1 || asked[0].Kind != KindSnapshot || asked[0].Of != 0 {
		t.Fatalf("asked %+v, want one snapshot of all", asked)
	}
	p.tick(100e6)
	if p.engine.Ready() {
		t.Fatal("ready before the snapshot is in")
	}
	// Two answers: the first one says that there is more.
	next := Cursor{Partition: 100, Index: 3}
	p.hear(&Message{Kind: KindRows, Node: "b", Replica: 2, Request: asked[0].Request, Seq: 4, Deltas: rowsFor(2, 1, 5), Next: next, Last: true})
	more := p.asked()
	if len(more) != 1 || more[0].Kind != KindSnapshot || more[0].Cursor != next || p.engine.Ready() {
		t.Fatalf("asked %+v, ready %v, want the snapshot from %v on", more, p.engine.Ready(), next)
	}
	// Rows of a replica that is dead already: only a peer can tell of it.
	p.hear(&Message{Kind: KindRows, Node: "b", Replica: 2, Request: more[0].Request, Seq: 4, Deltas: rowsFor(99, 2, 7), Last: true, Done: true})
	if !p.engine.Ready() || p.count(1) != 5 || p.count(2) != 7 {
		t.Errorf("ready %v, counts %d and %d, want 5 and 7", p.engine.Ready(), p.count(1), p.count(2))
	}
	if p.engine.Status(p.now).Partial || p.logged(EventReady) != 1 {
		t.Errorf("partial %v, told %d times", p.engine.Status(p.now).Partial, p.logged(EventReady))
	}
}

// A peer may begin to join between its beat and its answer, as a restarted one does.
func TestSnapshotOfAJoiningPeerIsPartial(t *testing.T) {
	p := newProbe(t, nil)
	p.hear(&Message{Kind: KindBeat, Node: "b", Replica: 2})
	first := p.asked()
	p.hear(&Message{Kind: KindBeat, Node: "c", Replica: 3})
	if n := len(p.asked()); n != 0 {
		t.Fatalf("%d requests beside one that is under way", n)
	}
	p.hear(&Message{Kind: KindRows, Node: "b", Replica: 2, Request: first[0].Request, Joining: true, Deltas: rowsFor(2, 1, 5), Last: true, Done: true})
	if p.engine.Ready() || p.count(1) != 5 {
		t.Fatalf("ready %v, count %d: the rows count, but are not all", p.engine.Ready(), p.count(1))
	}
	p.tick(10e6)
	second := p.asked()
	if len(second) != 1 || p.engine.members.find(3).request.id != second[0].Request {
		t.Fatalf("asked %+v, want the other peer", second)
	}
	p.hear(&Message{Kind: KindRows, Node: "c", Replica: 3, Request: second[0].Request, Last: true, Done: true})
	if !p.engine.Ready() {
		t.Error("not ready after a whole snapshot")
	}
}

func TestAnotherPeerIsAskedWhenOneFallsSilent(t *testing.T) {
	p := newProbe(t, nil)
	p.hear(&Message{Kind: KindBeat, Node: "b", Replica: 2})
	p.hear(&Message{Kind: KindBeat, Node: "c", Replica: 3})
	first := p.asked()
	if len(first) != 1 {
		t.Fatalf("asked %+v", first)
	}
	began := p.now
	for p.engine.members.find(3).request.id == 0 {
		if p.tick(10e6); p.now-began > 2e9 {
			t.Fatal("the other peer is not asked")
		}
	}
	between(t, "asked", p.now-began, requestTimeout, requestTimeout+100e6)
	if got := p.engine.Status(p.now).Stats.Timeouts; got != 1 {
		t.Errorf("%d timeouts, want 1", got)
	}
	// A late answer to what was given up is not taken for a whole snapshot.
	p.hear(&Message{Kind: KindRows, Node: "b", Replica: 2, Request: first[0].Request, Last: true, Done: true})
	if p.engine.Ready() {
		t.Error("ready by an answer that was given up")
	}
}

func TestReadyFiveSecondsAfterTheStartThoughNoPeerAnswers(t *testing.T) {
	p := newProbe(t, nil)
	began := p.now
	for !p.engine.Ready() && p.now-began < 6e9 {
		p.hear(&Message{Kind: KindBeat, Node: "b", Replica: 2})
		p.run(500e6)
	}
	between(t, "ready", p.now-began, 5000e6, 5600e6)
	if !p.engine.Status(p.now).Partial {
		t.Error("not partial, though there was somebody to tell")
	}
}

// An answer that says "more" and never moves on must not be asked for in a tight
// circle.
func TestAnswerThatDoesNotMoveOnIsGivenUp(t *testing.T) {
	p := newProbe(t, nil)
	p.hear(&Message{Kind: KindBeat, Node: "b", Replica: 2})
	asks := 0
	for range 100 {
		asked := p.asked()
		asks += len(asked)
		for _, m := range asked {
			p.hear(&Message{Kind: KindRows, Node: "b", Replica: 2, Request: m.Request, Next: m.Cursor, Last: true})
		}
		p.tick(1e6)
	}
	if asks > 3 {
		t.Errorf("%d requests in 100 ms that led nowhere", asks)
	}
}

func TestLateJoinerHoldsAllWhenItIsReady(t *testing.T) {
	n := newSimNet(t, 1)
	nodes := n.joinAll("a", "b", "dead")
	n.ready()
	nodes[0].store.set(n.now, "login", "five a minute") // a limit that the joiner does not know
	n.run(100e6)
	for i := range 30_000 {
		nodes[i%3].store.admit(n.now, i, 1+uint64(i%5))
		if i%10 == 0 {
			nodes[i%3].store.admitTo(n.now, "login", i, 1)
		}
	}
	n.run(300e6)
	n.agree()
	nodes[2].crash()
	n.run(500e6)
	seen := n.record()
	d := n.join("d", 300e6)
	n.until(6e9, "ready", d.engine.Ready)
	if d.store.holds(n.now) != nodes[0].store.holds(n.now) {
		t.Error("ready without all that a ready peer holds")
	}
	if asks, pages := seen[KindSnapshot], len(seen[KindRows]); len(asks) != 1+(pages-1)/mostPages || pages < 10 {
		t.Errorf("%d requests for 33,000 rows, which came in %d messages", len(asks), pages)
	}
	for i, m := range seen[KindRows] {
		if m.rowsOf() == 0 && len(m.Regs) == 0 && !m.Done {
			t.Errorf("message %d of the answer is empty", i)
		}
	}
	if s := d.stats(); s.Repairs != 0 || s.Timeouts != 0 {
		t.Errorf("repairs %d, timeouts %d after a snapshot", s.Repairs, s.Timeouts)
	}
	n.run(3e9)
	n.agree()
}

// Decisions go on while a snapshot is under way.
func TestJoinUnderLoadEndsEqual(t *testing.T) {
	n := newSimNet(t, 2)
	nodes := n.joinAll("a", "b")
	n.ready()
	for i := range 20_000 {
		nodes[i%2].store.admit(n.now, i, 1)
	}
	n.during = map[*simNode]func(){}
	for _, node := range nodes {
		n.during[node] = func() { node.store.admit(node.clock(), n.random.IntN(20_000), 1) }
	}
	n.run(1e9)
	d := n.join("d", -200e6)
	n.until(6e9, "ready", d.engine.Ready)
	n.during = nil
	n.run(3e9)
	n.agree()
}

// More incarnations than one message has groups have touched one client.
func TestSnapshotOfAClientOfManyReplicasEnds(t *testing.T) {
	n := newSimNet(t, 3)
	a := n.join("a", 0)
	n.run(3e9)
	for r := crdt.Replica(1000); r < 1000+3*maxGroups; r++ {
		d := rowsFor(r, 1, 1)[0]
		d.Start = n.now - n.now%testWidth
		a.store.Merge(n.now, &d, true, n.now)
	}
	d := n.join("d", 0)
	n.until(6e9, "ready", d.engine.Ready)
	if d.engine.Status(n.now).Partial {
		t.Error("ready without a snapshot")
	}
	n.run(1e9)
	n.agree()
}

// Nodes that start together ask different peers, so that none has to give all snapshots.
func TestNodesThatStartTogetherAskDifferentPeers(t *testing.T) {
	n := newSimNet(t, 9)
	for i := range 5 {
		n.join(fmt.Sprint("old", i), 0)
	}
	n.ready()
	givers, questions := map[crdt.Replica]int{}, 0
	n.watch = func(_ *simNode, _ Packet, m *Message) {
		if m.Kind == KindSnapshot && m.Cursor == (Cursor{}) {
			givers[m.To]++
			questions++
		}
	}
	for i := range 20 {
		n.join(fmt.Sprint("new", i), 0)
	}
	n.ready()
	for r, asked := range givers {
		if asked > questions/2 || r > 5 {
			t.Errorf("%d of %d questions went to %d", asked, questions, r)
		}
	}
	if len(givers) < 4 || questions < 20 {
		t.Errorf("asked %v", givers)
	}
}
