package sync

import (
	"slices"

	"github.com/distributed-rate-limiter/distributed-rate-limiter/crdt"
)

// root is the digest over all partitions. Rows that moved to another partition would
// leave it as it is, but a client's partition follows from its key.
func (e *Engine) root(r crdt.Replica, w Window) crdt.Digest {
	var parts [crdt.Partitions]crdt.Digest
	e.store.Digests(r, w, &parts)
	var root crdt.Digest
	for _, d := range &parts {
		root += d
	}
	return root
}

// held is one number for all that is held of a replica's counters.
func (e *Engine) held(now int64, r crdt.Replica) (sum crdt.Digest) {
	for _, w := range e.store.Windows(now) {
		sum += e.root(r, w)
	}
	return sum
}

// addRoots puts into a beat what this node holds of its own counters, and of those of
// peers that it does not hear: only the others that heard them can tell the difference.
func (e *Engine) addRoots(now int64, m *Message) {
	windows := e.store.Windows(now)
	add := func(r crdt.Replica) {
		for _, w := range windows {
			if d := e.root(r, w); d != 0 && len(m.Roots) < maxRoots {
				m.Roots = append(m.Roots, Root{Replica: r, Window: w, Digest: d})
			}
		}
	}
	add(e.cfg.Replica)
	for _, p := range e.members.peers {
		if p.state != PeerAlive {
			add(p.replica)
		}
	}
}

// differs compares the roots of replica r in m with our own, in the windows that are
// live for both sides: around a change of window, two clocks a moment apart do not name
// the same two.
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

// compare looks for loss that no gap in the sequence shows: after a restart or a long
// outage, or in what was sent before we listened. The beat was sent right after the
// messages up to its Seq, and all of these are merged here. So both digests speak of the
// same moment, under full load too (N3).
func (e *Engine) compare(now int64, p *peer, m *Message) {
	switch {
	case p.request.id != 0:
	case !e.differs(now, p.replica, m):
		p.differs, p.unproven = false, false
		p.mismatch.helped()
		p.sure = true
		p.refresh(m.Sent)
	case !p.differs:
		e.stats.Mismatches++
		due := now + e.jitter(repairJitter)
		if p.mismatch.failures > 0 {
			due += p.mismatch.pause(repairPause)
		}
		p.differs = true
		p.mismatch.failed(due)
	}
}

// compareSilent compares what this peer and we hold of replicas that neither of us
// hears: nobody else can repair what one of us missed of their last words. It looks at
// one after the other, so that one that cannot be mended does not hide the next.
func (e *Engine) compareSilent(now int64, p *peer, m *Message) {
	if p.request.id != 0 || p.behind() || !p.request.pace.due(now) || !p.silent.due(now) {
		return
	}
	for i := range m.Roots {
		root := &m.Roots[(i+p.silent.failures)%len(m.Roots)]
		if root.Replica == p.replica || root.Replica == e.cfg.Replica {
			continue
		}
		if silent := e.members.find(root.Replica); silent != nil && silent.state == PeerAlive {
			continue
		}
		if e.differs(now, root.Replica, m) {
			e.stats.Mismatches++
			p.silent.failed(now + p.silent.pause(repairPause)) // until an answer says otherwise
			p.silentHad = e.held(now, root.Replica)
			e.ask(now, p, KindRepair, root.Replica, 0, Cursor{})
			return
		}
	}
	p.silent.helped()
}
