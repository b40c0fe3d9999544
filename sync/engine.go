package sync

import (
	"fmt"
	"math/rand/v2"

	"github.com/distributed-rate-limiter/distributed-rate-limiter/crdt"
)

// Input is one thing that happens to an Engine.
type Input struct {
	Kind   InputKind
	Packet Packet // InputPacket
	Err    error  // InputDisconnected
}

// InputKind says what happened.
type InputKind uint8

// The inputs. A tick is due at Output.Wake at the latest, and never does harm.
const (
	InputTick InputKind = iota
	InputPacket
	InputUrgent // some client's unsent cost reached its quantum
	InputConnected
	InputDisconnected
	InputClose // flush, say bye
)

// Output is what a step wants done. It is valid until the next step.
type Output struct {
	Packets []Packet // to publish, in this order
	Events  []Event  // to log
	Wake    int64    // when the next tick is due, own clock
}

// Event is a change worth a line in a log.
type Event struct {
	Kind    EventKind
	Node    string
	Replica crdt.Replica
	Detail  string
}

// EventKind is what an Event tells.
type EventKind uint8

// The events.
const (
	EventPeerJoined EventKind = iota
	EventPeerSuspect
	EventPeerGone
	EventPeerBack
	EventPeerLeft
	EventOneWay      // the peer does not hear us
	EventTwin        // another live node has our name
	EventOtherLimits // the peer is configured with other limits
	EventReady       // a snapshot was merged, or nobody is there or expected to give one
	EventPacketBad   // a packet was refused; at most one a second
)

// Engine is the protocol as a step function: equal inputs at equal times give equal
// outputs. It starts no goroutine, reads no clock and does no I/O. Not safe for
// concurrent use: Loop is its rim in a real node, a simulator may be another.
type Engine struct {
	cfg      Config
	store    Store
	subjects subjects
	random   *rand.Rand
	reader   *reader
	writer   *writer
	inbox    string
	batch    Batch

	started   int64
	connected bool
	closed    bool
	seq       uint64
	requests  uint64
	peers     peers
	roster    roster
	view      View
	join      joining
	origins   origins

	nextFlush  int64
	nextBeat   int64
	urgent     bool
	lastUrgent int64
	nextLimits int64
	nextBadLog int64
	nextForget int64

	out   Output
	stats Stats
}

// NewEngine makes an engine that starts at now. inbox is the subject on which
// answers reach it.
func NewEngine(cfg Config, store Store, now int64, inbox string) *Engine {
	cfg = cfg.withDefaults()
	secret := NewSecret(cfg.Key, "message tag")
	e := &Engine{
		cfg: cfg, store: store, inbox: inbox,
		subjects: newSubjects(cfg.Prefix, cfg.Cluster),
		random:   cfg.random(),
		reader:   newReader(secret), writer: newWriter(secret),
		started: now, nextFlush: now + int64(cfg.Interval), nextBeat: now,
	}
	e.stats.init()
	e.join.start(now)
	e.regroup(now)
	return e
}

// Subjects lists what a transport has to deliver to this engine, besides its inbox.
func (e *Engine) Subjects() []string {
	var out []string
	for _, k := range []Kind{KindDelta, KindBeat, KindLimits, KindReset, KindBye} {
		out = append(out, e.subjects.broadcast(k))
	}
	for _, k := range []Kind{KindRepair, KindSnapshot, KindSettle} {
		out = append(out, e.subjects.of(k, e.cfg.Node, e.cfg.Replica))
	}
	return out
}

// Step takes one input at time now, the node's clock, which never steps back.
func (e *Engine) Step(now int64, in Input) *Output {
	e.out.Packets, e.out.Events = e.out.Packets[:0], e.out.Events[:0]
	switch in.Kind {
	case InputPacket:
		if !e.closed {
			e.receive(now, in.Packet)
		}
	case InputUrgent:
		e.urgent = true
	case InputConnected:
		e.connected = true
		e.nextBeat = now
		e.join.connected(now)
	case InputDisconnected:
		e.connected = false
	case InputClose:
		e.close(now)
	case InputTick:
	}
	e.tick(now)
	return &e.out
}

func (e *Engine) tick(now int64) {
	if e.closed {
		e.out.Wake = crdt.End
		return
	}
	e.age(now)
	e.regroup(now)
	if e.connected {
		if e.urgent && now-e.lastUrgent >= int64(e.cfg.UrgentGap) {
			e.urgent, e.lastUrgent = false, now
			e.flush(now, true)
		}
		if now >= e.nextFlush {
			e.flush(now, false)
		}
		e.shareLimits(now)
		if resets := e.store.Resets(now, true); len(resets) > 0 {
			e.sendResets(now, resets)
		}
		e.repairs(now)
		e.settlements(now)
		if now >= e.nextBeat {
			e.beat(now)
		}
	}
	if now >= e.nextFlush {
		e.nextFlush = now + int64(e.cfg.Interval)
	}
	e.join.tick(e, now)
	e.out.Wake = e.wake(now)
}

func (e *Engine) wake(now int64) int64 {
	wake := e.nextFlush
	if e.connected {
		wake = min(wake, e.nextBeat)
		if e.urgent {
			wake = min(wake, e.lastUrgent+int64(e.cfg.UrgentGap))
		}
	}
	return max(wake, now+1)
}

// mostFlush caps the messages of one flush, so that a step stays short.
const mostFlush = 64

func (e *Engine) flush(now int64, urgent bool) {
	for range mostFlush {
		e.batch.Reset()
		more := e.store.Collect(now, e.seq+1, urgent, &e.batch)
		if !e.batch.Empty() {
			e.seq++
			e.broadcast(now, &Message{Kind: KindDelta, Seq: e.seq}, &e.batch)
		}
		if !more {
			return
		}
	}
}

func (e *Engine) close(now int64) {
	if e.closed {
		return
	}
	if e.connected {
		e.flush(now, false)
		e.settlements(now) // answers come too late, but what was not used goes back
		e.broadcast(now, &Message{Kind: KindBye, Seq: e.seq}, nil)
	}
	e.closed = true
}

func (e *Engine) broadcast(now int64, m *Message, b *Batch) {
	e.send(now, e.subjects.of(m.Kind, e.cfg.Node, e.cfg.Replica), "", m, b)
}

func (e *Engine) send(now int64, subject, reply string, m *Message, b *Batch) {
	m.Node, m.Replica, m.Sent = e.cfg.Node, e.cfg.Replica, now
	data := e.writer.encode(m, b)
	e.stats.Sent[m.Kind].add(len(data))
	if b != nil {
		e.stats.RowsSent += uint64(b.Len())
	}
	e.out.Packets = append(e.out.Packets, Packet{Subject: subject, Reply: reply, Data: data})
}

func (e *Engine) event(kind EventKind, p *peer, detail string) {
	ev := Event{Kind: kind, Detail: detail}
	if p != nil {
		ev.Node, ev.Replica = p.node, p.replica
	}
	e.out.Events = append(e.out.Events, ev)
}

// receive checks a packet and passes it on by kind. Bytes from outside can do no
// more than be merged or dropped and counted.
func (e *Engine) receive(now int64, packet Packet) {
	kind, node, replica, ours := e.subjects.parse(packet.Subject)
	inbox := packet.Subject == e.inbox
	switch {
	case inbox:
	case !ours || kind.answers():
		e.drop(now, DropSubject, packet.Subject)
		return
	case replica == e.cfg.Replica && !kind.asks():
		return // our own broadcast
	}
	m, err := e.reader.decode(packet.Data)
	if err != nil {
		e.drop(now, dropOf(err), fmt.Sprintf("%v on %s", err, packet.Subject))
		return
	}
	switch {
	case m.Replica == e.cfg.Replica:
		return
	case inbox || kind.asks():
		// Addressed to us, so the subject names us and not the sender.
	case m.Node != node || m.Replica != replica:
		e.drop(now, DropSender, "subject "+packet.Subject+" does not belong to "+m.Node)
		return
	}
	if inbox && !m.Kind.answers() || !inbox && m.Kind != kind {
		e.drop(now, DropMalformed, "kind does not fit subject "+packet.Subject)
		return
	}
	p := e.heard(now, m)
	if p == nil {
		e.drop(now, DropPeers, "more than the most peers: "+m.Node)
		return
	}
	e.stats.Received[m.Kind].add(len(packet.Data))
	e.stats.RowsReceived += uint64(m.rowsOf())
	switch m.Kind {
	case KindDelta:
		e.onDelta(now, p, m)
	case KindBeat:
		e.onBeat(now, p, m)
	case KindRepair, KindSnapshot:
		e.onRequest(now, m, packet.Reply)
	case KindRows:
		e.onRows(now, p, m)
	case KindSettle:
		e.onSettle(now, m, packet.Reply)
	case KindSettled:
		e.onSettled(m)
	case KindLimits:
		e.store.MergeRegisters(now, m.Regs)
	case KindReset:
		e.store.MergeResets(now, m.Resets)
	case KindBye:
		e.onBye(now, p)
	}
}

func (e *Engine) drop(now int64, why Drop, detail string) {
	e.stats.Dropped[why]++
	if now >= e.nextBadLog {
		e.nextBadLog = now + 1e9
		e.event(EventPacketBad, nil, detail)
	}
}

// merge hands the deltas of a message to the store. Rows of other replicas are only
// taken from answers to requests, never from broadcasts: there a replica speaks for
// itself. known is false if rows were counted under a limit's revision that is not
// known here yet.
func (e *Engine) merge(now int64, m *Message) (known bool) {
	known = true
	for i := range m.Deltas {
		d := &m.Deltas[i]
		switch {
		case d.Replica == 0:
			d.Replica = m.Replica
		case m.Kind != KindRows:
			e.drop(now, DropSender, m.Node+" sent rows of another replica")
			continue
		}
		known = e.store.Merge(now, d) && known
	}
	return known
}

func (e *Engine) onDelta(now int64, p *peer, m *Message) {
	known := e.merge(now, m)
	switch {
	case !p.known:
		// What it sent before we listened shows in the digests of its next beat.
		p.known, p.seq = true, m.Seq
	case m.Seq > p.seq+1:
		e.missing(now, p, p.seq, m.Seq-1)
		p.seq = m.Seq
	case m.Seq == p.seq+1:
		p.seq = m.Seq
		if !known {
			e.missing(now, p, m.Seq-1, m.Seq)
		}
	default:
		return // repeated or overtaken: merged, but no news of the sequence
	}
	if p.sure && !p.behind() {
		p.freshAt = max(p.freshAt, m.Sent)
	}
}
