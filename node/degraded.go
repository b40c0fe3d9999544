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
	return n.watch.Degraded(n.look(&status))
}

// OnceNames lists all names that LimitStats.OvershootOnce has.
func OnceNames() []string { return health.OnceNames() }

// look is what the node sees of itself and of the cluster at this moment.
func (n *Node) look(status *deltasync.Status) *health.Look {
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
	return &health.Look{
		Sight: &limits.Sight{
			Sync: status, Flush: n.cfg.Flush, Tolerance: n.cfg.ClockTolerance, Own: &own,
			Never:    !n.offline && !n.cfg.Alone && !status.Heard && (!n.members.Known || len(status.Roster) > 0),
			Isolated: n.isolation.Group().Isolated(),
			Open:     n.onFull == FullOpen && n.table.Clients() >= n.cfg.MaxClients,
		},
		Offline: n.offline, Alone: n.cfg.Alone, ClockAhead: n.lead.Beyond(), Horizon: n.limits.Horizon(now),
		FullOpen: n.onFull == FullOpen, Demand: &n.demand,
		// Rows of a limit that is not known yet are repaired when it is, and are missing until then.
		Lost:           n.dropped.Of(tally.DropFuture) + n.dropped.Of(tally.DropFull) + n.dropped.Of(tally.DropExcess),
		PassedIsolated: n.opened.Load(), PassedFull: n.overflowed.Load(),
	}
}
