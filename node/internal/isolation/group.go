// Package isolation is how a node decides while it does not hear all nodes of its cluster:
// which group of nodes it counts with, and what each client used of that group's share of
// the rate.
package isolation

import "sync/atomic"

// Group is the part of the cluster that this node counts with while it does not hear
// everybody. It is immutable: another one replaces it when the group changes.
type Group struct {
	spell            uint64 // which time of isolation it is of, from 1; groups of one follow each other without a break
	since            int64  // unix nanoseconds from which on the group is this one
	visible, members int    // 1 <= visible <= members: the share of the rate is visible/members
}

// Watch holds the group. The zero value is ready: all nodes hear each other. Group is safe
// for concurrent use and wait-free.
type Watch struct {
	group  atomic.Pointer[Group]
	spells uint64 // times of isolation so far; only Set uses it
}

// Group is the group now, nil while all nodes of the cluster hear each other.
func (w *Watch) Group() *Group { return w.group.Load() }

// Set takes what the protocol says of the cluster: isolated is false once all nodes hear
// each other. One call is made at a time.
func (w *Watch) Set(now int64, isolated bool, visible, members int) {
	if !isolated {
		w.group.Store(nil)
		return
	}
	visible = max(1, visible)
	was := w.group.Load()
	if was != nil && was.visible == visible && was.members == members {
		return
	}
	if was == nil {
		w.spells++
	}
	w.group.Store(&Group{spell: w.spells, since: now, visible: visible, members: members})
}
