package sync

import (
	"errors"
	"maps"

	"github.com/distributed-rate-limiter/distributed-rate-limiter/crdt"
)

// Drop is why an arrived message was thrown away.
type Drop uint8

// The reasons. DropQueue counts what the transport had to drop unread.
const (
	DropTag Drop = iota
	DropVersion
	DropMalformed
	DropOversize
	DropSubject
	DropSender
	DropPeers
	DropQueue
	dropEnd
)

func (d Drop) String() string {
	return [dropEnd]string{"tag", "version", "malformed", "oversize", "subject", "sender", "peers", "queue"}[d]
}

func dropOf(err error) Drop {
	switch {
	case errors.Is(err, ErrTag):
		return DropTag
	case errors.Is(err, ErrVersion):
		return DropVersion
	case errors.Is(err, ErrOversize):
		return DropOversize
	}
	return DropMalformed
}

// Traffic counts messages and their bytes.
type Traffic struct{ Messages, Bytes uint64 }

func (t *Traffic) add(n int) {
	t.Messages++
	t.Bytes += uint64(n)
}

// Stats are the engine's counters since its start.
type Stats struct {
	Sent, Received         map[Kind]*Traffic
	RowsSent, RowsReceived uint64
	Dropped                map[Drop]uint64
	Gaps                   uint64 // sequences with something missing
	Mismatches             uint64 // digests that differed without a gap
	Repairs                uint64 // requests for rows
	Timeouts               uint64 // requests without an answer
	PublishErrors          uint64 // messages that the transport refused
}

func (s *Stats) init() {
	s.Sent, s.Received = make(map[Kind]*Traffic, kindEnd), make(map[Kind]*Traffic, kindEnd)
	s.Dropped = make(map[Drop]uint64, dropEnd)
	for k := Kind(1); k < kindEnd; k++ {
		s.Sent[k], s.Received[k] = &Traffic{}, &Traffic{}
	}
	for d := range dropEnd {
		s.Dropped[d] = 0
	}
}

// clone copies s deeply, for readers beside the engine.
func (s *Stats) clone() Stats {
	c := *s
	c.init()
	for k, t := range s.Sent {
		*c.Sent[k] = *t
	}
	for k, t := range s.Received {
		*c.Received[k] = *t
	}
	maps.Copy(c.Dropped, s.Dropped)
	return c
}

// Peer is what the engine knows of one other incarnation.
type Peer struct {
	Node    string
	Replica crdt.Replica
	State   PeerState
	Joining bool
	HearsUs bool // its last beat said so
	// Admits says that it may be admitting: it did not say bye, and is not silent while
	// a later incarnation of its node is heard.
	Admits bool
	// DeafFor is for how long its beats have not said so, nanoseconds.
	DeafFor int64
	// HeardAgo is the time since its last message, StaleFor the age of the moment
	// up to which everything that it sent is merged here; both nanoseconds, the
	// latter corrected for skew.
	HeardAgo, StaleFor int64
	Skew               int64 // its clock minus ours, estimated
	Delay              int64 // one-way, estimated
	Behind             bool  // something that it sent is missing here
	Limits             crdt.Digest
	Otherwise          bool           // configured with other limits than this node
	Hears              []crdt.Replica // sorted
}

// Status is the protocol's state at one moment.
type Status struct {
	Connected bool
	Ready     bool
	Partial   bool // ready without a whole snapshot, though there were peers
	Seq       uint64
	// The group that this node counts with: see View.
	Members, Visible int
	Isolated         bool
	Peers            []Peer
	Stats            Stats
}

// Status describes the engine at now.
func (e *Engine) Status(now int64) Status {
	s := Status{
		Connected: e.connected, Ready: e.Ready(), Partial: e.join.partial,
		Members: e.view.Members, Visible: e.view.Visible, Isolated: e.view.Isolated,
		Seq: e.seq, Stats: e.stats.clone(),
	}
	for _, p := range e.peers.list {
		skew, delay := p.offset()
		deaf := int64(0)
		if !p.hearsUs {
			deaf = now - p.deafAt
		}
		s.Peers = append(s.Peers, Peer{
			Node: p.node, Replica: p.replica, State: p.state, Joining: p.joining, HearsUs: p.hearsUs, Admits: e.admits(p), DeafFor: deaf,
			HeardAgo: now - p.heardAt, StaleFor: p.staleness(now), Skew: skew, Delay: delay,
			Behind: p.behind(), Limits: p.limits, Otherwise: p.otherwise, Hears: append([]crdt.Replica(nil), p.hears...),
		})
	}
	return s
}

// Ready reports whether the node has joined its cluster.
func (e *Engine) Ready() bool { return e.join.ready || e.cfg.Alone }

// Fresh is the instant, by the peer's clock, up to which everything that it had
// sent is merged here; false if nothing is known of it.
func (e *Engine) Fresh(r crdt.Replica) (at int64, known bool) {
	p := e.peers.find(r)
	if p == nil || !p.sure {
		return 0, false
	}
	return p.freshAt, true
}
