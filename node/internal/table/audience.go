package table

import (
	"sync/atomic"

	"github.com/distributed-rate-limiter/distributed-rate-limiter/node/limit"
)

// audience is who hears what this node admits. The quantum of a client goes by it. Safe for
// concurrent use; the zero value is nobody.
type audience struct {
	peers atomic.Int32 // how many can admit
	delay atomic.Int64 // the largest to one of them, in nanoseconds
}

// due reports whether unsent units of a client, under a rule, reached the quantum. sentAt is when
// a message last carried the client, 0 for never.
func (a *audience) due(unsent uint64, sentAt int64, r *limit.Rule, now int64) bool {
	peers, delay := float64(a.peers.Load()), a.delay.Load()
	if peers == 0 {
		return false
	}
	since := max(now-sentAt, delay)
	flight := 1 + float64(delay)/float64(max(since, 1))
	return float64(unsent)*flight*peers >= r.Slack
}

// canWait reports whether unsent units that are due may wait for the flush all the same, as long
// as the client uses less than the slack: a single one, if one at each node leaves the burst's
// rest free. Among many nodes one unit is a quantum, and each request of each client would be a
// message. Corollary 2 of docs/error-bound.md has the proof.
func (a *audience) canWait(unsent uint64, r *limit.Rule) bool {
	return r.Plain && unsent == 1 && float64(a.peers.Load())+1 <= float64(r.Policy.Burst)-r.Slack
}
