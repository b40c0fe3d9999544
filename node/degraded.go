package node

import (
	"github.com/distributed-rate-limiter/distributed-rate-limiter/node/internal/health"
	"github.com/distributed-rate-limiter/distributed-rate-limiter/node/internal/limits"
	"github.com/distributed-rate-limiter/distributed-rate-limiter/node/internal/tally"
	deltasync "github.com/distributed-rate-limiter/distributed-rate-limiter/sync"
)

// DegradedReasonNames lists all names that Stats.DegradedReasons can hold.
func DegradedReasonNames() []string { return health.Names() }

// DescribeDegraded says in words what one of DegradedReasonNames means and what ends it, both
// empty for another name.
func DescribeDegraded(name string) (means, until string) { return health.Describe(name) }

// DegradedReasons is the member of Stats of this name, for the cost of a look at the peers instead
// of one at every limit.
func (n *Node) DegradedReasons() []string {
	status := n.protocol.Status()
	return n.sight(&status).degraded()
}

// OnceNames lists all names that LimitStats.OvershootOnce has.
func OnceNames() []string { return health.OnceNames() }

// sighting is what a node sees of the cluster at one moment, and what it makes of that.
type sighting struct {
	*limits.Sight
	node *Node
}

// sight is what the node sees at this moment.
func (n *Node) sight(status *deltasync.Status) sighting {
	now := status.Now
	if now == 0 { // nothing drives the node yet
		now = n.now()
		status.Now = now
	}
	switch {
	case n.clock != nil:
		n.watch.NoteClock(now, n.clock.Offset())
	case n.cfg.Elapsed != nil:
		n.watch.NoteClock(now, n.now()-int64(n.cfg.Elapsed()))
	}
	own := n.watch.Clock()
	return sighting{node: n, Sight: &limits.Sight{
		Sync: status, Flush: n.cfg.Flush, Tolerance: n.cfg.ClockTolerance, Own: &own,
		Never:    !n.offline && !n.cfg.Alone && !status.Heard && (!n.members.Known || len(status.Roster) > 0),
		Isolated: n.isolation.Group().Isolated(),
		Open:     n.onFull == FullOpen && n.table.Clients() >= n.cfg.MaxClients,
	}}
}

// degraded lists the names of the reasons for which the node is degraded. A node without
// others never is.
func (s sighting) degraded() []string {
	n := s.node
	if n.offline {
		return nil
	}
	return n.watch.Degraded(&health.Look{
		Sight: s.Sight, Alone: n.cfg.Alone, ClockAhead: n.clockAhead(), Horizon: n.limits.Horizon(s.Sync.Now), FullOpen: n.onFull == FullOpen,
		// Rows of a limit that is not known yet are repaired when it is, and are missing until then.
		Lost:           n.dropped.Of(tally.DropFuture) + n.dropped.Of(tally.DropFull) + n.dropped.Of(tally.DropExcess),
		PassedIsolated: n.opened.Load(), PassedFull: n.overflowed.Load(),
	})
}

// bounds are the worst case of one limit and what to expect. The heaviest client here is
// taken to ask the other nodes for as much each.
func (s sighting) bounds(r *limits.Revision) (bound, expected float64) {
	return r.Limit.Bound(s.Sight), r.Expected(s.Sight, s.elsewhere(r))
}

// denied is by how much a denial can be wrong at most, and what to expect.
func (s sighting) denied(r *limits.Revision) (worst, expected float64) {
	if s.node.offline {
		return 0, 0
	}
	return r.Denied(s.Sight, s.elsewhere(r))
}

// elsewhere is what the heaviest client is taken to ask of the other nodes, in units a second.
func (s sighting) elsewhere(r *limits.Revision) float64 {
	return float64(max(s.Sync.Members, 1)-1) * s.node.demand.Rate(r.Limit.Account)
}
