package node

import (
	"github.com/distributed-rate-limiter/distributed-rate-limiter/crdt"
	"github.com/distributed-rate-limiter/distributed-rate-limiter/node/internal/tally"
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
	if n.closed.Load() {
		return ErrClosed
	}
	l, err := n.known(limitName)
	if err != nil {
		return err
	}
	now := n.now()
	var net limit.Buffer
	_, group, why := n.ruleFor(l.known(now), client, 1, &net)
	if err := clientFault("client", why); err != nil {
		return err
	}
	k := n.key(l, client, group)
	n.resets.mu.Lock()
	defer n.resets.mu.Unlock()
	n.forgetResets(now)
	if len(n.resets.list) >= mostResets {
		return ErrTooManyResets
	}
	stamp := crdt.Stamp{At: n.table.After(k, now), By: n.replica}
	n.resets.list = append(n.resets.list, clientReset{deltasync.ClientReset{Limit: l.name, Key: k, Stamp: stamp}, now})
	n.resets.fresh = true
	n.table.Reset(k, &l.at(now).rules[0], stamp, now)
	n.loopUrgent()
	return nil
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
		if l == nil || r.Stamp.At > now+n.table.Tolerance(&l.at(now).rules[0]) {
			n.dropped.Add(tally.DropFuture, 1)
			continue
		}
		n.table.Reset(r.Key, &l.at(now).rules[0], r.Stamp, now)
	}
}
