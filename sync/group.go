package sync

import (
	"slices"

	"github.com/distributed-rate-limiter/distributed-rate-limiter/crdt"
)

// company is the part of the cluster that this node can count with: how many nodes there
// are with us, how many of them hear each other with us, and whether those are not all.
type company struct {
	size, visible int
	isolated      bool
}

// groupSight is the company as it was found last. It holds until somebody comes or goes, or a
// peer turns out to be deaf: looking takes a pass over whom each peer hears.
type groupSight struct {
	company
	seen      bool // company means nothing before it
	connected bool
	edits     int   // of the roster
	until     int64 // by our clock: when a peer that does not hear us counts as deaf
}

// group is the company at now.
func (ms *members) group(now int64, connected bool) company {
	s := &ms.sight
	if !s.seen || ms.changed || s.connected != connected || s.edits != ms.roster.edits || now >= s.until {
		*s = groupSight{seen: true, connected: connected, edits: ms.roster.edits, until: ms.nextDeaf(now), company: ms.findGroup(now, connected)}
		ms.changed = false
	}
	return s.company
}

// nextDeaf is when the next peer counts as deaf, if nothing is heard until then.
func (ms *members) nextDeaf(now int64) int64 {
	next := int64(crdt.End)
	for _, p := range ms.peers {
		if at := p.deafAt + int64(ms.cfg.SuspectAfter); !p.hearsUs && at > now {
			next = min(next, at)
		}
	}
	return next
}

// findGroup looks at members alone. Nodes that hear each other only partly cannot divide
// anything among themselves, so then each counts for itself alone.
func (ms *members) findGroup(now int64, connected bool) company {
	size := ms.size()
	if !connected {
		return company{size, 1, size > 1 || !ms.cfg.Alone}
	}
	isolated := false
	var heard []string
	for _, p := range ms.peers {
		if p.state == PeerAlive && p.confirmed {
			if p.node != ms.cfg.Node { // names are counted, and ours is
				heard = append(heard, p.node)
			}
			isolated = isolated || ms.deaf(now, p)
		}
	}
	slices.Sort(heard)
	heard = slices.Compact(heard)
	for _, name := range ms.roster.names {
		_, found := slices.BinarySearch(heard, name)
		isolated = isolated || !found
	}
	isolated = isolated || size > ms.roster.own()
	if !isolated {
		return company{size, size, false}
	}
	ours := ms.circle()
	for _, p := range ms.peers {
		if p.state == PeerAlive && p.confirmed && p.circle != ours {
			return company{size, 1, true}
		}
	}
	return company{size, 1 + len(heard), true}
}

// showPeers tells the store how many peers can admit and how far away they are, if that
// changed.
func (e *Engine) showPeers(now int64) {
	v := e.view
	v.Peers, v.Delay = e.members.reach()
	e.show(now, v)
}

// showGroup tells the store which group this node counts with, if that changed. Only a
// tick does so: a group that changes twice within a step never was.
func (e *Engine) showGroup(now int64) {
	v := e.view
	g := e.members.group(now, e.connected)
	v.Members, v.Visible, v.Isolated = g.size, g.visible, g.isolated
	v.Joined = v.Joined || e.join.ready
	e.show(now, v)
}

func (e *Engine) show(now int64, v View) {
	if v != e.view {
		if v.Isolated != e.view.Isolated {
			e.members.spans.isolate(now, v.Isolated)
		}
		e.view = v
		if e.store.View(v) {
			e.members.spans.close(e.cfg.Replica, e.started, now, SpanDrained)
		}
	}
}
