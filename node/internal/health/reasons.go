package health

import (
	"time"

	deltasync "github.com/distributed-rate-limiter/distributed-rate-limiter/sync"
)

// reason is one for which a node is degraded: the cluster may admit more than the live bound
// says, or the bound is wide or unknown.
type reason struct {
	name  string // as metrics and JSON have it
	means string // for the log
	until string // what ends it, for the log
	// lasts says that it counts until the widest limit's horizon has passed since it last
	// held: what was admitted meanwhile stays admitted.
	lasts bool
	// holds is called with w.mu held, once for each look.
	holds func(w *Watch, l *Look) bool
}

// deafness is how long a peer that this node hears may fail to hear it. A node that has just
// come needs a beat or two. Raising it notices one-way partitions later; lowering it calls
// every start of a node a degradation.
const deafness = int64(2500 * time.Millisecond)

// tooStale is by how much older than a live peer's last message the data held from it may be:
// silence has a reason of its own. In an idle cluster only beats say how fresh data are, so a
// message between two of them makes data look up to a beat old, and a loss shows with the next beat.
// Then it takes a moment to be repaired. Raising it overlooks a node that does not keep up. Lowering
// it calls an idle cluster degraded, or each loss in it.
const tooStale = int64(deltasync.DefaultBeatInterval + 250*time.Millisecond)

// crowdedFor is for how long a drop counts: a gap is found by the next beat, and asked for
// within some seconds. Raising it keeps a node degraded for longer after a burst. Lowering it
// ends it before the loss is mended.
const crowdedFor = int64(5 * time.Second)

// reasons lists them all, in the order in which they are told. docs/error-bound.md, section 9, has
// the same table. A reason has an end that the node sees by itself or an operator can bring about:
// without one, an alert on it would never clear.
var reasons = []reason{
	{
		name: "not_connected", means: "no connection to the network", until: "the node is connected",
		holds: func(_ *Watch, l *Look) bool {
			return !l.Sync.Connected && (!l.Alone || len(l.Sync.Peers) > 0)
		},
	},
	{
		name: "peer_silent", means: "a peer is silent and may be admitting", until: "the peer is heard, says bye, is replaced by a later run of its node, or an operator forgets it",
		holds: func(_ *Watch, l *Look) bool {
			return anyPeer(l, func(p *deltasync.Peer) bool { return p.State != deltasync.PeerAlive && p.Admits }) || l.Isolated && !l.Alone
		},
	},
	{
		name: "one_way", means: "a peer is heard that does not hear this node", until: "the peer hears this node",
		holds: func(_ *Watch, l *Look) bool {
			return anyPeer(l, func(p *deltasync.Peer) bool { return p.State == deltasync.PeerAlive && p.DeafFor > deafness })
		},
	},
	{
		name: "peer_unheard", means: "peers hear a node that this node never heard", until: "the node is heard, or nobody hears it any more",
		holds: func(_ *Watch, l *Look) bool { return l.Sync.Unheard > 0 },
	},
	{
		name: "never_heard", means: "other nodes are expected and none was ever heard", until: "one is heard, or an operator forgets all that a state directory named; or start the node with -nodes 1 if it is alone",
		holds: func(_ *Watch, l *Look) bool { return l.Never },
	},
	{
		name: "joining", means: "this node does not know yet what its peers know, or they do not know it", until: "the node is ready, and all peers that it hears list it in their beats",
		holds: func(_ *Watch, l *Look) bool { return !l.Sync.Settled && (!l.Alone || l.Sync.Heard) },
	},
	{
		name: "joined_without_snapshot", means: "this node joined without all that its peers knew", until: "what they knew then is too old to count",
		holds: func(_ *Watch, l *Look) bool {
			return l.Sync.Partial && l.Sync.FoundedAgo < l.Horizon
		},
	},
	{
		name: "messages_dropped", means: "messages of peers, or to them, found no room in a queue", until: "5 s after the last one, when what was in them is repaired",
		holds: func(w *Watch, l *Look) bool {
			return w.crowded.lately(l.Sync.Now, l.Sync.Stats.Dropped[deltasync.DropQueue]+l.Sync.Stats.PublishErrors)
		},
	},
	{
		name: "stale", means: "a peer is heard, but what it admitted more than 1.25 s before is not known here", until: "all that the peer sent is merged",
		holds: func(_ *Watch, l *Look) bool {
			return anyPeer(l, func(p *deltasync.Peer) bool {
				return p.State == deltasync.PeerAlive && p.StaleFor-p.HeardAgo > tooStale
			})
		},
	},
	{
		name: "rows_refused", means: "rows of peers were refused", until: "the windows of these rows are too old to count", lasts: true,
		holds: func(w *Watch, l *Look) bool { return w.lost.Grew(l.Lost) },
	},
	{
		name: "clock_ahead", means: "this node's time or a peer's is further ahead than the tolerance, so rows are refused", until: "the clocks agree", lasts: true,
		holds: func(_ *Watch, l *Look) bool {
			tolerance := int64(l.Tolerance)
			return l.ClockAhead || anyPeer(l, func(p *deltasync.Peer) bool {
				return p.State == deltasync.PeerAlive && p.HearsUs && max(p.Skew, -p.Skew) > tolerance
			})
		},
	},
	{
		name: "isolated_open", means: "an open limit let requests pass while nodes did not hear each other", until: "they hear each other, and what passed is too old to count", lasts: true,
		holds: func(w *Watch, l *Look) bool { return w.isolated.Grew(l.PassedIsolated) },
	},
	{
		name: "table_full", means: "the table is full: clients that find no room are counted by each node alone", until: "the table has room, and what passed is too old to count", lasts: true,
		holds: func(w *Watch, l *Look) bool {
			return !l.FullOpen && w.full.Grew(l.PassedFull)
		},
	},
	{
		name: "table_full_open", means: "unknown clients pass because the table is full", until: "the table has room, and what passed is too old to count", lasts: true,
		holds: func(w *Watch, l *Look) bool {
			return l.FullOpen && w.full.Grew(l.PassedFull)
		},
	},
}

// anyPeer reports whether one of the known peers is as asked.
func anyPeer(l *Look, is func(*deltasync.Peer) bool) bool {
	for i := range l.Sync.Peers {
		if is(&l.Sync.Peers[i]) {
			return true
		}
	}
	return false
}
