package node

import (
	"github.com/distributed-rate-limiter/distributed-rate-limiter/crdt"
	"github.com/distributed-rate-limiter/distributed-rate-limiter/node/limit"
	deltasync "github.com/distributed-rate-limiter/distributed-rate-limiter/sync"
)

// mostResets caps the resets that are remembered for repetition; at the cap a
// further one is refused.
const mostResets = 1 << 10

// Reset gives a client its whole burst back under a limit ("" is "default"), on
// every node: a new life for its state, which replaces the old one wherever it
// arrives, and which messages from before cannot bring back. It reaches peers that
// are cut off for up to three windows.
func (n *Node) Reset(limitName, client string) error {
	l, err := n.known(limitName)
	if err != nil {
		return err
	}
	now := n.now()
	var net limit.Buffer
	_, group, why := n.ruleFor(l.known(now), client, 1, &net)
	if err := clientFault(why); err != nil {
		return err
	}
	k := n.key(l, client, group)
	n.resets.mu.Lock()
	defer n.resets.mu.Unlock()
	n.forgetResets(now)
	if len(n.resets.list) >= mostResets {
		return ErrTooManyResets
	}
	stamp := n.afterLife(k, now)
	n.resets.list = append(n.resets.list, clientReset{deltasync.ClientReset{Limit: l.name, Key: k, Stamp: stamp}, now})
	n.resets.fresh = true
	n.reset(l, k, stamp, now)
	n.loopUrgent()
	return nil
}

// afterLife is now as a stamp, or a later one if the client's state has one that is
// ahead: of another reset in the same instant, or from a clock ahead of ours.
func (n *Node) afterLife(k crdt.Key, now int64) crdt.Stamp {
	s := n.table.shard(k)
	s.mu.Lock()
	defer s.mu.Unlock()
	if e := s.find(k); e != nil {
		now = max(now, e.stamp().At+1)
	}
	return crdt.Stamp{At: now, By: n.replica}
}

// reset applies a reset, its own or a peer's.
func (n *Node) reset(l *namedLimit, k crdt.Key, stamp crdt.Stamp, now int64) {
	s := n.table.shard(k)
	s.mu.Lock()
	defer s.mu.Unlock()
	e := s.find(k)
	if e == nil {
		// Remember it, so that a late message cannot bring the old life back.
		if n.table.full(s) {
			return
		}
		n.table.count.Add(1)
		e = s.insert(k, &l.at(now).rules[0], now) // which is the client's shows when it asks
	}
	if stamp.Compare(e.stamp()) > 0 {
		n.restart(s, e, stamp, now)
	}
}

// restart begins the entry's life anew under a reset's stamp. What the old one
// added to digests goes with it. s is locked.
func (n *Node) restart(s *shard, e *entry, stamp crdt.Stamp, now int64) {
	n.shrink(s, e.key, e.stamp(), e.rule, e.states())
	if old := e.old(); old != nil {
		n.shrink(s, e.key, old.stamp, old.rule, old.states())
	}
	delete(s.overlays, e.key) // what it used of its share as well
	start := e.state.Start()
	e.keep(stamp, nil, nil)
	e.begin(e.rule, max(now, start))
}

func (n *Node) shrink(s *shard, k crdt.Key, stamp crdt.Stamp, r *rule, of limit.States) {
	for slot, st := range of.All {
		k, width, start, before := k.Slot(slot), r.Frame.Width, st.Start(), r.Frame.Before(st.Start())
		st.Carried(n.replica, func(of crdt.Replica, g crdt.Gain) {
			s.digest(of, width, start).Shrink(k, stamp, start, g.Cur)
			s.digest(of, width, before).Shrink(k, stamp, before, g.Prev)
		})
	}
}

// forgetResets drops those that were repeated long enough. resets.mu is held.
func (n *Node) forgetResets(now int64) {
	kept := n.resets.list[:0]
	for _, r := range n.resets.list {
		if now-r.at < 3*int64(limit.MaxWidth) {
			kept = append(kept, r)
		}
	}
	n.resets.list = kept
}

type clientReset struct {
	deltasync.ClientReset
	at int64
}

// Resets implements deltasync.Resetter.
func (n store) Resets(now int64, onlyFresh bool) []deltasync.ClientReset {
	n.resets.mu.Lock()
	defer n.resets.mu.Unlock()
	n.forgetResets(now)
	if onlyFresh && !n.resets.fresh {
		return nil
	}
	n.resets.fresh = false
	out := make([]deltasync.ClientReset, len(n.resets.list))
	for i, r := range n.resets.list {
		out[i] = r.ClientReset
	}
	return out
}

// MergeResets implements deltasync.Resetter.
func (n store) MergeResets(now int64, resets []deltasync.ClientReset) {
	for _, r := range resets {
		l := n.limits.get(r.Limit)
		if l == nil || r.Stamp.At > now+n.tolerance(&l.at(now).rules[0]) {
			n.drops[dropFuture].Add(1)
			continue
		}
		n.reset(l, r.Key, r.Stamp, now)
	}
}
