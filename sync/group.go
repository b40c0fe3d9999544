package sync

import (
	"slices"

	"github.com/distributed-rate-limiter/distributed-rate-limiter/crdt"
)

// group is the part of the cluster that this node can count with: how many nodes there
// are with us, how many of them hear each other with us, and whether those are not all.
// Nodes that hear each other only partly cannot divide anything among themselves, so
// then each counts for itself alone.
func (ms *members) group(now int64, connected bool) (size, visible int, isolated bool) {
	size = 1 + len(ms.roster.names)
	if !connected {
		return size, 1, size > 1 || !ms.cfg.Alone
	}
	alive := []crdt.Replica{ms.cfg.Replica}
	var heard []string
	for _, p := range ms.peers {
		if p.state == PeerAlive {
			alive, heard = append(alive, p.replica), append(heard, p.node)
			isolated = isolated || ms.deaf(now, p)
		}
	}
	for _, name := range ms.roster.names {
		isolated = isolated || !slices.Contains(heard, name)
	}
	if !isolated {
		return size, size, false
	}
	slices.Sort(alive)
	for _, p := range ms.peers {
		if p.state == PeerAlive && !hearsAll(p, alive) {
			return size, 1, true
		}
	}
	slices.Sort(heard)
	return size, 1 + len(slices.Compact(heard)), true
}

// hearsAll reports whether the peer said that it hears exactly the others of the group.
func hearsAll(p *peer, group []crdt.Replica) bool {
	n := 0
	for _, r := range group {
		if r == p.replica {
			continue
		}
		if _, ok := slices.BinarySearch(p.hears, r); !ok {
			return false
		}
		n++
	}
	return n == len(p.hears)
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
	v.Members, v.Visible, v.Isolated = e.members.group(now, e.connected)
	v.Joined = v.Joined || e.join.ready
	e.show(now, v)
}

func (e *Engine) show(now int64, v View) {
	if v != e.view {
		e.view = v
		if e.store.View(v) {
			e.members.spans.close(e.cfg.Replica, e.started, now, SpanDrained)
		}
	}
}
