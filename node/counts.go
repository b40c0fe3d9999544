package node

import (
	"io"

	"github.com/distributed-rate-limiter/distributed-rate-limiter/node/internal/saved"
)

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
