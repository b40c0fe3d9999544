package sync

import (
	"testing"

	"github.com/distributed-rate-limiter/distributed-rate-limiter/crdt"
)

func TestEqualSeedsGiveEqualTraces(t *testing.T) {
	run := func(seed uint64) string {
		n := newSimNet(t, seed)
		nodes := n.joinAll("a", "b", "c")
		n.during = map[*simNode]func(){}
		for _, node := range nodes {
			n.during[node] = func() { node.store.admit(node.clock(), n.random.IntN(200), 1) }
		}
		n.lose = func(_, _ *simNode, _ Packet) bool { return n.random.IntN(10) == 0 }
		n.run(10e9)
		nodes[2].crash()
		n.run(10e9)
		n.join("d", 200e6)
		n.run(60e9)
		nodes[1].step(Input{Kind: InputClose})
		n.run(2e9)
		return n.trace.String()
	}
	first, again, other := run(1), run(1), run(2)
	if first != again {
		t.Error("one seed gave two traces")
	}
	if first == other || len(first) < 10_000 {
		t.Errorf("two seeds gave one trace, of %d bytes", len(first))
	}
}

func TestPeersAreSuspectedGivenUpAndWelcomedBack(t *testing.T) {
	n := newSimNet(t, 1)
	nodes := n.joinAll("a", "b")
	a, b := nodes[0], nodes[1]
	n.ready()
	if v := a.store.view(); v.Peers != 1 {
		t.Fatalf("view %+v, want one peer", v)
	}
	b.disconnect()
	silent := n.now
	last := a.engine.members.find(b.replica).heardAt
	n.until(4e9, "suspect", func() bool { return a.peer(b).State == PeerSuspect })
	if d := n.now - last; d < 3e9 || d > 3100e6 {
		t.Errorf("suspect after %.3f s of silence, want 3", float64(d)/1e9)
	}
	if v := a.store.view(); v.Peers != 1 {
		t.Errorf("view %+v: a suspect can still admit, and counts", v)
	}
	n.until(31e9, "gone", func() bool { return a.peer(b).State == PeerGone })
	if d := n.now - last; d < 30e9 || d > 30100e6 {
		t.Errorf("gone after %.3f s of silence, want 30", float64(d)/1e9)
	}
	if v := a.store.view(); v.Peers != 0 {
		t.Errorf("view %+v: who is gone counts no more", v)
	}
	b.connect()
	n.until(1e9, "back", func() bool { return a.peer(b).State == PeerAlive })
	if v := a.store.view(); v.Peers != 1 || silent == 0 {
		t.Errorf("view %+v, want one peer", v)
	}
	for kind, want := range map[EventKind]int{EventPeerJoined: 1, EventPeerSuspect: 1, EventPeerGone: 1, EventPeerBack: 1, EventPeerLeft: 0} {
		if got := a.logged(kind, b); got != want {
			t.Errorf("event %d: %d times, want %d", kind, got, want)
		}
	}
}

func TestPeerThatIsGoneIsForgotten(t *testing.T) {
	n := newSimNet(t, 2)
	nodes := n.joinAll("a", "b")
	n.ready()
	nodes[1].crash()
	n.run(160e9)
	// Nobody can tell a crash from a partition: it may be admitting, until an operator
	// says that it is not, or its node is heard again.
	a := nodes[0].engine
	if k := len(a.members.peers); k != 1 || !a.Status(n.now).Peers[0].Admits {
		t.Errorf("%d peers are remembered, want the silent one, which may be admitting", k)
	}
	if !a.Forget(n.now, "b") || a.Forget(n.now, "b") {
		t.Error("forget the silent node: want true, then false")
	}
	n.run(2e9)
	if k := len(a.members.peers); k != 0 {
		t.Errorf("%d peers are remembered", k)
	}
}

func TestByeRemovesAPeerAtOnceAfterItsLastWords(t *testing.T) {
	n := newSimNet(t, 3)
	nodes := n.joinAll("a", "b")
	a, b := nodes[0], nodes[1]
	n.ready()
	b.store.admit(n.now, 1, 5)
	b.step(Input{Kind: InputClose})
	b.crash()
	n.run(10e6)
	if p := a.peer(b); p.State != PeerGone || a.store.view().Peers != 0 {
		t.Errorf("%+v, view %+v", p, a.store.view())
	}
	if e := a.store.entries[memKey{"default", key(1)}]; e == nil || e.state.Count() != 5 {
		t.Error("what it admitted last did not arrive")
	}
	if a.logged(EventPeerLeft, b) != 1 || a.logged(EventPeerGone, b) != 0 {
		t.Errorf("events %+v", a.events)
	}
}

func TestClosedEngineIsSilent(t *testing.T) {
	n := newSimNet(t, 4)
	nodes := n.joinAll("a", "b")
	a, b := nodes[0], nodes[1]
	n.ready()
	b.step(Input{Kind: InputClose})
	n.run(lingerFor + 1)
	seen := 0
	n.watch = func(from *simNode, _ Packet, _ *Message) {
		if from == b {
			seen++
		}
	}
	b.step(Input{Kind: InputClose})
	b.store.admit(n.now, 1, 5)
	b.step(Input{Kind: InputUrgent})
	silent := a.engine.members.find(b.replica) // as if its bye had been lost, so that a asks it
	silent.left, silent.byeSeq, silent.state, silent.heardAt = false, 0, PeerAlive, n.now
	a.engine.missing(n.now, silent, silent.seq, silent.seq+1)
	silent.seq++
	a.engine.showPeers(now())
	delete(a.invariants.last, b.replica)
	n.run(5e9)
	if seen != 0 {
		t.Errorf("%d messages after the bye", seen)
	}
}

func TestOneWayPartitionIsLogged(t *testing.T) {
	n := newSimNet(t, 5)
	nodes := n.joinAll("a", "b", "c")
	a, b, c := nodes[0], nodes[1], nodes[2]
	n.ready()
	n.lose = func(from, to *simNode, _ Packet) bool { return from == a && to == b }
	n.run(6e9)
	if a.logged(EventOneWay, b) != 1 || a.peer(b).HearsUs || a.peer(b).State != PeerAlive {
		t.Errorf("a of b: %d events, %+v", a.logged(EventOneWay, b), a.peer(b))
	}
	if b.peer(a).State != PeerSuspect || a.logged(EventOneWay, c) != 0 || c.logged(EventOneWay, nil) != 0 {
		t.Errorf("b of a: %+v; a of c: %d; c: %d", b.peer(a), a.logged(EventOneWay, c), c.logged(EventOneWay, nil))
	}
	n.lose = nil
	n.run(3e9)
	if !a.peer(b).HearsUs || b.peer(a).State != PeerAlive {
		t.Error("not over when it was")
	}
}

func TestOneWayPartitionFromTheStartIsLogged(t *testing.T) {
	n := newSimNet(t, 6)
	n.lose = func(from, to *simNode, _ Packet) bool { return from.name == "a" && to.name == "b" }
	nodes := n.joinAll("a", "b")
	n.run(10e9)
	if got := nodes[0].logged(EventOneWay, nodes[1]); got != 1 {
		t.Errorf("told %d times that b never heard us, want once", got)
	}
}

func TestTwinIsLogged(t *testing.T) {
	n := newSimNet(t, 7)
	a, twin, b := n.join("a", 0), n.join("a", 0), n.join("b", 0)
	n.ready()
	if a.logged(EventTwin, twin) != 1 || twin.logged(EventTwin, a) != 1 || b.logged(EventTwin, nil) != 0 {
		t.Errorf("told %d, %d, %d times", a.logged(EventTwin, twin), twin.logged(EventTwin, a), b.logged(EventTwin, nil))
	}
	a.store.admit(n.now, 1, 5)
	twin.store.admit(n.now, 1, 7)
	n.run(100e6)
	n.agree() // two of one name overwrite nothing of each other's
	if e := b.store.entries[memKey{"default", key(1)}]; e.state.Count() != 12 {
		t.Errorf("b counts %d, want 12", e.state.Count())
	}
}

func TestSkewAndDelayAreEstimated(t *testing.T) {
	n := newSimNet(t, 8)
	n.delay = func(from, to *simNode) int64 {
		base := int64(from.replica+to.replica) * 1e6 // equal both ways
		return base + n.random.Int64N(5e6)
	}
	for i, s := range []int64{0, 700e6, -450e6, 3e6} {
		n.join(string(rune('a'+i)), s)
	}
	n.ready()
	n.run(60e9)
	for _, a := range n.nodes {
		for _, b := range n.nodes {
			if a == b {
				continue
			}
			p := a.peer(b)
			if d := p.Skew - (b.skew - a.skew); d < -1e6 || d > 1e6 {
				t.Errorf("%s of %s: skew %d µs, is %d", a.name, b.name, p.Skew/1e3, (b.skew-a.skew)/1e3)
			}
			base := int64(a.replica+b.replica) * 1e6
			if p.Delay < base-1e6 || p.Delay > base+2e6 {
				t.Errorf("%s of %s: delay %d µs, is %d at least", a.name, b.name, p.Delay/1e3, base/1e3)
			}
		}
	}
	// The largest of the delays, a's to d, is what decisions get to know.
	if v := n.nodes[0].store.view(); v.Peers != 3 || v.Delay < 4e6 || v.Delay > 7e6 {
		t.Errorf("view %+v, want 3 peers and 5 to 7 ms", v)
	}
	// A clock that is set right is noticed within two minutes.
	n.nodes[1].skew += 100e6
	n.run(130e9)
	if p := n.nodes[0].peer(n.nodes[1]); p.Skew < 799e6 || p.Skew > 801e6 {
		t.Errorf("skew %d µs, is 800000", p.Skew/1e3)
	}
}

func TestStalenessIsTheAgeOfWhatIsMerged(t *testing.T) {
	n := newSimNet(t, 9)
	a, b := n.join("a", 0), n.join("b", 400e6)
	n.ready()
	for range 50 {
		n.run(100e6)
		if s := a.peer(b).StaleFor; s > 1100e6 {
			t.Fatalf("%d ms behind an idle peer that beats every second", s/1e6)
		}
	}
	b.disconnect()
	n.run(10e9)
	if s := a.peer(b).StaleFor; s < 9900e6 || s > 11100e6 {
		t.Errorf("%d ms behind a peer that is silent for 10 s", s/1e6)
	}
}

func TestStormOfIncarnationsStaysBounded(t *testing.T) {
	p := newProbe(t, nil)
	const storm = 5000
	for i := range storm {
		r := crdt.Replica(1000 + i)
		p.hear(&Message{Kind: KindBeat, Node: "storm", Replica: r, Roots: []Root{{Replica: r, Window: Window{testWidth, simStart}, Digest: 5}}})
		if i%100 == 0 {
			p.tick(1e6)
		}
	}
	e := p.engine
	if len(e.members.peers) != MaxPeers {
		t.Errorf("%d peers are known, the cap is %d", len(e.members.peers), MaxPeers)
	}
	if got := e.Status(p.now).Stats.Dropped[DropPeers]; got != 2*(storm-MaxPeers) { // an echo and a beat each
		t.Errorf("%d dropped as too many, want %d", got, 2*(storm-MaxPeers))
	}
	if v := p.store.view(); v.Peers != MaxPeers {
		t.Errorf("view %+v", v)
	}
	p.sent = nil
	p.run(2e9)
	beats := 0
	for _, m := range p.sent {
		if m.Kind == KindBeat {
			beats++
		}
	}
	if beats == 0 {
		t.Error("no beat among so many peers") // newProbe checks the sizes
	}
	p.run(160e9)
	if len(e.members.peers) > 1 { // the last incarnation of that name may be admitting
		t.Errorf("%d peers are known long after the storm", len(e.members.peers))
	}
	p.hear(&Message{Kind: KindBeat, Node: "calm", Replica: 7})
	if e.members.find(7) == nil {
		t.Error("a new peer is not taken after the storm")
	}
}

// The largest beat that the caps allow is one that receivers take.
func TestLargestBeatFitsAMessage(t *testing.T) {
	p := newProbe(t, nil)
	for i := range 20 {
		p.store.widths[string(rune('a'+i))] = int64(60+i) * 1e9
	}
	for r := crdt.Replica(100); r < 100+MaxPeers; r++ {
		peer := p.hear(&Message{Kind: KindBeat, Node: "n", Replica: r, Joining: true})
		if r >= 120 {
			continue
		}
		// One that left, whose cells are listed.
		peer.left, peer.byeSeq, peer.state, peer.goneAt = true, 1, PeerGone, p.now
		for limit, width := range p.store.widths {
			start := p.now - p.now%width
			p.store.Merge(p.now, &crdt.Delta{Limit: limit, Replica: r, Width: width, Start: start, Rows: []crdt.Row{{
				Key:  key(int(r)),
				Cur:  crdt.Part{Origin: start, Count: crdt.Count{P: 1}},
				Prev: crdt.Part{Origin: start - width, Count: crdt.Count{P: 2000}}, // so that its window leaves some
			}}}, true, p.now)
		}
	}
	p.engine.join.ready, p.engine.join.announced = true, true
	p.sent = nil
	origins := 0
	for range 40 { // silence would make all peers suspect, and beats short
		p.run(100e6)
		for _, peer := range p.engine.members.peers {
			peer.heardAt = p.now
		}
	}
	beats := 0
	for _, m := range p.sent {
		if m.Kind == KindBeat {
			beats++
			origins += len(m.Origins)
		}
	}
	if beats < 4 || origins == 0 {
		t.Errorf("%d beats, %d digests of origins", beats, origins)
	}
}
