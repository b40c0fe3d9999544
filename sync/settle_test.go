package sync

import (
	"slices"
	"testing"

	"github.com/distributed-rate-limiter/distributed-rate-limiter/crdt"
)

// ended waits until no settlement of the node's is under way.
func (n *simNet) ended(node *simNode) {
	n.t.Helper()
	n.until(5e9, "nothing is left to settle elsewhere", func() bool { return len(node.store.elsewhere) == 0 })
}

func TestSettlementReachesTheReplicaThatCharged(t *testing.T) {
	n := newSimNet(t, 1)
	nodes := n.joinAll("a", "b", "c")
	a, b, c := nodes[0], nodes[1], nodes[2]
	n.ready()
	seen := n.record()
	b.store.reserve(7, 10)
	c.store.reserve(7, 20)
	c.store.reserve(8, 3)
	c.store.reserve(10, 3)
	a.store.pass(c.replica, 8, 5, n.now+10e9)
	a.store.pass(b.replica, 7, 4, n.now+10e9)
	a.store.pass(c.replica, 7, 0, n.now+10e9)
	a.store.pass(c.replica, 9, 1, n.now+10e9)
	a.store.pass(c.replica, 10, 1000, n.now+10e9)
	n.ended(a)

	if len(seen[KindSettle]) != 2 || len(seen[KindSettled]) != 2 {
		t.Errorf("%d requests and %d answers, want one for each replica", len(seen[KindSettle]), len(seen[KindSettled]))
	}
	got := map[crdt.Replica][]Settled{}
	for i, s := range a.store.answers {
		got[a.store.answerers[i]] = append(got[a.store.answerers[i]], s)
	}
	if want := []Settled{{ID: 7, Back: 6, Known: true}}; !slices.Equal(got[b.replica], want) {
		t.Errorf("b answers %+v, want %+v", got[b.replica], want)
	}
	if want := []Settled{{ID: 8, Back: -2, Known: true}, {ID: 7, Back: 20, Known: true}, {ID: 9}, {ID: 10, Back: -100, NotCharged: 897, Known: true}}; !slices.Equal(got[c.replica], want) {
		t.Errorf("c answers %+v, want %+v", got[c.replica], want)
	}
	if len(b.store.answers)+len(c.store.answers) > 0 {
		t.Error("an answer reached who did not ask")
	}
	for _, node := range nodes {
		s := node.stats()
		if sent, got := s.Sent[KindSettle].Messages, s.Received[KindSettled].Messages; node == a && (sent != 2 || got != 2) || node != a && sent+got != 0 {
			t.Errorf("%s counts %d requests sent and %d answers", node.name, sent, got)
		}
		if got, sent := s.Received[KindSettle].Messages, s.Sent[KindSettled].Messages; node != a && (got != 1 || sent != 1) || node == a && got+sent != 0 {
			t.Errorf("%s counts %d requests taken and %d answered", node.name, got, sent)
		}
	}
}

func TestSettlementDoesNotWaitForTheFlush(t *testing.T) {
	p := newProbe(t, nil)
	p.hear(&Message{Kind: KindBeat, Node: "b", Replica: 2})
	p.tick(1e6)
	p.sent, p.to = nil, nil
	p.store.pass(2, 7, 4, p.now+10e9)
	p.step(Input{Kind: InputUrgent})
	if len(p.sent) != 1 || p.sent[0].Kind != KindSettle || p.to[0] != "ratelimit.v1.default.settle.probe.1.b.2" {
		t.Errorf("sent %+v on %v, want a request to settle at once", p.sent, p.to)
	}
	p.sent = nil
	p.step(Input{Kind: InputUrgent})
	if slices.ContainsFunc(p.sent, func(m *Message) bool { return m.Kind == KindSettle }) {
		t.Error("asked again before the store says that it is due")
	}
}

func TestLostRequestOrAnswerIsRepeatedAndSettlesOnce(t *testing.T) {
	for _, kind := range []Kind{KindSettle, KindSettled} {
		n := newSimNet(t, 2)
		nodes := n.joinAll("a", "b")
		a, b := nodes[0], nodes[1]
		n.ready()
		seen := n.record()
		lost := 0
		n.lose = func(_, _ *simNode, p Packet) bool {
			if a.kindOf(p) != kind || lost == 3 {
				return false
			}
			lost++
			return true
		}
		b.store.reserve(7, 10)
		a.store.pass(b.replica, 7, 4, n.now+10e9)
		n.ended(a)
		if len(seen[KindSettle]) != 4 || b.store.settles != 1 {
			t.Errorf("%v lost: %d requests settled %d times, want 4 and once", kind, len(seen[KindSettle]), b.store.settles)
		}
		for _, m := range seen[KindSettled] {
			if want := []Settled{{ID: 7, Back: 6, Known: true}}; !slices.Equal(m.Settled, want) {
				t.Errorf("%v lost: answered %+v, want %+v each time", kind, m.Settled, want)
			}
		}
		if len(a.store.answers) != 1 {
			t.Errorf("%v lost: %d answers arrived", kind, len(a.store.answers))
		}
	}
}

func TestRepeatedRequestSettlesOnce(t *testing.T) {
	p := newProbe(t, nil)
	p.store.reserve(7, 10)
	m := &Message{Kind: KindSettle, Node: "b", Replica: 2, Of: 1, Settlements: []Settlement{{ID: 7, Actual: 4}, {ID: 7, Actual: 9}}}
	for i := range uint64(3) {
		m.Request = i + 1
		p.hear(m)
		p.hear(m) // recorded
	}
	answers := 0
	for i, a := range p.sent {
		if a.Kind != KindSettled {
			continue
		}
		answers++
		if want := (Settled{ID: 7, Back: 6, Known: true}); !slices.Equal(a.Settled, []Settled{want, want}) || p.to[i] != "ratelimit.v1.default.settled.probe.1.b.2" || a.Request != uint64(answers) {
			t.Errorf("answered %+v on %s, want %+v twice", a.Settled, p.to[i], want)
		}
	}
	if answers != 3 || p.store.settles != 1 {
		t.Errorf("%d answers, settled %d times, want 3 and once", answers, p.store.settles)
	}
	if n := p.drops(DropStale); n != 3 {
		t.Errorf("%d recorded requests were dropped, want 3", n)
	}
}

func TestRequestToADeadReplicaIsNotSentAndGivenUp(t *testing.T) {
	n := newSimNet(t, 3)
	nodes := n.joinAll("a", "b", "c")
	a, b, c := nodes[0], nodes[1], nodes[2]
	n.ready()
	b.crash()
	c.step(Input{Kind: InputClose})
	c.crash()
	n.run(32e9)
	if a.peer(b).State != PeerGone || a.peer(c).State != PeerGone {
		t.Fatalf("b is %v, c is %v, want both gone", a.peer(b).State, a.peer(c).State)
	}
	seen := n.record()
	peers := len(a.engine.members.peers)
	for id := range uint64(3 * maxSettlements) {
		a.store.pass(b.replica, id, 1, n.now+2e9)
		a.store.pass(c.replica, id, 1, n.now+2e9)
		a.store.pass(99, id, 1, n.now+2e9) // nobody
	}
	n.ended(a)
	if len(seen[KindSettle]) != 0 || len(a.engine.members.peers) != peers {
		t.Errorf("%d requests to the dead, %d peers where %d were", len(seen[KindSettle]), len(a.engine.members.peers), peers)
	}
}

// A suspect may only be cut off, and hear again before it is gone.
func TestSettlementOutlastsASilence(t *testing.T) {
	n := newSimNet(t, 4)
	nodes := n.joinAll("a", "b")
	a, b := nodes[0], nodes[1]
	n.ready()
	b.store.reserve(7, 10)
	b.disconnect()
	n.until(5e9, "suspect", func() bool { return a.peer(b).State == PeerSuspect })
	a.store.pass(b.replica, 7, 4, n.now+60e9)
	n.run(1e9)
	b.connect()
	n.ended(a)
	if b.store.settles != 1 || len(a.store.answers) != 1 {
		t.Errorf("settled %d times, %d answers", b.store.settles, len(a.store.answers))
	}
}

func TestNothingIsAskedWhileDisconnected(t *testing.T) {
	n := newSimNet(t, 5)
	nodes := n.joinAll("a", "b")
	a, b := nodes[0], nodes[1]
	n.ready()
	b.store.reserve(7, 10)
	a.disconnect()
	a.store.pass(b.replica, 7, 4, n.now+60e9)
	n.run(500e6)
	if a.store.elsewhere[0].sent != 0 || a.astray != 0 {
		t.Errorf("asked %d times, %d packets astray", a.store.elsewhere[0].sent, a.astray)
	}
	a.connect()
	n.ended(a)

	// Nor is anything settled whose answer could not leave.
	p := newUnconnectedProbe(t, nil)
	p.store.reserve(7, 10)
	p.hear(&Message{Kind: KindSettle, Node: "b", Replica: 2, Of: 1, Settlements: []Settlement{{ID: 7, Actual: 4}}})
	if p.store.settles != 0 || len(p.sent) != 0 {
		t.Errorf("settled %d times, sent %+v", p.store.settles, p.sent)
	}
}

func TestNodeThatStopsPassesItsSettlementsOn(t *testing.T) {
	n := newSimNet(t, 6)
	nodes := n.joinAll("a", "b")
	a, b := nodes[0], nodes[1]
	n.ready()
	b.store.reserve(7, 10)
	a.store.pass(b.replica, 7, 4, n.now+60e9)
	a.step(Input{Kind: InputClose})
	n.run(100e6)
	if b.store.settles != 1 || b.peer(a).State != PeerGone {
		t.Errorf("settled %d times, and a is %v", b.store.settles, b.peer(a).State)
	}
}

func TestSettlementsOfOneStepAreCapped(t *testing.T) {
	p := newProbe(t, nil)
	p.hear(&Message{Kind: KindBeat, Node: "b", Replica: 2})
	p.tick(1e6)
	for id := range uint64(maxSettlements + 10) {
		p.store.pass(2, id, 1<<60, p.now+60e9)
	}
	var asked []int
	p.sent, p.to = nil, nil
	p.tick(1e6)
	p.tick(1e6)
	for _, m := range p.sent {
		if m.Kind == KindSettle {
			asked = append(asked, len(m.Settlements))
			if m.Settlements[0].Actual != crdt.MaxTotal {
				t.Errorf("a cost of %d is on the wire, above all totals", m.Settlements[0].Actual)
			}
		}
	}
	if !slices.Equal(asked, []int{maxSettlements, 10}) {
		t.Errorf("asked for %v, want a message's most and then the rest", asked)
	}
}

func TestForeignSettlementsAreDroppedByReason(t *testing.T) {
	p := newProbe(t, nil)
	p.store.reserve(7, 10)
	m := &Message{Kind: KindSettle, Node: "b", Replica: 2, Sent: p.now, Of: 1, Settlements: []Settlement{{ID: 7, Actual: 4}}}
	other := *m
	other.Of = 3
	answer := &Message{Kind: KindSettled, Node: "b", Replica: 2, Sent: p.now, Settled: []Settled{{ID: 7, Back: 6, Known: true}}}
	m.To, other.To, answer.To = 1, 1, 1
	m.Request, other.Request = 5, 6
	from := p.engine.subjects
	subject := from.between(KindSettle, "b", 2, "probe", 1)
	p.confirm("b", 2, p.now-1)
	replayed := *m
	replayed.Request = 0
	elsewhere := *m
	elsewhere.To = 3
	stranger := *m
	stranger.Node, stranger.Replica = "c", 3
	p.store.answers, p.store.answerers = nil, nil
	for what, c := range map[string]struct {
		subject string
		data    []byte
		why     Drop
	}{
		"another cluster":                 {newSubjects("ratelimit", "other").between(KindSettle, "b", 2, "probe", 1), p.writer.encode(m, nil), DropSubject},
		"another key":                     {subject, newWriter(testSecret).encode(m, nil), DropTag},
		"a request to another replica":    {subject, p.writer.encode(&elsewhere, nil), DropTag},
		"another replica's reservations":  {subject, p.writer.encode(&other, nil), DropSubject},
		"a request that was made before":  {subject, p.writer.encode(&replayed, nil), DropStale},
		"a request of a stranger":         {from.between(KindSettle, "c", 3, "probe", 1), p.writer.encode(&stranger, nil), DropStale},
		"a request as a broadcast":        {from.of(KindSettle, "b", 2), p.writer.encode(m, nil), DropSubject},
		"a request on the repair subject": {from.between(KindRepair, "b", 2, "probe", 1), p.writer.encode(m, nil), DropMalformed},
		"an answer as a broadcast":        {from.of(KindSettled, "b", 2), p.writer.encode(answer, nil), DropSubject},
		"an answer on the settle subject": {subject, p.writer.encode(answer, nil), DropMalformed},
		"an answer under another key":     {from.between(KindSettled, "b", 2, "probe", 1), newWriter(testSecret).encode(answer, nil), DropTag},
	} {
		before := p.drops(c.why)
		p.step(Input{Kind: InputPacket, Packet: Packet{Subject: c.subject, Data: c.data}})
		if p.drops(c.why) != before+1 {
			t.Errorf("%s is not dropped as %v", what, c.why)
		}
	}
	if p.store.settles != 0 || len(p.store.answers) != 0 {
		t.Errorf("settled %d times, %d answers taken", p.store.settles, len(p.store.answers))
	}
	for _, m := range p.sent {
		if m.Kind == KindSettled {
			t.Errorf("answered %+v", m)
		}
	}
	p.hear(answer)
	if !slices.Equal(p.store.answers, answer.Settled) || p.store.answerers[0] != 2 {
		t.Errorf("the answer came as %+v", p.store.answers)
	}
}
