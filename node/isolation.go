package node

import (
	"time"

	"github.com/distributed-rate-limiter/distributed-rate-limiter/crdt"
	"github.com/distributed-rate-limiter/distributed-rate-limiter/gcra"
	deltasync "github.com/distributed-rate-limiter/distributed-rate-limiter/sync"
)

// isolation is the group that this node counts with while it does not hear everybody:
// immutable, replaced when the group changes, nil once all are heard.
type isolation struct {
	spell            uint64 // numbers the times that this lasted without a break
	since            int64  // the group is this one since then
	visible, members int
}

// View implements deltasync.Viewer.
func (n store) View(v deltasync.View) {
	n.view.peers.Store(int32(v.Peers)) //nolint:gosec // at most MaxPeers
	n.view.delay.Store(v.Delay)
	members := max(v.Members, n.cfg.Nodes)
	if n.offline || (!v.Isolated && v.Visible >= members) {
		n.isolation.Store(nil)
		return
	}
	was := n.isolation.Load()
	if was != nil && was.visible == v.Visible && was.members == members {
		return
	}
	if was == nil {
		n.spells++
	}
	n.isolation.Store(&isolation{spell: n.spells, since: n.now(), visible: max(1, v.Visible), members: members})
}

// overlay is what a client used of its group's share while isolated: a GCRA of its
// own beside the merged state, at the slower rate.
type overlay struct {
	spell            uint64 // one of another spell is over
	visible, members int    // the share at which level drains
	level            gcra.Level
}

// slowed is a rule's limit at a group's share of the rate.
type slowed struct {
	visible, members int
	gcra             *gcra.GCRA
}

func (r *rule) slow(iso *isolation) *gcra.GCRA {
	if s := r.slower.Load(); s != nil && s.visible == iso.visible && s.members == iso.members {
		return s.gcra
	}
	g := r.GCRA.Slowed(iso.visible, iso.members)
	r.slower.Store(&slowed{visible: iso.visible, members: iso.members, gcra: g})
	return g
}

// overlay is the client's, begun at what it has used that would not have drained when
// the isolation was noticed, and carried over when the group changed. It has to begin
// before anything that is admitted since is counted. Nothing is stored. s is locked.
func (s *shard) overlay(e *entry, iso *isolation) (overlay, *gcra.GCRA) {
	o, some := s.overlays[e.key]
	switch {
	case !some || o.spell != iso.spell:
		used := gcra.Level{Base: e.state.Base(), Count: e.state.Count()}
		o.level = convert(used, e.rule.GCRA, iso.since)
	case o.visible != iso.visible || o.members != iso.members:
		o.level = convert(o.level, e.rule.GCRA.Slowed(o.visible, o.members), iso.since)
	}
	o.spell, o.visible, o.members = iso.spell, iso.visible, iso.members
	return o, e.rule.slow(iso)
}

func (s *shard) keepOverlay(k crdt.Key, o overlay) {
	if s.overlays == nil {
		s.overlays = map[crdt.Key]overlay{}
	}
	s.overlays[k] = o
}

// convert is the level at which as many units are in use from instant t on, at any
// rate, as are at l; rounded up.
func convert(l gcra.Level, from *gcra.GCRA, t int64) gcra.Level {
	ahead := from.TAT(l) - t
	if ahead <= 0 {
		return gcra.Level{Base: t}
	}
	return gcra.Level{Base: t, Count: min(from.UnitsOver(ahead), crdt.MaxTotal)}
}

// isolated is what the limit's choice makes of a request while iso lasts, after its
// own test said allowed. With charge, a request that passes is charged to the
// client's share. s is locked.
func (n *Node) isolated(s *shard, e *entry, iso *isolation, now, cost int64, allowed, charge bool) (bool, Reason) {
	switch e.rule.Policy.OnIsolation {
	case IsolationOpen:
		if !allowed {
			return true, ReasonIsolatedOpen
		}
	case IsolationClosed:
		return false, ReasonIsolatedClosed
	case IsolationShare:
		if !allowed {
			break
		}
		o, slow := s.overlay(e, iso)
		conforms, origin := slow.Admit(o.level, now, cost)
		if !conforms {
			return false, ReasonIsolatedShare
		}
		if origin > gcra.Never {
			o.level = gcra.Level{Base: now}
		}
		if charge {
			o.level.Count += uint64(cost) //nolint:gosec // positive
			s.keepOverlay(e.key, o)
		}
	default:
	}
	return allowed, ReasonOK
}

// beginShare begins the client's share before a merge, if it counts: what it had used
// by then drains at the share's rate, what the merge adds is charged by chargeShare. s
// is locked.
func (n *Node) beginShare(s *shard, e *entry) *isolation {
	iso := n.isolation.Load()
	if iso == nil || e.rule.Policy.OnIsolation != IsolationShare {
		return nil
	}
	o, _ := s.overlay(e, iso)
	s.keepOverlay(e.key, o)
	return iso
}

// chargeShare charges what a peer of the group admitted, and what was merged late,
// to the client's share. s is locked.
func (s *shard) chargeShare(e *entry, iso *isolation, now int64, gain crdt.Gain) {
	o, slow := s.overlay(e, iso)
	if slow.TAT(o.level) < now {
		o.level = gcra.Level{Base: now}
	}
	o.level.Count = min(o.level.Count+gain.Cur.P+gain.Prev.P, crdt.MaxTotal)
	s.keepOverlay(e.key, o)
}

// explainIsolated narrows what a client is told to what its share allows.
func (n *Node) explainIsolated(s *shard, d *Decision, e *entry, iso *isolation, now, cost int64) {
	// Nobody knows how long it lasts.
	const again = time.Second
	switch e.rule.Policy.OnIsolation {
	case IsolationOpen:
		if d.Reason == ReasonIsolatedOpen {
			d.RetryAfter = 0
		}
	case IsolationClosed:
		d.Remaining, d.RetryAfter, d.ResetAfter = 0, again, max(again, d.ResetAfter)
	case IsolationShare:
		o, slow := s.overlay(e, iso)
		x := slow.Explain(o.level, now, cost, d.Allowed)
		d.Remaining = min(d.Remaining, x.Remaining)
		d.RetryAfter, d.ResetAfter = max(d.RetryAfter, x.RetryAfter), max(d.ResetAfter, x.ResetAfter)
	default:
	}
}

// sharing reports whether the client has used of its share what has not drained yet:
// the share drains slower than the limit, so forgetting the client by the limit's own
// state would give it a whole burst anew. s is locked.
func (n *Node) sharing(s *shard, e *entry, now int64) bool {
	iso := n.isolation.Load()
	o, some := s.overlays[e.key]
	return iso != nil && some && o.spell == iso.spell && e.rule.slow(iso).TAT(o.level) > now
}

// sweepOverlays drops those of forgotten clients, and all of them once nobody is
// missing. A drained one stays as long as its client is held: begun anew it would take
// all that was used meanwhile as used when the isolation was noticed. s is locked.
func (n *Node) sweepOverlays(s *shard) {
	if n.isolation.Load() == nil {
		s.overlays = nil
		return
	}
	for k := range s.overlays {
		if s.find(k) == nil {
			delete(s.overlays, k)
		}
	}
}

// Forget takes a node that will not come back off the list of members, so that its
// silence no longer counts as a partition: to be called on every node. It reports
// whether there was such a node.
func (n *Node) Forget(name string) bool { return n.protocol.Forget(name) }
