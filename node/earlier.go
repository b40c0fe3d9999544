package node

import (
	"time"

	"github.com/distributed-rate-limiter/distributed-rate-limiter/crdt"
	"github.com/distributed-rate-limiter/distributed-rate-limiter/node/internal/saved"
	deltasync "github.com/distributed-rate-limiter/distributed-rate-limiter/sync"
)

// SaveMembers returns the names of the other nodes of the cluster, in a form for
// Config.SavedMembers. It is nil as long as nobody knows whether there are others.
func (n *Node) SaveMembers() []byte {
	status := n.protocol.Status()
	if !status.Heard && !n.members.Known {
		return nil
	}
	return saved.WriteMembers(status.Roster)
}

// Run is one run of a node, from its start to its end. Who starts the node again gives it as
// Config.LastRun: then the node knows that it was there before, and that what it admitted may
// be missing. The zero value is no run.
type Run struct {
	Incarnation uint64    `json:"incarnation"` // random, never 0
	Began       time.Time `json:"began"`
	// Until is the last moment of the run that is known of.
	Until time.Time `json:"until"`
	// Left says that the node said bye, with all that it had counted.
	Left bool `json:"left"`
}

// Run describes this run up to now.
func (n *Node) Run() Run {
	return Run{Incarnation: uint64(n.replica), Began: time.Unix(0, n.began), Until: time.Unix(0, n.now()), Left: n.left.Load()}
}

// last is the run as the protocol takes it.
func (r Run) last() deltasync.Run {
	if r.Incarnation == 0 {
		return deltasync.Run{}
	}
	return deltasync.Run{Replica: crdt.Replica(r.Incarnation), Began: r.Began.UnixNano(), Until: r.Until.UnixNano(), Left: r.Left}
}
