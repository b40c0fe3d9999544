package sync

import (
	"slices"

	"github.com/distributed-rate-limiter/distributed-rate-limiter/crdt"
)

// How requests are paced: an answer that takes longer than requestTimeout is given
// up and asked for again, ever more patiently; repairs that succeed are at least
// repairPause apart, and those of one peer that do not help become ever more rare.
const (
	requestTimeout = int64(500e6)
	requestBackoff = int64(100e6)
	repairJitter   = int64(50e6)
	repairPause    = int64(500e6)
	mostBackoff    = int64(30e9)
	// mostPages is how many messages answer one request; the requester asks for
	// the next ones when it has merged these, which is its flow control.
	mostPages = 8
)

// missing notes that the peer's messages after since up to to did not arrive.
func (e *Engine) missing(now int64, p *peer, since, to uint64) {
	e.stats.Gaps++
	if !p.gap {
		p.gap, p.since = true, since
		p.request.notBefore = max(p.request.notBefore, now+e.jitter(repairJitter))
	}
	p.gapTo = max(p.gapTo, to)
}

// compare looks for loss that no gap in the sequence shows: after a restart, a
// long outage, or in what was sent before we listened. The beat was sent right
// after the messages up to its Seq, and all of these are merged here, so that both
// digests speak of the same moment even under full load.
func (e *Engine) compare(now int64, p *peer, m *Message) {
	switch {
	case p.request.id != 0:
	case !e.differs(now, p.replica, m):
		p.differs, p.unproven, p.misses = false, false, 0
		p.sure, p.freshAt = true, max(p.freshAt, m.Sent)
	case !p.differs:
		e.stats.Mismatches++
		p.differs, p.lookAt = true, now+e.jitter(repairJitter)
		if p.misses > 0 {
			p.lookAt += backoff(p.misses)
		}
		p.misses++
	}
}

// backoff is how long to wait after some repairs in a row that did not help: what a
// node cannot take, being full or of another configuration, it is not to ask for
// over and over.
func backoff(misses int) int64 { return min(mostBackoff, repairPause<<min(misses, 6)) }

// differs compares the roots of replica r in m with our own, in the windows that
// are live for both sides: around a change of window, clocks a moment apart do not
// name the same two.
func (e *Engine) differs(now int64, r crdt.Replica, m *Message) bool {
	live := e.store.Windows(m.Sent)
	for _, w := range e.store.Windows(now) {
		if !slices.Contains(live, w) {
			continue
		}
		theirs := crdt.Digest(0)
		for _, root := range m.Roots {
			if root.Replica == r && root.Window == w {
				theirs = root.Digest
			}
		}
		if theirs != e.root(r, w) {
			return true
		}
	}
	return false
}

// compareSilent compares what this peer and we hold of peers that neither of us
// hears: nobody else can repair what one of us missed of their last words. It looks
// at one after the other, so that one that cannot be mended does not hide the next.
func (e *Engine) compareSilent(now int64, p *peer, m *Message) {
	if p.request.id != 0 || p.behind() || now < max(p.request.notBefore, p.silentAfter) {
		return
	}
	for i := range m.Roots {
		root := &m.Roots[(i+p.silentMisses)%len(m.Roots)]
		if root.Replica == p.replica || root.Replica == e.cfg.Replica {
			continue
		}
		if silent := e.peers.find(root.Replica); silent != nil && silent.state == PeerAlive {
			continue
		}
		if e.differs(now, root.Replica, m) {
			e.stats.Mismatches++
			p.silentAfter = now + backoff(p.silentMisses)
			p.silentMisses++
			p.silentHad = e.held(now, root.Replica)
			e.ask(now, p, KindRepair, root.Replica, 0, Cursor{})
			return
		}
	}
	p.silentMisses = 0
}

// held sums up what is held of a replica's counters.
func (e *Engine) held(now int64, r crdt.Replica) (sum crdt.Digest) {
	for _, w := range e.store.Windows(now) {
		sum += e.root(r, w)
	}
	return sum
}

// repairs sends the requests that are due.
func (e *Engine) repairs(now int64) {
	for _, p := range e.peers.list {
		r := &p.request
		if r.id != 0 && now >= r.deadline {
			r.id = 0
			r.backoff = min(mostBackoff, max(requestBackoff, 2*r.backoff))
			r.notBefore = now + r.backoff
			e.stats.Timeouts++
		}
		switch {
		case !e.join.ready:
			// A snapshot comes first: it brings all that repairs would.
		case p.state != PeerAlive || r.id != 0 || now < r.notBefore:
		case p.gap:
			e.ask(now, p, KindRepair, p.replica, p.since, Cursor{})
		case p.differs && now >= p.lookAt:
			e.ask(now, p, KindRepair, p.replica, 0, Cursor{})
		}
	}
}

// ask requests rows of one replica (0: of all) from a peer.
func (e *Engine) ask(now int64, p *peer, kind Kind, of crdt.Replica, since uint64, from Cursor) {
	if !e.connected {
		return
	}
	e.requests++
	r := &p.request
	r.id, r.kind, r.of, r.since = e.requests, kind, of, since
	r.page, r.start, r.from = 0, from, from
	r.begun, r.unknown = r.begun && from != Cursor{}, false
	r.deadline = now + requestTimeout
	m := &Message{Kind: kind, Request: e.requests, Of: of, Since: since, Cursor: from}
	if kind == KindRepair {
		e.stats.Repairs++
		if since == 0 { // what left since a message is sent whatever we hold
			m.Have = e.have(now, of, p.misses+p.silentMisses)
		}
	}
	e.send(now, e.subjects.of(kind, p.node, p.replica), e.inbox, m, nil)
}

// have is what we hold of replica of's counters, or of everybody's origins (0).
// Where there are more windows than one request may list, the next one after some
// misses lists others.
func (e *Engine) have(now int64, of crdt.Replica, misses int) []Partitioned {
	windows := e.store.Windows(now)
	if of == 0 {
		windows = e.settled(now)
	}
	var out []Partitioned
	for i := range min(len(windows), maxWindows) {
		w := windows[(i+misses*maxWindows)%len(windows)]
		have := Partitioned{Window: w}
		if of != 0 {
			e.store.Digests(of, w, &have.Digests)
		} else {
			for p := range have.Digests {
				have.Digests[p] = e.store.Origins(now, w, p)
			}
		}
		out = append(out, have)
	}
	return out
}

// onRequest answers with up to mostPages messages of rows.
func (e *Engine) onRequest(now int64, m *Message, reply string) {
	if reply == "" || m.Request == 0 {
		e.drop(now, DropMalformed, "request without a reply subject from "+m.Node)
		return
	}
	if !e.connected {
		return // the requester asks again, us or another
	}
	// What we hold and have not sent would make our answer differ from our digests.
	e.flush(now, false)
	q := &Query{Of: m.Of, Since: m.Since, Cursor: m.Cursor}
	if m.Of != e.cfg.Replica {
		q.Since = 0
	}
	switch {
	case m.Kind == KindSnapshot || q.Since > 0 || len(m.Have) == 0:
		// All rows, or all that left us since: some may carry an origin alone, which
		// no digest of counters shows.
	case m.Of == 0:
		q.Differ = e.differingOrigins(now, m)
	default:
		q.Differ = e.differing(m)
	}
	if m.Kind == KindSnapshot && m.Cursor == (Cursor{}) {
		// First, since rows of a limit that is not known are dropped.
		e.sendRegisters(now, reply, e.store.Registers())
	}
	answer := &Message{Kind: KindRows, Request: m.Request, Seq: e.seq, Joining: !e.join.ready}
	for page := range mostPages {
		e.batch.Reset()
		q.Cursor, answer.Done = e.store.Export(now, q, &e.batch)
		answer.Page = uint64(page) //nolint:gosec // below mostPages
		answer.Next, answer.Last = q.Cursor, answer.Done || page == mostPages-1
		e.send(now, reply, "", answer, &e.batch)
		if answer.Last {
			break
		}
	}
}

// differing marks the partitions in which our digests of replica m.Of are not the
// requester's. Windows that it does not have count as empty there.
func (e *Engine) differing(m *Message) *[crdt.Partitions]bool {
	var out [crdt.Partitions]bool
	var ours [crdt.Partitions]crdt.Digest
	for i := range m.Have {
		have := &m.Have[i]
		e.store.Digests(m.Of, have.Window, &ours)
		for p := range out {
			out[p] = out[p] || ours[p] != have.Digests[p]
		}
	}
	return &out
}

// onRows takes an answer, or one message of it.
func (e *Engine) onRows(now int64, p *peer, m *Message) {
	if len(m.Regs) > 0 {
		e.store.MergeRegisters(now, m.Regs)
	}
	if m.Request == 0 || m.Request != p.request.id {
		return // unasked, or given up
	}
	r := &p.request
	r.deadline = now + requestTimeout
	r.unknown = !e.merge(now, m) || r.unknown
	if !r.begun {
		r.begun, r.seq, r.sent = true, m.Seq, m.Sent
	}
	if m.Page == r.page {
		r.page, r.from = r.page+1, m.Next
	}
	if !m.Last {
		return
	}
	whole := m.Done && m.Page+1 == r.page
	if !whole && r.from == r.start || r.unknown {
		// An answer that does not move on, or that cannot be read before the limits'
		// latest revisions are here, is none.
		r.deadline = now
		return
	}
	r.id, r.backoff = 0, 0
	if !whole { // there is more, or a page before this one was lost
		e.ask(now, p, r.kind, r.of, r.since, r.from)
		return
	}
	r.notBefore = now + repairPause
	switch {
	case r.kind == KindSnapshot:
		if !p.known {
			p.known, p.seq = true, r.seq
		}
		e.join.done(e, now, p, m.Joining)
	case r.of == p.replica:
		p.repaired()
	case r.of != 0 && e.held(now, r.of) != p.silentHad:
		p.silentMisses, p.silentAfter = 0, 0 // it helped: the next one at once
	}
}

// repaired closes the gap, if the answer accounts for all that was missing.
func (p *peer) repaired() {
	r := &p.request
	if r.since == 0 {
		// Rows may have been refused: the next beat's digests tell.
		p.differs, p.unproven = false, true
	}
	if r.seq < p.gapTo {
		p.since = max(p.since, r.seq)
		return
	}
	p.gap, p.gapTo = false, 0
	p.seq = max(p.seq, r.seq)
	if p.sure && !p.behind() {
		p.freshAt = max(p.freshAt, r.sent)
	}
}

// registerSize is an upper bound of what an entry takes beside its value.
const registerSize = 1 + maxName + 2 + 9 + 9 + 3

// sendRegisters splits the limits register into messages. A value alone has to fit
// into one.
func (e *Engine) sendRegisters(now int64, subject string, regs []Register) {
	kind := KindLimits
	if subject != "" {
		kind = KindRows
	} else {
		subject = e.subjects.of(KindLimits, e.cfg.Node, e.cfg.Replica)
	}
	for len(regs) > 0 {
		n, size := 0, 0
		for n < len(regs) && n < maxRegisters {
			size += len(regs[n].Value) + registerSize
			if n > 0 && size > batchBudget {
				break
			}
			n++
		}
		e.send(now, subject, "", &Message{Kind: kind, Regs: regs[:n]}, nil)
		regs = regs[n:]
	}
}

// shareLimits broadcasts what changed in the limits register, and all of it where
// a peer's differs: last writer wins, so both sides end with the same.
func (e *Engine) shareLimits(now int64) {
	if changed := e.store.ChangedRegisters(); len(changed) > 0 {
		e.sendRegisters(now, "", changed)
	}
	if now < e.nextLimits {
		return
	}
	mine := e.store.RegistersDigest()
	for _, p := range e.peers.list {
		if p.state == PeerAlive && p.lag.some && p.limits != mine {
			e.nextLimits = now + int64(e.cfg.BeatInterval) + e.jitter(repairJitter)
			e.sendRegisters(now, "", e.store.Registers())
			return
		}
	}
}
