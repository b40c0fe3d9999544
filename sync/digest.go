package sync

import (
	"slices"

	"github.com/distributed-rate-limiter/distributed-rate-limiter/crdt"
)

// digests compare what this node holds with what a beat says that its sender holds.
type digests struct{ summaries Summaries }

// root is the digest over all partitions. Rows that moved to another partition would
// leave it as it is, but a client's partition follows from its key.
func (d digests) root(r crdt.Replica, w Window) crdt.Digest {
	var parts [crdt.Partitions]crdt.Digest
	d.summaries.Digests(r, w, &parts)
	var root crdt.Digest
	for _, d := range &parts {
		root += d
	}
	return root
}

// held is one number for all that is held of a replica's counters.
func (d digests) held(now int64, r crdt.Replica) (sum crdt.Digest) {
	for _, w := range d.summaries.Windows(now) {
		sum += d.root(r, w)
	}
	return sum
}

// differs compares the peer's roots of its own counters in m with ours, in the windows that
// are live for both sides: around a change of window, two clocks a moment apart do not name
// the same two. A window that is not listed holds nothing, unless the list may go on.
func (d digests) differs(now int64, p *peer, m *Message) bool {
	listed := map[Window]crdt.Digest{}
	for _, root := range m.Roots {
		if root.Replica == p.replica {
			listed[root.Window] = root.Digest
		}
	}
	live := d.summaries.Windows(m.Sent)
	for _, w := range d.summaries.Windows(now) {
		theirs, some := listed[w]
		if slices.Contains(live, w) && (some || len(listed) < maxOwnRoots) && theirs != d.root(p.replica, w) {
			return true
		}
	}
	return false
}

// holdsSame reports whether the sender of a beat and we hold the same counters of a replica
// that neither hears, in the windows that are live for both. A window that is not listed holds
// nothing, unless the list may go on in the next beat.
func (d digests) holdsSame(now int64, r crdt.Replica, m *Message) bool {
	live := d.summaries.Windows(m.Sent)
	for _, w := range d.summaries.Windows(now) {
		if !slices.Contains(live, w) {
			continue
		}
		theirs, listed := crdt.Digest(0), len(m.Roots) < maxRoots
		for _, root := range m.Roots {
			if root.Replica == r && root.Window == w {
				theirs, listed = root.Digest, true
			}
		}
		if !listed || theirs != d.root(r, w) {
			return false
		}
	}
	return true
}

// maxOwnRoots is how many digests of the sender's own counters a beat lists. Raising it
// leaves less room for those of silent replicas. Lowering it makes nodes whose limits have
// more layouts of windows than half of it compare them in turns. It is part of the wire
// format: a receiver takes a beat that lists as many for one that may not list all.
const maxOwnRoots = 384

// turn is where a list that is too long for one beat goes on in the next. The zero value
// begins at the front.
type turn[T any] struct{ next T }

// take returns at most most of all, which are in the order of compare, and lets the next
// beat begin with the first one left out.
func (t *turn[T]) take(all []T, most int, compare func(a, b T) int) []T {
	if len(all) <= most {
		return all
	}
	i, _ := slices.BinarySearchFunc(all, t.next, compare)
	all = slices.Concat(all[i:], all[:i])
	t.next = all[most]
	return all[:most]
}

// addRoots puts into a beat what this node holds of its own counters, and of all replicas
// that it does not hear: dead, departed, or counted before it came. Only the others that
// heard them can tell the difference.
func (e *Engine) addRoots(now int64, m *Message) {
	var own, silent []Root
	for _, root := range e.store.Roots(now) {
		switch {
		case root.Replica == e.cfg.Replica:
			own = append(own, root)
		case !e.members.hears(root.Replica):
			silent = append(silent, root)
		}
	}
	m.Roots = e.ownTurn.take(own, maxOwnRoots, Root.Compare)
	m.Roots = slices.Concat(m.Roots, e.silentTurn.take(silent, maxRoots-len(m.Roots), Root.Compare))
}

// compare looks for loss that no gap in the sequence shows: after a restart or a long
// outage, or in what was sent before we listened. The beat was sent right after the
// messages up to its Seq, and all of these are merged here. So both digests speak of the
// same moment, under full load too (N3).
func (e *Engine) compare(now int64, p *peer, m *Message) {
	switch {
	case p.request.id != 0:
	case !e.differs(now, p, m):
		p.differs, p.unproven = false, false
		p.mismatch.helped()
		p.sure = true
		e.members.refresh(now, p, m.Sent)
	case !p.differs:
		e.stats.Mismatches++
		due := now + e.jitter(repairJitter)
		if p.mismatch.failures > 0 {
			due += p.mismatch.pause(repairPause)
		}
		p.differs, e.owed = true, true
		p.mismatch.failed(due)
	}
}

// compareSilent compares what this peer and we hold of replicas that neither of us
// hears: nobody else can repair what one of us missed of their last words. It judges what
// the beat lists and nothing else, since the list may go on in the next one. It looks at
// one replica after the other, so that one that cannot be mended does not hide the next. An answer
// that helped leads to the next one at once: after a long cut there may be many.
func (e *Engine) compareSilent(now int64, p *peer, m *Message) {
	if p.request.id != 0 || p.behind() || !p.request.pace.due(now) || !p.silent.due(now) {
		return
	}
	ours, theirs := e.store.Windows(now), e.store.Windows(m.Sent)
	p.silentNext = nil
	for i := range m.Roots {
		root := m.Roots[(i+p.silent.failures)%len(m.Roots)]
		if root.Replica == p.replica || root.Replica == e.cfg.Replica || e.members.hears(root.Replica) ||
			!slices.Contains(ours, root.Window) || !slices.Contains(theirs, root.Window) {
			continue
		}
		if root.Digest != e.root(root.Replica, root.Window) {
			p.silentNext = append(p.silentNext, root)
		}
	}
	if !e.askSilent(now, p) {
		p.silent.helped()
	}
}

// askSilent asks a peer for the next of the silent replicas of which its last beat told
// otherwise. It reports whether there is one.
func (e *Engine) askSilent(now int64, p *peer) bool {
	for i, root := range p.silentNext {
		if e.members.hears(root.Replica) || root.Digest == e.root(root.Replica, root.Window) {
			continue // another peer's answer brought it
		}
		p.silentNext = p.silentNext[i+1:]
		e.stats.Mismatches++
		p.silent.failed(now + p.silent.pause(repairPause)) // until an answer says otherwise
		p.silentHad = e.held(now, root.Replica)
		e.ask(now, p, KindRepair, root.Replica, 0, Cursor{})
		return true
	}
	p.silentNext = nil
	return false
}
