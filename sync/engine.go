package sync

import (
	"github.com/distributed-rate-limiter/distributed-rate-limiter/crdt"
)

// Input is one thing that happens to an Engine.
type Input struct {
	Kind   InputKind
	Packet Packet // InputPacket
	Err    error  // InputDisconnected
	Whole  bool   // InputRestored: all of the file's counts are here
}

// InputKind says what happened.
type InputKind uint8

// The inputs. A tick is due at Output.Wake at the latest; an earlier one does no harm.
const (
	InputTick InputKind = iota
	InputPacket
	InputUrgent // some client's unsent cost reached its quantum
	InputConnected
	InputDisconnected
	InputClose    // flush, say bye
	InputRestored // the owner has done with Config.Saved
)

// Output is what a step wants done. It is valid until the next step.
type Output struct {
	Packets []Packet // to publish, in this order
	Events  []Event  // to log
	Wake    int64    // when the next tick is due, own clock
}

// Engine is the protocol as a step function: equal inputs at equal times give equal
// outputs. It starts no goroutine, reads no clock and does no I/O. Not safe for
// concurrent use: Loop is its rim in a real node, a simulator may be another.
//
// Numbers like S3 refer to the invariants in docs/sync.md, section 12. They hold
// between two steps.
type Engine struct {
	outbound
	digests
	store    Store
	reader   *reader
	verifier verifier
	batch    Batch // scratch of one message

	// started is when NewEngine was called, by our clock: nothing was heard before.
	started int64
	// closed: InputClose came. It stays true, and nothing is received or sent after it but
	// repairs until lingersUntil, by our clock.
	closed       bool
	lingersUntil int64
	// seq is the number of the last delta published. No number is used twice (S10).
	seq uint64

	members members
	// view is what the store was shown last (S11).
	view View
	// join says whether this node has joined (S12).
	join        joining
	registers   registers
	settlements settlements
	loans       loans
	origins     origins
	knowledge   knowledge
	hearing     hearing
	// questions wait for their ration, at most one a peer.
	questions []unanswered
	// These are where the next beat's lists begin.
	ownTurn, silentTurn turn[Root]
	rollTurn            turn[Enrolled]
	knownTurn           turn[Known]

	// nextFlush and nextBeat are when the next one is due, by our clock: after a step
	// never further ahead than its interval (S13).
	nextFlush, nextBeat int64
	// urgent: some client waits for an urgent flush, which goes out UrgentGap after
	// lastUrgent at the earliest.
	urgent     bool
	lastUrgent int64
}

// NewEngine makes an engine that starts at now.
func NewEngine(cfg Config, store Store, now int64) *Engine {
	cfg = cfg.withDefaults()
	secret := tagSecret(cfg.Key, cfg.Cluster)
	e := &Engine{
		outbound: outbound{cfg: cfg, subjects: newSubjects(cfg.Prefix, cfg.Cluster), writer: newWriter(secret), random: cfg.random()},
		store:    store, reader: newReader(secret, cfg.Replica), verifier: verifier{cfg.NodeKeys, signing(cfg.Cluster)},
		started: now, nextFlush: now + int64(cfg.Interval), nextBeat: now,
		join: joining{startedAt: now, restoring: cfg.Saved != nil},
	}
	e.writer.signer = signer{cfg.NodeKey, signing(cfg.Cluster)}
	e.members = members{cfg: cfg, events: e.event, started: now, coming: true, told: map[crdt.Replica]int64{}, inherited: map[crdt.Replica]inherited{}}
	e.members.roster.restore(&cfg)
	e.summaries = &e.store
	e.registers = registers{outbound: &e.outbound, store: &e.store, members: &e.members, names: NewSecret(cfg.Key, "limit names")}
	e.settlements = settlements{outbound: &e.outbound, store: &e.store, members: &e.members}
	e.origins = origins{store: &e.store, beat: int64(cfg.BeatInterval)}
	e.loans = loans{outbound: &e.outbound, store: store.Lender, members: &e.members}
	e.stats.init()
	if cfg.Alone && cfg.Saved == nil { // nobody is to tell
		e.members.succeed(now)
	}
	e.showGroup(now)
	return e
}

// Subjects lists what a transport has to deliver to this engine: everybody's broadcasts, and
// what is addressed to this replica. They depend on the configuration only, so a transport
// may subscribe before the first step.
func (e *Engine) Subjects() []string {
	return []string{e.subjects.broadcasts(), e.subjects.addressed(e.cfg.Node, e.cfg.Replica)}
}

// Step takes one input at time now, the node's clock, which never steps back.
func (e *Engine) Step(now int64, in Input) *Output {
	e.out.Packets, e.out.Events = e.out.Packets[:0], e.out.Events[:0]
	switch in.Kind {
	case InputPacket:
		switch {
		case !e.closed:
			e.receive(now, in.Packet)
		case e.Lingers(now) > 0:
			e.receiveLast(now, in.Packet)
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
	case InputRestored:
		e.join.restored(e, now, in.Whole)
	case InputTick:
	}
	e.tick(now)
	return &e.out
}

// tick does all that time makes due. It ends every step, so that no input waits for the
// next. The order of work within it is part of what equal seeds repeat.
func (e *Engine) tick(now int64) {
	if e.closed {
		if e.out.Wake = crdt.End; e.Lingers(now) > 0 {
			e.out.Wake = e.lingersUntil
		}
		return
	}
	if e.members.age(now) {
		e.showPeers(now)
	}
	e.members.outdate(now)
	e.showGroup(now)
	if e.connected {
		e.publish(now)
	}
	if now >= e.nextFlush {
		e.nextFlush = now + int64(e.cfg.Interval)
	}
	e.join.tick(e, now)
	e.out.Wake = e.wake(now)
}

// publish sends all that is due. Deltas go first, so that the beat after them counts
// them. It runs while connected only: a delta published in vain would cost a repair (N7).
func (e *Engine) publish(now int64) {
	if e.urgent && now-e.lastUrgent >= int64(e.cfg.UrgentGap) {
		e.urgent, e.lastUrgent = false, now
		e.flush(now, true)
	}
	if now >= e.nextFlush {
		e.flush(now, false)
	}
	e.registers.pull(now)
	if resets := e.store.Resets(now, true); len(resets) > 0 {
		e.sendResets(now, resets)
	}
	e.repairs(now)
	e.answers(now)
	e.settlements.ask(now)
	e.loans.ask(now)
	if now >= e.nextBeat {
		e.beat(now)
	}
}

// wake is when the next tick is due: always ahead, or a caller would spin.
func (e *Engine) wake(now int64) int64 {
	wake := e.nextFlush
	if e.connected {
		wake = min(wake, e.nextBeat)
		wake = min(wake, e.loans.due(now))
		if e.urgent {
			wake = min(wake, e.lastUrgent+int64(e.cfg.UrgentGap))
		}
		wake = min(wake, e.answerDue())
	}
	return max(wake, now+1)
}

// lingerFor is how long a node answers repairs after its bye, for peers that find by its
// number that they missed something. Raising it delays each stop by as much. Lowering it
// below a delivery, repairJitter and another delivery leaves what they missed to be repaired
// by others, if anybody else has it.
const lingerFor = int64(250e6)

// Lingers is for how much longer an engine that was closed answers repairs, in nanoseconds;
// 0 if it does not.
func (e *Engine) Lingers(now int64) int64 { return max(0, e.lingersUntil-now) }

// close sends the last words. Peers that miss some of them ask within lingerFor; rows that
// no peer has got by then are lost.
func (e *Engine) close(now int64) {
	if e.closed {
		return
	}
	last := e.view
	last.Joined = true // what the store kept back is to be told now
	e.show(now, last)
	if e.connected {
		e.flush(now, false)
		e.settlements.ask(now) // answers come too late, but what was not used goes back
		e.broadcast(now, &Message{Kind: KindBye, Seq: e.seq}, nil)
		if e.members.count(PeerAlive) > 0 {
			e.lingersUntil = now + lingerFor
		}
	}
	e.closed = true
}
