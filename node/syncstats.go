package node

import (
	"time"

	deltasync "github.com/distributed-rate-limiter/distributed-rate-limiter/sync"
)

// SyncStats say how a node is doing with the other nodes of its cluster. Counters start
// with the node.
type SyncStats struct {
	Connected bool // to the network; never without one
	Ready     bool // the node has joined its cluster
	Partial   bool // ready without a whole snapshot, although there were peers to ask
	Seq       uint64
	// Members counts the nodes of the cluster, with silent ones that have not said bye.
	// Visible counts those that hear each other, with this one.
	Members, Visible int
	Peers            []PeerStats

	// Sent and Received count messages by their kind, such as "delta" and "beat".
	Sent, Received         map[string]Traffic
	RowsSent, RowsReceived uint64            // clients' totals in those messages
	Dropped                map[string]uint64 // messages dropped on arrival, by reason
	Gaps                   uint64            // times that numbers were missing between messages of a peer
	Mismatches             uint64            // digests that differed although no message was missing
	Repairs                uint64            // requests to peers for missing rows
	Timeouts               uint64            // requests that a peer did not answer in time
	PublishErrors          uint64            // messages that the network refused, or did not take in time
}

// Traffic counts messages and their bytes.
type Traffic struct{ Messages, Bytes uint64 }

// PeerStats are what a node knows of one incarnation of another node.
type PeerStats struct {
	Node    string
	Replica uint64 // the incarnation: a node that starts again has another
	State   PeerState
	Joining bool // the peer is not ready yet
	HearsUs bool // by the peer's last beat
	Hears   int  // number of incarnations that it hears
	// Heard are those incarnations, in order.
	Heard []uint64
	// Admits says that the peer can be admitting requests: it did not say bye, and no later
	// incarnation of its node was heard.
	Admits   bool
	Behind   bool          // this node misses something that the peer sent
	HeardAgo time.Duration // since its last message
	// StaleFor is the age of the data held from the peer: this node has merged everything
	// that the peer had sent by then. It is the largest Duration before the peer's first
	// message.
	StaleFor time.Duration
	Skew     time.Duration // its clock minus ours, estimated
	Delay    time.Duration // of a message from it, one way, estimated
	// LimitsVersion is the peer's; it equals Stats.LimitsVersion if the two nodes agree.
	LimitsVersion uint64
	// OtherLimits says that it decides by other limits than this node, since they are
	// configured differently. Limits that were set, or stated by a newer configuration, are
	// the same on all nodes.
	OtherLimits bool
}

// PeerState says for how long a peer has been silent. The zero value is PeerAlive.
type PeerState uint8

// The states of a peer.
const (
	PeerAlive   = PeerState(deltasync.PeerAlive)
	PeerSuspect = PeerState(deltasync.PeerSuspect) // silent for some seconds
	PeerGone    = PeerState(deltasync.PeerGone)    // silent for long, or said bye
)

// String is the state as written in JSON and metrics: alive, suspect or gone.
func (s PeerState) String() string { return deltasync.PeerState(s).String() }

// syncStats converts the protocol's status to the node's own types.
func syncStats(from *deltasync.Status) SyncStats {
	c := &from.Stats
	s := SyncStats{
		Connected: from.Connected, Ready: from.Ready, Partial: from.Partial, Seq: from.Seq,
		Members: from.Members, Visible: from.Visible,
		Sent: traffic(c.Sent), Received: traffic(c.Received), RowsSent: c.RowsSent, RowsReceived: c.RowsReceived,
		Dropped: make(map[string]uint64, len(c.Dropped)), Gaps: c.Gaps, Mismatches: c.Mismatches, Repairs: c.Repairs,
		Timeouts: c.Timeouts, PublishErrors: c.PublishErrors,
	}
	for why, count := range c.Dropped {
		s.Dropped[why.String()] = count
	}
	for i := range from.Peers {
		s.Peers = append(s.Peers, peerStats(&from.Peers[i]))
	}
	return s
}

func peerStats(p *deltasync.Peer) PeerStats {
	heard := make([]uint64, len(p.Hears))
	for i, r := range p.Hears {
		heard[i] = uint64(r)
	}
	return PeerStats{
		Node: p.Node, Replica: uint64(p.Replica), State: PeerState(p.State), Joining: p.Joining,
		HearsUs: p.HearsUs, Hears: len(p.Hears), Heard: heard, Admits: p.Admits, Behind: p.Behind,
		HeardAgo: time.Duration(p.HeardAgo), StaleFor: time.Duration(p.StaleFor),
		Skew: time.Duration(p.Skew), Delay: time.Duration(p.Delay),
		LimitsVersion: uint64(p.Limits), OtherLimits: p.OtherLimits,
	}
}

func traffic(from map[deltasync.Kind]*deltasync.Traffic) map[string]Traffic {
	out := make(map[string]Traffic, len(from))
	for kind, t := range from {
		out[kind.String()] = Traffic(*t)
	}
	return out
}
