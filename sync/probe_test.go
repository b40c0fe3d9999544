package sync

import (
	"cmp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/distributed-rate-limiter/distributed-rate-limiter/crdt"
)

// probe is one engine whose peers the test plays, message by message.
type probe struct {
	t      testing.TB
	now    int64
	store  *memStore
	engine *Engine
	writer *writer
	reader *reader
	sent   []*Message // what the engine published
	to     []string   // on which subjects
	events []Event
	wake   int64

	strangers bool   // the peers do not show by themselves that they hear the engine
	beats     uint64 // of all peers together, so that their numbers rise

	invariants invariants
}

// newProbe makes an engine called probe, of incarnation 1, which is connected
// unless change is nil-safe said otherwise.
func newProbe(t testing.TB, change func(*Config)) *probe {
	t.Helper()
	p := newUnconnectedProbe(t, change)
	p.step(Input{Kind: InputConnected})
	return p
}

func newUnconnectedProbe(t testing.TB, change func(*Config)) *probe {
	t.Helper()
	cfg := Config{Node: "probe", Replica: 1, Seed: 1}
	if change != nil {
		change(&cfg)
	}
	secret := tagSecret([]byte(DefaultClusterKey), cmp.Or(cfg.Cluster, "default"))
	p := &probe{t: t, now: simStart, store: newMemStore(1), writer: newWriter(secret), reader: newReader(secret, cfg.Replica)}
	p.engine = NewEngine(cfg, p.store.store(), p.now)
	p.invariants.engine = p.engine
	return p
}

func (p *probe) step(in Input) {
	p.t.Helper()
	out := p.engine.Step(p.now, in)
	if broken := p.invariants.check(p.now); broken != "" {
		p.t.Fatal(broken)
	}
	for _, packet := range out.Packets {
		m, err := p.reader.decodeOn(packet)
		if err != nil {
			p.t.Fatalf("published on %s what does not decode: %v (%d bytes)", packet.Subject, err, len(packet.Data))
		}
		p.sent, p.to = append(p.sent, m), append(p.to, packet.Subject)
	}
	p.events = append(p.events, out.Events...)
	p.wake = out.Wake
}

func (p *probe) tick(d int64) {
	p.now += d
	p.step(Input{Kind: InputTick})
}

// run lets time pass, tick by tick as the engine wants them.
func (p *probe) run(d int64) {
	for end := p.now + d; p.now < end; {
		p.tick(min(max(1, p.wake-p.now), end-p.now))
	}
}

// hear delivers a message on its sender's own subject. A sender that was never heard shows
// first that it hears the engine, unless peers are strangers.
func (p *probe) hear(m *Message) *peer {
	p.t.Helper()
	if m.Sent == 0 {
		m.Sent = p.now - 1e6
	}
	if !p.strangers && m.Replica != p.engine.cfg.Replica && p.engine.members.find(m.Replica) == nil {
		p.confirm(m.Node, m.Replica, m.Sent-1)
	}
	p.hearOn(p.subjectOf(m), m)
	return p.engine.members.find(m.Replica)
}

// confirm lets a peer answer something, with an echo.
func (p *probe) confirm(node string, r crdt.Replica, sent int64) {
	p.t.Helper()
	m := &Message{Kind: KindSettled, Node: node, Replica: r, Sent: sent, Beat: p.engine.members.echoes.last}
	p.hearOn(p.subjectOf(m), m)
}

func (p *probe) subjectOf(m *Message) string {
	s := &p.engine.subjects
	if m.Kind.addressed() {
		return s.between(m.Kind, m.Node, m.Replica, p.engine.cfg.Node, p.engine.cfg.Replica)
	}
	return s.of(m.Kind, m.Node, m.Replica)
}

func (p *probe) hearOn(subject string, m *Message) {
	p.t.Helper()
	if m.Sent == 0 {
		m.Sent = p.now - 1e6
	}
	if m.Kind == KindBeat && m.Beat == 0 {
		p.beats++
		m.Beat = p.beats
	}
	if m.Kind.addressed() {
		m.To = p.engine.cfg.Replica
	}
	p.step(Input{Kind: InputPacket, Packet: Packet{Subject: subject, Data: p.writer.encode(m, nil)}})
}

// decodeOn reads a message whoever its receiver is.
func (r *reader) decodeOn(p Packet) (*Message, error) {
	if tokens := strings.Split(p.Subject, "."); len(tokens) == 8 {
		to, err := strconv.ParseUint(tokens[7], 36, 64)
		if err != nil {
			return nil, err
		}
		r.seals = newSeals(r.seals.everyone, crdt.Replica(to))
	}
	return r.decode(p.Data)
}

// asked is the requests published since it was last called.
func (p *probe) asked() []*Message {
	var out []*Message
	for _, m := range p.sent {
		if m.Kind == KindSnapshot || m.Kind == KindRepair {
			out = append(out, m)
		}
	}
	p.sent, p.to = nil, nil
	return out
}

func (p *probe) drops(why Drop) uint64 { return p.engine.Status(p.now).Stats.Dropped[why] }

func (p *probe) logged(kind EventKind) int {
	n := 0
	for _, ev := range p.events {
		if ev.Kind == kind {
			n++
		}
	}
	return n
}

// rowsFor is a delta of one client.
func rowsFor(of crdt.Replica, i int, cost uint64) []crdt.Delta {
	return []crdt.Delta{{
		Limit: "default", Replica: of, Width: testWidth, Start: simStart,
		Rows: []crdt.Row{{
			Key: key(i), Cur: crdt.Part{Origin: simStart, Count: crdt.Count{P: cost}}, Prev: crdt.Part{Origin: crdt.Never},
		}},
	}}
}

func (p *probe) count(i int) uint64 {
	if e := p.store.entries[memKey{"default", key(i)}]; e != nil {
		return e.state.Count()
	}
	return 0
}

func TestBroadcastSpeaksForItsSenderOnly(t *testing.T) {
	p := newProbe(t, nil)
	p.hear(&Message{Kind: KindDelta, Node: "b", Replica: 2, Seq: 1, Deltas: slices.Concat(rowsFor(0, 1, 5), rowsFor(3, 1, 7))})
	if p.count(1) != 5 || p.drops(DropSender) != 1 {
		t.Errorf("count %d, want the sender's own 5; dropped %d, want 1", p.count(1), p.drops(DropSender))
	}
	p.hear(&Message{Kind: KindDelta, Node: "b", Replica: 2, Seq: 2, Deltas: rowsFor(1, 1, 9)})
	if p.count(1) != 5 || p.drops(DropSender) != 2 {
		t.Errorf("rows of ourselves were taken from a peer: count %d, dropped %d", p.count(1), p.drops(DropSender))
	}
}

func TestSpoofedSenderIsDroppedAndCounted(t *testing.T) {
	p := newProbe(t, nil)
	for i, m := range []*Message{
		{Kind: KindDelta, Node: "c", Replica: 2, Seq: 1, Deltas: rowsFor(0, 1, 5)},
		{Kind: KindDelta, Node: "b", Replica: 3, Seq: 1, Deltas: rowsFor(0, 1, 5)},
		{Kind: KindBye, Node: "c", Replica: 3},
		{Kind: KindRows, Node: "c", Replica: 3},
		{Kind: KindSnapshot, Node: "c", Replica: 3, Request: 1},
	} {
		on := *m
		on.Node, on.Replica = "b", 2
		p.hearOn(p.subjectOf(&on), m)
		if got := p.drops(DropSender); got != uint64(i+1) {
			t.Errorf("message %d: %d dropped as spoofed", i, got)
		}
	}
	if p.count(1) != 0 || len(p.engine.members.peers) != 0 {
		t.Errorf("count %d, peers %d", p.count(1), len(p.engine.members.peers))
	}
	if p.logged(EventPacketBad) != 1 {
		t.Errorf("%d lines for five bad packets at one moment, want one", p.logged(EventPacketBad))
	}
}

func TestPacketsThatDoNotBelongAreDroppedByReason(t *testing.T) {
	p := newProbe(t, nil)
	good := p.writer.encode(&Message{Kind: KindBeat, Node: "b", Replica: 2, Sent: p.now}, nil)
	subject := p.engine.subjects.of(KindBeat, "b", 2)
	foreign := newWriter(testSecret).encode(&Message{Kind: KindBeat, Node: "b", Replica: 2, Sent: p.now}, nil)
	secret := tagSecret([]byte(DefaultClusterKey), "default")
	for _, c := range []struct {
		subject string
		data    []byte
		why     Drop
	}{
		{subject, foreign, DropTag},
		{subject, nil, DropTag},
		{subject, secret.seal([]byte{2}), DropVersion},
		{subject, secret.seal([]byte{1, 2}), DropMalformed},
		{subject, make([]byte, MaxMessage+1), DropOversize},
		{"ratelimit.v1.default.nonsense.b.2", good, DropSubject},
		{p.engine.subjects.of(KindDelta, "b", 2), good, DropMalformed}, // another kind than its subject's
		{subject + ".probe.1", good, DropSubject},                      // a broadcast to one
	} {
		before := p.drops(c.why)
		p.step(Input{Kind: InputPacket, Packet: Packet{Subject: c.subject, Data: c.data}})
		if got := p.drops(c.why); got != before+1 {
			t.Errorf("%s with %d bytes: not counted as %s", c.subject, len(c.data), c.why)
		}
	}
	p.hear(&Message{Kind: KindRepair, Node: "b", Replica: 2}) // no request number
	if p.drops(DropStale) != 1 {
		t.Errorf("a request without a number: %d", p.drops(DropStale))
	}
	var total uint64
	for _, n := range p.engine.Status(p.now).Stats.Dropped {
		total += n
	}
	if total != 9 {
		t.Errorf("%d drops of 9 packets", total)
	}
}

func TestOwnMessagesAreNeitherTakenNorCounted(t *testing.T) {
	p := newProbe(t, nil)
	p.hear(&Message{Kind: KindDelta, Node: "probe", Replica: 1, Seq: 9, Deltas: rowsFor(0, 1, 5)})
	p.hear(&Message{Kind: KindRows, Node: "probe", Replica: 1, Request: 1, Last: true, Done: true})
	if p.count(1) != 0 || len(p.engine.members.peers) != 0 {
		t.Errorf("count %d, peers %d", p.count(1), len(p.engine.members.peers))
	}
	for why, n := range p.engine.Status(p.now).Stats.Dropped {
		if n != 0 {
			t.Errorf("%d dropped as %s", n, why)
		}
	}
}

func TestUnaskedRowsAreNotMerged(t *testing.T) {
	p := newProbe(t, nil)
	p.hear(&Message{Kind: KindRows, Node: "b", Replica: 2, Request: 77, Deltas: rowsFor(3, 1, 5), Last: true, Done: true})
	if p.count(1) != 0 {
		t.Error("rows of another replica were taken though nobody asked")
	}
}
