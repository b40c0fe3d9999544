package node

import (
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/distributed-rate-limiter/distributed-rate-limiter/node/internal/limits"
	"github.com/distributed-rate-limiter/distributed-rate-limiter/node/internal/tally"
	deltasync "github.com/distributed-rate-limiter/distributed-rate-limiter/sync"
)

// degradation is one reason for which a node is degraded: the cluster may admit more than
// the live bound says, or the bound is wide or unknown.
type degradation struct {
	name  string // as metrics and JSON have it
	means string // for the log
	until string // what ends it, for the log
	// lasts says that it counts until the widest limit's horizon has passed since it last
	// held: what was admitted meanwhile stays admitted.
	lasts bool
	holds func(n *Node, s *limits.Sight) bool
}

// deafness is how long a peer that this node hears may fail to hear it. A node that has just
// come needs a beat or two. Raising it notices one-way partitions later; lowering it calls
// every start of a node a degradation.
const deafness = int64(2500 * time.Millisecond)

// tooStale is by how much older than a live peer's last message the data held from it may be.
// Silence has a reason of its own. Raising it overlooks a node that does not keep up. Lowering
// it below a repair's time calls each loss a degradation.
const tooStale = int64(time.Second)

// crowdedFor is for how long a drop counts: a gap is found by the next beat, and asked for
// within some seconds. Raising it keeps a node degraded for longer after a burst. Lowering it
// ends it before the loss is mended.
const crowdedFor = int64(5 * time.Second)

// degradations lists all reasons. docs/error-bound.md, section 9, has the same table.
var degradations = []degradation{
	{
		name: "not_connected", means: "no connection to the network", until: "the node is connected",
		holds: func(n *Node, s *limits.Sight) bool {
			return !s.Sync.Connected && (!n.cfg.Alone || len(s.Sync.Peers) > 0)
		},
	},
	{
		name: "peer_silent", means: "a peer is silent and may be admitting", until: "the peer is heard, says bye, is replaced by a later run of its node, or an operator forgets it",
		holds: func(n *Node, s *limits.Sight) bool {
			return anyPeer(s, func(p *deltasync.Peer) bool { return p.State != deltasync.PeerAlive && p.Admits }) || s.Isolated && !n.cfg.Alone
		},
	},
	{
		name: "one_way", means: "a peer is heard that does not hear this node", until: "the peer hears this node",
		holds: func(_ *Node, s *limits.Sight) bool {
			return anyPeer(s, func(p *deltasync.Peer) bool { return p.State == deltasync.PeerAlive && p.DeafFor > deafness })
		},
	},
	{
		name: "peer_unheard", means: "peers hear a node that this node never heard", until: "the node is heard, or nobody hears it any more",
		holds: func(_ *Node, s *limits.Sight) bool { return s.Sync.Unheard > 0 },
	},
	{
		name: "never_heard", means: "other nodes are expected and none was ever heard", until: "one is heard; or start the node with -nodes 1 if it is alone",
		holds: func(_ *Node, s *limits.Sight) bool { return s.Never },
	},
	{
		name: "joining", means: "this node does not know yet what its peers know, or they do not know it", until: "the node is ready, and all peers that it hears list it in their beats",
		holds: func(n *Node, s *limits.Sight) bool { return !s.Sync.Settled && (!n.cfg.Alone || s.Sync.Heard) },
	},
	{
		name: "joined_without_snapshot", means: "this node joined without all that its peers knew", until: "what they knew then is too old to count",
		holds: func(n *Node, s *limits.Sight) bool {
			return s.Sync.Partial && s.Sync.FoundedAgo < n.horizon(s.Sync.Now)
		},
	},
	{
		name: "messages_dropped", means: "messages of peers, or to them, found no room in a queue", until: "5 s after the last one, when what was in them is repaired",
		holds: func(n *Node, s *limits.Sight) bool {
			return n.crowded.lately(s.Sync.Now, s.Sync.Stats.Dropped[deltasync.DropQueue]+s.Sync.Stats.PublishErrors)
		},
	},
	{
		name: "stale", means: "a peer is heard, but what it admitted more than a second before is not known here", until: "all that the peer sent is merged",
		holds: func(_ *Node, s *limits.Sight) bool {
			return anyPeer(s, func(p *deltasync.Peer) bool {
				return p.State == deltasync.PeerAlive && p.StaleFor-p.HeardAgo > tooStale
			})
		},
	},
	{
		name: "rows_refused", means: "rows of peers were refused", until: "the windows of these rows are too old to count", lasts: true,
		holds: func(n *Node, _ *limits.Sight) bool { return n.lost.grew(n.lostRows()) },
	},
	{
		name: "clock_ahead", means: "this node's time or a peer's is further ahead than the tolerance, so rows are refused", until: "the clocks agree", lasts: true,
		holds: func(n *Node, s *limits.Sight) bool {
			tolerance := int64(s.Tolerance)
			return n.clockAhead() || anyPeer(s, func(p *deltasync.Peer) bool {
				return p.State == deltasync.PeerAlive && p.HearsUs && max(p.Skew, -p.Skew) > tolerance
			})
		},
	},
	{
		name: "isolated_open", means: "an open limit let requests pass while nodes did not hear each other", until: "they hear each other, and what passed is too old to count", lasts: true,
		holds: func(n *Node, _ *limits.Sight) bool { return n.passedOpen.grew(n.opened.Load()) },
	},
	{
		name: "table_full_open", means: "unknown clients pass because the table is full", until: "the table has room, and what passed is too old to count", lasts: true,
		holds: func(n *Node, _ *limits.Sight) bool {
			return n.onFull == FullOpen && n.passedFull.grew(n.overflowed.Load())
		},
	},
}

func anyPeer(s *limits.Sight, is func(*deltasync.Peer) bool) bool {
	for i := range s.Sync.Peers {
		if is(&s.Sync.Peers[i]) {
			return true
		}
	}
	return false
}

// growing notices that a counter grew since the last look. Safe for concurrent use.
type growing struct {
	mu   sync.Mutex
	last uint64
}

func (g *growing) grew(to uint64) bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	was := g.last
	g.last = max(was, to)
	return to > was
}

// recent notices that a counter grew a short while ago. Safe for concurrent use.
type recent struct {
	growing
	at atomic.Int64 // when it was seen to grow last; 0 is never
}

func (r *recent) lately(now int64, count uint64) bool {
	if r.grew(count) {
		r.at.Store(now)
	}
	at := r.at.Load()
	return at != 0 && now-at < crowdedFor
}

// lostRows counts the rows that were refused for good. Rows of a limit that is not known yet
// are repaired when it is, and are missing until then.
func (n *Node) lostRows() uint64 {
	return n.dropped.Of(tally.DropFuture) + n.dropped.Of(tally.DropFull) + n.dropped.Of(tally.DropExcess)
}

// sightings is what a node remembers from one look at its own state to the next. The zero
// value is ready. Safe for concurrent use.
type sightings struct {
	mu  sync.Mutex
	own deltasync.Offsets // our clock against one that nobody sets
	was int64             // the last of them
	// held is when each degradation that lasts held last, by our clock; 0 if it never did.
	held []int64
}

// note takes how far our clock is from one that nobody sets.
func (s *sightings) note(now, offset int64) {
	// A step is what no crystal drifts within a second. Raising it takes small steps for
	// drift; lowering it takes drift for steps, which does no harm to the bound.
	const step = int64(100 * time.Microsecond)
	s.mu.Lock()
	defer s.mu.Unlock()
	d := offset - s.was
	s.was = offset
	s.own.Note(now, offset, offset, d > step || d < -step)
}

// degradedBy lists the names of the reasons that hold, or still count. horizon is that of the
// widest limit.
func (n *Node) degradedBy(s *limits.Sight) (names []string) {
	if n.offline {
		return nil
	}
	horizon := n.horizon(s.Sync.Now)
	n.sightings.mu.Lock()
	defer n.sightings.mu.Unlock()
	if n.sightings.held == nil {
		n.sightings.held = make([]int64, len(degradations))
	}
	for i := range degradations {
		d := &degradations[i]
		held := &n.sightings.held[i]
		if d.holds(n, s) {
			*held = s.Sync.Now
		} else if !d.lasts || *held == 0 || s.Sync.Now-*held >= horizon {
			continue
		}
		names = append(names, d.name)
	}
	return names
}

// horizon is the longest of all limits'.
func (n *Node) horizon(now int64) int64 {
	longest := limits.LeastHorizon
	for _, l := range n.limits.All() {
		if r := l.Known(now); r != nil {
			for i := range r.Rules {
				longest = max(longest, limits.Horizon(&r.Rules[i].Policy))
			}
		}
	}
	return int64(longest)
}

// sight is what the node sees of the cluster at this moment.
func (n *Node) sight(status *deltasync.Status) *limits.Sight {
	now := status.Now
	if now == 0 { // nothing drives the node yet
		now = n.now()
		status.Now = now
	}
	switch {
	case n.clock != nil:
		n.sightings.note(now, n.clock.Offset())
	case n.cfg.Elapsed != nil:
		n.sightings.note(now, n.now()-int64(n.cfg.Elapsed()))
	}
	n.sightings.mu.Lock()
	own := n.sightings.own.Clone()
	n.sightings.mu.Unlock()
	return &limits.Sight{
		Sync: status, Flush: n.cfg.Flush, Tolerance: n.cfg.ClockTolerance, Own: &own,
		Never:    !n.offline && !n.cfg.Alone && !status.Heard && (!n.members.known || len(n.members.names) > 0),
		Isolated: n.isolation.Group().Isolated(),
		Open:     n.onFull == FullOpen && n.table.Clients() >= n.cfg.MaxClients,
	}
}

// DegradedReasonNames lists all names that Stats.DegradedReasons can hold.
func DegradedReasonNames() (names []string) {
	for i := range degradations {
		names = append(names, degradations[i].name)
	}
	return names
}

// logDegraded says which reasons began and which ended since the last call. Only the
// housekeeping calls it.
func (n *Node) logDegraded(names []string) {
	n.degraded.Store(len(names) > 0)
	for i := range degradations {
		d := &degradations[i]
		holds := slices.Contains(names, d.name)
		switch was := n.logged[d.name]; {
		case holds && !was:
			n.log.Warn("degraded: "+d.means+"; decisions go on, the error bound is wide or unknown", "reason", d.name, "until", d.until)
		case !holds && was && len(names) == 0:
			n.log.Info("not degraded any more", "reason", d.name)
		case !holds && was:
			n.log.Info("less degraded", "reason", d.name)
		}
		n.logged[d.name] = holds
	}
}
