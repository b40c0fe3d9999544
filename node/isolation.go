package node

import (
	"time"

	"github.com/distributed-rate-limiter/distributed-rate-limiter/node/internal/isolation"
	"github.com/distributed-rate-limiter/distributed-rate-limiter/node/internal/table"
	deltasync "github.com/distributed-rate-limiter/distributed-rate-limiter/sync"
)

// viewer is the node as it hears what the cluster looks like.
type viewer struct{ *Node }

// View implements deltasync.Viewer.
func (n viewer) View(v deltasync.View) (told bool) {
	n.table.SetView(v.Peers, v.Delay)
	n.holdings.SetDelay(v.Delay)
	if v.Joined {
		told = n.table.Joined(n.now())
	}
	members := max(v.Members, n.cfg.Nodes)
	n.isolation.Restarted(!v.Joined && !n.cfg.Alone && (n.members.Lost || len(n.members.Names) > 0))
	n.isolation.Set(n.now(), !n.offline && (v.Isolated || v.Visible < members), v.Visible, members)
	return told
}

// isolated applies the limit's OnIsolation to a request while iso lasts. allowed is what the
// limit's own test said. With charge, it charges a request that passes to the client's share.
// s is locked.
func isolated(s *table.Shard, e *table.Entry, iso *isolation.Group, now, cost int64, allowed, charge bool) (bool, Reason) {
	switch choice := e.Rule().Policy.OnIsolation; {
	case choice == IsolationShare:
		if allowed && !s.Shares.Admit(iso, s.Client(e, now), now, cost, charge) {
			return false, ReasonIsolatedShare
		}
	case !iso.Isolated():
	case choice == IsolationOpen:
		if !allowed {
			return true, ReasonIsolatedOpen
		}
	case choice == IsolationClosed:
		return false, ReasonIsolatedClosed
	}
	return allowed, ReasonOK
}

// explainIsolated adapts what a client is told to the limit's OnIsolation. s is locked.
func explainIsolated(s *table.Shard, d *Decision, e *table.Entry, iso *isolation.Group, now, cost int64) {
	// again is when to try again, since nobody knows how long the isolation lasts. Raising it
	// keeps clients away for longer than needed; lowering it lets them ask more often in vain.
	const again = time.Second
	switch choice := e.Rule().Policy.OnIsolation; {
	case choice == IsolationShare:
		if x, some := s.Shares.Explain(iso, s.Client(e, now), now, cost, d.Allowed); some {
			d.Remaining = min(d.Remaining, x.Remaining)
			d.RetryAfter, d.ResetAfter = max(d.RetryAfter, x.RetryAfter), max(d.ResetAfter, x.ResetAfter)
		}
	case !iso.Isolated():
	case choice == IsolationOpen:
		if d.Reason == ReasonIsolatedOpen {
			d.RetryAfter = 0
		}
	case choice == IsolationClosed:
		d.Remaining, d.RetryAfter, d.ResetAfter = 0, again, max(again, d.ResetAfter)
	}
}

// Forget takes a node that will not come back off the list of members. Its silence then no
// longer counts as a partition. Call it on every node. It reports whether this node knew the
// name.
//
// A name on the roster of bounded limits is struck off on all nodes, and for good: the others get its
// share. So it must be dead, or this node itself, which stops using its share within a second and goes
// on without one.
func (n *Node) Forget(name string) bool {
	struck := n.holdings.StrikeOff(name)
	return n.protocol.Forget(name) || struck
}
