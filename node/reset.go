package node

import (
	"github.com/distributed-rate-limiter/distributed-rate-limiter/crdt"
	"github.com/distributed-rate-limiter/distributed-rate-limiter/node/internal/table"
	"github.com/distributed-rate-limiter/distributed-rate-limiter/node/internal/tally"
	"github.com/distributed-rate-limiter/distributed-rate-limiter/node/limit"
	deltasync "github.com/distributed-rate-limiter/distributed-rate-limiter/sync"
)

// Reset gives a client its whole burst back under a limit ("" is "default"), on every node.
// The client's state begins a new life, which replaces the old one wherever the reset
// arrives. Messages from before the reset cannot bring the old life back. The node repeats a
// reset for three windows, for peers that are cut off. The error is ErrUnknownLimit,
// ErrTooManyResets, ErrClosed, or a *FieldError about the client.
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
	_, group, why := n.ruleFor(l.Known(now), client, 1, &net)
	if err := clientFault("client", why); err != nil {
		return err
	}
	k := l.Key(client, group)
	err = n.resets.Add(now, func() deltasync.ClientReset {
		stamp := crdt.Stamp{At: n.table.After(k, now), By: n.replica}
		n.table.Reset(k, &l.At(now).Rules[0], stamp, now)
		return deltasync.ClientReset{Limit: l.Name, Key: k, Stamp: stamp}
	})
	if err == nil {
		n.protocol.Urgent()
	}
	return err
}

// resetter is the node as it takes resets from peers and repeats its own.
type resetter struct{ *Node }

// Resets implements deltasync.Resetter.
func (n resetter) Resets(now int64, onlyFresh bool) []deltasync.ClientReset {
	return n.resets.Due(now, onlyFresh)
}

// MergeResets implements deltasync.Resetter.
func (n resetter) MergeResets(now int64, resets []deltasync.ClientReset) {
	for _, r := range resets {
		l := n.limits.Get(r.Limit)
		switch {
		case l == nil || r.Stamp.At > now+n.table.Tolerance(&l.At(now).Rules[0]):
			n.dropped.Add(tally.DropFuture, 1)
			continue
		case r.Stamp.At+max(3*l.Widest(), table.ResetRepeated) < now:
			// The table may have forgotten it, and it would end what was counted since.
			n.dropped.Add(tally.DropPast, 1)
			continue
		}
		n.table.Reset(r.Key, &l.At(now).Rules[0], r.Stamp, now)
	}
}
