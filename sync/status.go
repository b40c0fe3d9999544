package sync

import (
	"slices"

	"github.com/distributed-rate-limiter/distributed-rate-limiter/crdt"
)

// Peer is what the engine knows of one other incarnation.
type Peer struct {
	Node    string
	Replica crdt.Replica
	State   PeerState
	Joining bool // it said last that it is not ready
	HearsUs bool // its last beat said so
	// Admits says that the peer may be admitting: it did not say bye, and it is not a
	// silent one whose node is heard under a later incarnation.
	Admits bool
	// DeafFor is for how long its beats have not named us, in nanoseconds; 0 if HearsUs.
	DeafFor int64
	// HeardAgo is the time since its last message. StaleFor is the age of the moment up to
	// which all that it sent is merged here, corrected for skew. Both in nanoseconds.
	HeardAgo, StaleFor int64
	Skew               int64          // its clock minus ours, estimated, nanoseconds
	Delay              int64          // one-way, estimated, nanoseconds
	Behind             bool           // something that it sent is missing here
	Left               bool           // it said bye, with the number of its last delta
	Whole              bool           // it left, and all that it ever sent is merged here
	Limits             crdt.Digest    // of its limits register, 0 before its first beat
	OtherLimits        bool           // it is configured with other limits than this node
	Hears              []crdt.Replica // whom its last beat named, sorted
	Beats              uint64         // how many it sent, at about one a second
	Offsets            Offsets        // its clock minus ours, its error included, over time
}

// Status is the protocol's state at one moment. The caller owns all of it.
type Status struct {
	Connected bool
	Ready     bool
	// Joined says that the node has joined, as far as it can. A node that expects nobody is ready
	// before that.
	Joined bool
	// Waiting says that nobody is there who could give a snapshot, so that the node waits for
	// the counts of Config.Saved before it is ready.
	Waiting bool
	// Partial says that something ran before what this node knows of began, which is
	// FoundedAgo nanoseconds ago.
	Partial    bool
	FoundedAgo int64
	Seq        uint64 // of the last delta sent
	// Members, Visible and Isolated are the group that this node counts with: see View.
	Members, Visible int
	Isolated         bool
	Peers            []Peer // in the order of their incarnations' numbers
	// Silent is what is known of replicas that are not among Peers and whose counters are
	// held, in the order of their numbers.
	Silent []Known
	// Heard says that another incarnation was heard at least once.
	Heard bool
	// Roster is the names of the other nodes that count as members, in order.
	Roster []string
	// Settled says that this node was ready once, and that all peers that it heard by then
	// knew it and had told all that they knew. It stays true.
	Settled bool
	// Unheard is how many incarnations peers name that this node never heard.
	Unheard int
	// Unknown lists, for each incarnation that can have admitted what is not merged here,
	// when it can have: see Span. An incarnation without an entry has told all.
	Unknown []Unknown
	// Dropped says that some spans that were over did not fit into Unknown. The latest of
	// them ended DroppedAgo nanoseconds ago.
	Dropped    bool
	DroppedAgo int64
	// Departed is how far clocks of peers that are not in Peers any more were from ours.
	Departed Offsets
	// Now is when this was so, by our clock.
	Now   int64
	Stats Stats
}

// Status describes the engine at now.
func (e *Engine) Status(now int64) Status {
	s := Status{
		Connected: e.connected, Ready: e.Ready(), Joined: e.join.ready, Waiting: e.join.waiting, Partial: e.members.founding.before != 0 && (e.members.heard || !e.cfg.Alone), FoundedAgo: now - e.members.founding.at,
		Members: e.view.Members, Visible: e.view.Visible, Isolated: e.view.Isolated,
		Seq: e.seq, Stats: e.stats.clone(), Heard: e.members.heard, Roster: e.members.roster.valid(), Settled: e.join.settled,
		Dropped: e.members.spans.dropped, DroppedAgo: now - e.members.spans.droppedAt, Departed: e.members.departed.Clone(), Now: now,
	}
	s.Unknown, s.Unheard = e.members.unknown(now)
	for _, p := range e.members.peers {
		skew, delay := p.offset()
		deaf := int64(0)
		if !p.hearsUs {
			deaf = now - p.deafAt
		}
		s.Peers = append(s.Peers, Peer{
			Node: p.node, Replica: p.replica, State: p.state, Joining: p.joining, Admits: e.members.admits(p),
			HearsUs: p.hearsUs, DeafFor: deaf, Hears: append([]crdt.Replica(nil), p.hears...),
			HeardAgo: now - p.heardAt, StaleFor: p.staleness(now), Skew: skew, Delay: delay,
			Behind: p.behind(), Left: p.left, Whole: p.whole(), Limits: p.limits, OtherLimits: p.otherLimits, Beats: p.beat, Offsets: p.bearing.history.Clone(),
		})
	}
	s.Silent = slices.DeleteFunc(e.silents(now), func(k Known) bool { return e.members.find(k.Replica) != nil })
	return s
}

// later is the same state as seen at now, when all ages have grown. It shares everything but
// the ages with s.
func (s *Status) later(now int64) Status {
	out, d := *s, now-s.Now
	if d <= 0 {
		return out
	}
	out.Now = now
	out.DroppedAgo += d
	out.Peers = slices.Clone(s.Peers)
	for i := range out.Peers {
		p := &out.Peers[i]
		p.HeardAgo, p.StaleFor = p.HeardAgo+d, p.StaleFor+d
		if !p.HearsUs {
			p.DeafFor += d
		}
	}
	out.Unknown = slices.Clone(s.Unknown)
	for i := range out.Unknown {
		spans := slices.Clone(out.Unknown[i].Spans)
		for j := range spans {
			if spans[j].Began < crdt.End { // else there is no telling when
				spans[j].Began += d
			}
			if spans[j].Ended > 0 {
				spans[j].Ended += d
			}
		}
		out.Unknown[i].Spans = spans
	}
	return out
}

// Present reports whether an incarnation may still be there to answer: it is known, and
// neither silent for too long nor gone with a bye.
func (e *Engine) Present(r crdt.Replica) bool {
	p := e.members.find(r)
	return p != nil && p.state != PeerGone
}

// Ready reports whether the node has joined its cluster, or expects nobody.
func (e *Engine) Ready() bool {
	return e.join.ready || e.join.announced || e.cfg.Alone && !e.join.restoring
}

// Fresh is the instant, by the peer's clock, up to which everything that it had sent is
// merged here; known is false if none is sure.
func (e *Engine) Fresh(r crdt.Replica) (at int64, known bool) {
	p := e.members.find(r)
	if p == nil || !p.sure {
		return 0, false
	}
	return p.freshAt, true
}
