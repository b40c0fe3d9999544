package node

import (
	"io"
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

// ErrRestoring is SaveCounts's answer while the node still takes over what an earlier run saved.
var ErrRestoring = saved.ErrRestoring

// Restored says what came back of Config.SavedCounts.
type Restored = saved.Restored

// SaveCounts writes what the node has counted of all clients, in a form for Config.SavedCounts.
// It walks over the clients in small pieces, and writes between them: no decision waits for w. last
// says that the node takes nothing any more, so that what is written is all that it admitted.
//
// A node that joins, or still restores what an earlier run saved, knows less than the file that it
// would replace: the error is ErrJoining or ErrRestoring then. It is ErrClockAhead while peers refuse what
// the node counts. Other errors are those of w. What was written is good only if there is none.
func (n *Node) SaveCounts(w io.Writer, last bool) error {
	status := n.protocol.Status()
	switch {
	case !status.Joined && !n.offline:
		return ErrJoining
	case n.keeper.Restoring():
		return ErrRestoring
	case n.lead.Beyond():
		return ErrClockAhead
	}
	return n.keeper.Write(w, &status, last)
}
