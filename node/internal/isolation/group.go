// Package isolation is how a node decides while it does not hear all nodes of its cluster:
// which group of nodes it counts with, and what each client used of that group's share of
// the rate.
package isolation

import (
	"sync/atomic"
	"time"
)

// settles is for how long all nodes hear each other before the isolation ends. Raising it has
// shares hold clients to their limit for longer. Lowering it below two beats and a repair
// ends an isolation before what the other side admitted is merged: a link that comes and goes
// would then give each client a burst each time.
const settles = int64(5 * time.Second)

// Group is the part of the cluster that this node counts with while it does not hear
// everybody. It is immutable: another one replaces it when the group changes.
type Group struct {
	spell            uint64 // which time of isolation it is of, from 1; groups of one follow each other without a break
	since            int64  // unix nanoseconds from which on the group is this one
	visible, members int    // 1 <= visible <= members: the share of the rate is visible/members
	whole            bool   // all nodes hear each other again, and nothing but shares applies
	// spent says that this node has restarted without knowing what it let pass before: shares
	// begin as if all was used up.
	spent bool
}

// Isolated reports whether some node is missing from the group. g may be nil.
func (g *Group) Isolated() bool { return g != nil && !g.whole }

// Watch holds the group. The zero value is ready: all nodes hear each other. Group is safe
// for concurrent use and wait-free.
type Watch struct {
	group  atomic.Pointer[Group]
	spells uint64 // times of isolation so far; only Set uses it
	// restarted: see Restarted. Only that and Set use it.
	restarted bool
}

// Restarted says whether a time of isolation that begins now is one in which this node was
// there before, under an earlier incarnation. Call it before Set.
func (w *Watch) Restarted(yes bool) { w.restarted = yes }

// Group is the group now, nil while all nodes of the cluster hear each other. A group from
// which no node is missing any more stays for a while: see Settle.
func (w *Watch) Group() *Group { return w.group.Load() }

// Set takes what the protocol says of the cluster: isolated is false once all nodes hear
// each other. One call is made at a time.
func (w *Watch) Set(now int64, isolated bool, visible, members int) {
	was := w.group.Load()
	if !isolated {
		if was.Isolated() {
			w.group.Store(&Group{spell: was.spell, since: now, visible: 1, members: 1, whole: true, spent: was.spent})
		}
		return
	}
	visible = max(1, visible)
	if was != nil && was.visible == visible && was.members == members {
		return
	}
	spent := w.restarted
	if was == nil {
		w.spells++
	} else {
		spent = was.spent
	}
	w.group.Store(&Group{spell: w.spells, since: now, visible: visible, members: members, spent: spent})
}

// Settle ends an isolation once all nodes have heard each other for long enough. Until then
// shares go on at the whole rate, so that a link that comes and goes is one isolation. Call it
// about once a second, from any goroutine.
func (w *Watch) Settle(now int64) {
	if g := w.group.Load(); g != nil && g.whole && now-g.since >= settles {
		w.group.CompareAndSwap(g, nil)
	}
}
