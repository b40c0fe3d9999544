package sync

import (
	"fmt"
	"slices"

	"github.com/distributed-rate-limiter/distributed-rate-limiter/crdt"
)

// forgetPeer is how long a peer that is gone is still remembered, so that the
// digests of its last windows can be compared among those who heard it. One that only
// fell silent is remembered until it is replaced, or forgotten by an operator.
const forgetPeer = 120e9

// beat tells everybody that this node lives, what it has sent and whom it hears.
func (e *Engine) beat(now int64) {
	e.nextBeat = now + int64(e.cfg.BeatInterval)
	m := &Message{Kind: KindBeat, Seq: e.seq, Joining: !e.join.ready, Limits: e.store.RegistersDigest(), Base: e.store.BaseDigest()}
	for _, p := range e.peers.list {
		if p.state == PeerAlive && p.lag.some {
			m.Heard = append(m.Heard, Heard{Replica: p.replica, Seq: p.seq, Lag: p.lag.least()})
		}
	}
	windows := e.store.Windows(now)
	e.addRoots(m, e.cfg.Replica, windows)
	for _, p := range e.peers.list {
		if p.state != PeerAlive {
			e.addRoots(m, p.replica, windows)
		}
	}
	if e.join.ready {
		e.addOrigins(now, m)
	}
	e.broadcast(now, m, nil)
	e.sendResets(now, e.store.Resets(now, false))
}

// sendResets splits resets into messages.
func (e *Engine) sendResets(now int64, resets []ClientReset) {
	for part := range slices.Chunk(resets, batchBudget/resetSize) {
		e.broadcast(now, &Message{Kind: KindReset, Resets: part}, nil)
	}
}

func (e *Engine) addRoots(m *Message, r crdt.Replica, windows []Window) {
	for _, w := range windows {
		if d := e.root(r, w); d != 0 && len(m.Roots) < maxRoots {
			m.Roots = append(m.Roots, Root{Replica: r, Window: w, Digest: d})
		}
	}
}

// root is the digest over all partitions. Sums of sums would not tell two
// partitions' digests apart that were swapped, so each is spread first.
func (e *Engine) root(r crdt.Replica, w Window) crdt.Digest {
	var parts [crdt.Partitions]crdt.Digest
	e.store.Digests(r, w, &parts)
	var root crdt.Digest
	for _, d := range &parts {
		root += d
	}
	return root
}

// heard notes a sign of life, and makes the peer if it is new.
func (e *Engine) heard(now int64, m *Message) *peer {
	p := e.peers.find(m.Replica)
	if p == nil {
		if p = e.peers.add(m.Node, m.Replica); p == nil {
			return nil
		}
		p.heardAt, p.deafAt, p.since0 = now, now, e.started
		if m.Kind != KindBye {
			if m.Node != e.cfg.Node {
				e.roster.add(m.Node)
			}
			e.event(EventPeerJoined, p, "")
			// Answer soon, so that both sides know each other within a moment and
			// not within a beat; jittered, since all peers do.
			e.nextBeat = min(e.nextBeat, now+e.jitter(20e6))
		}
		if p.node == e.cfg.Node {
			e.event(EventTwin, p, "a node with our own name is heard; if that is not our last run, give each node its own -name")
		}
		e.changed()
	}
	if p.state != PeerAlive && !p.left {
		if p.state == PeerSuspect || p.state == PeerGone {
			e.event(EventPeerBack, p, fmt.Sprintf("after %.1f s of silence", float64(now-p.heardAt)/1e9))
		}
		p.state = PeerAlive
		e.nextBeat = min(e.nextBeat, now+e.jitter(20e6))
		e.changed()
	}
	p.heardAt = now
	p.lag.add(now, now-m.Sent)
	return p
}

func (e *Engine) jitter(most int64) int64 { return e.random.Int64N(most) }

// age moves peers along by silence, and forgets those that matter no more.
func (e *Engine) age(now int64) {
	before := len(e.peers.list)
	changed := false
	for _, p := range e.peers.list {
		silence := now - p.heardAt
		switch {
		case p.state == PeerAlive && silence >= int64(e.cfg.SuspectAfter):
			p.state = PeerSuspect
			changed = true
			e.event(EventPeerSuspect, p, fmt.Sprintf("not heard for %.1f s", float64(silence)/1e9))
		case p.state == PeerSuspect && silence >= int64(e.cfg.GoneAfter):
			p.state, p.goneAt = PeerGone, now
			changed = true
			e.event(EventPeerGone, p, fmt.Sprintf("not heard for %.1f s", float64(silence)/1e9))
		}
	}
	if now >= e.nextForget {
		e.nextForget = now + int64(e.cfg.BeatInterval)
		e.peers.list = slices.DeleteFunc(e.peers.list, func(p *peer) bool {
			return p.state == PeerGone && now-p.goneAt > forgetPeer && !e.admits(p)
		})
	}
	if changed || len(e.peers.list) != before {
		e.changed()
	}
}

func (e *Engine) onBye(now int64, p *peer) {
	if p.left {
		return
	}
	p.left, p.state, p.goneAt = true, PeerGone, now
	if !e.aliveBy(p.node) {
		e.roster.remove(p.node)
	}
	e.event(EventPeerLeft, p, "said bye")
	e.changed()
}

func (e *Engine) onBeat(now int64, p *peer, m *Message) {
	p.joining, p.limits = m.Joining, m.Limits
	if otherwise := m.Base != e.store.BaseDigest(); otherwise != p.otherwise {
		p.otherwise = otherwise
		if otherwise {
			e.event(EventOtherLimits, p, "its configured limits are not this node's: the two count together, but never agree on what is too much")
		}
	}
	e.onHeard(now, p, m)
	switch {
	case !p.known:
		p.known, p.seq = true, m.Seq
	case m.Seq > p.seq:
		e.missing(now, p, p.seq, m.Seq)
		p.seq = m.Seq
	}
	if p.sure && !p.behind() && m.Seq == p.seq {
		p.freshAt = max(p.freshAt, m.Sent)
	}
	if !e.join.ready {
		e.join.beat(e, now, p) // a snapshot first: it answers all comparisons at once
		return
	}
	if !p.gap && m.Seq == p.seq {
		e.compare(now, p, m)
	}
	e.compareSilent(now, p, m)
	e.compareOrigins(now, p, m)
}

// onHeard takes over whom the peer hears, and how late we reach it.
func (e *Engine) onHeard(now int64, p *peer, m *Message) {
	p.hears = p.hears[:0]
	heardUs := p.hearsUs
	p.hearsUs = false
	for _, h := range m.Heard {
		p.hears = append(p.hears, h.Replica)
		if h.Replica == e.cfg.Replica {
			p.hearsUs, p.theirLag = true, h.Lag
		}
	}
	slices.Sort(p.hears)
	switch {
	case p.hearsUs:
		p.deafTold = false
	case heardUs:
		p.deafAt, p.deafTold = now, true
		e.event(EventOneWay, p, "it does not hear us any more, but we hear it")
	case !p.deafTold && now-p.deafAt >= int64(e.cfg.SuspectAfter):
		p.deafTold = true
		e.event(EventOneWay, p, "it has never heard us, but we hear it")
	}
	if heardUs != p.hearsUs {
		e.changed()
	}
	e.changedDelay()
}

// aliveBy reports whether an incarnation of the named node is heard.
func (e *Engine) aliveBy(name string) bool {
	return slices.ContainsFunc(e.peers.list, func(p *peer) bool { return p.node == name && p.state == PeerAlive })
}

// admits reports whether the peer may be admitting, for all that is known.
func (e *Engine) admits(p *peer) bool {
	if p.left || p.state != PeerGone {
		return !p.left
	}
	return e.roster.has(p.node) && !slices.ContainsFunc(e.peers.list, func(other *peer) bool {
		return other.node == p.node && (other.heardAt > p.heardAt || other.heardAt == p.heardAt && other.replica > p.replica)
	})
}

// regroup tells the store when the group that this node counts with changes.
func (e *Engine) regroup(now int64) {
	v := &e.view
	members, visible, isolated := e.group(now)
	if members != v.Members || visible != v.Visible || isolated != v.Isolated {
		v.Members, v.Visible, v.Isolated = members, visible, isolated
		e.store.View(*v)
	}
}

// changed tells the store what the cluster looks like now.
func (e *Engine) changed() {
	v := View{Members: e.view.Members, Visible: e.view.Visible, Isolated: e.view.Isolated}
	for _, p := range e.peers.list {
		if p.state == PeerGone {
			continue
		}
		v.Peers++
		_, delay := p.offset()
		v.Delay = max(v.Delay, delay)
	}
	e.view = v
	e.store.View(v)
}

func (e *Engine) changedDelay() {
	was := e.view.Delay
	most := int64(0)
	for _, p := range e.peers.list {
		if p.state != PeerGone {
			_, delay := p.offset()
			most = max(most, delay)
		}
	}
	if most != was {
		e.changed()
	}
}
