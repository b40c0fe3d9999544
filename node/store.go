package node

import deltasync "github.com/distributed-rate-limiter/distributed-rate-limiter/sync"

// store lists who implements the roles of the replicated state.
func (n *Node) store() deltasync.Store {
	return deltasync.Store{
		Rows: n.table, Summaries: n.table, Registry: n.limits, Configured: n.limits, Resetter: resetter{n}, Settler: n.escrow, Viewer: viewer{n},
	}
}
