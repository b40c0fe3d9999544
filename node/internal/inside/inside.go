// Package inside says what the simulator sees of a node's state. It is internal because no
// other program is to depend on how a node counts.
package inside

import (
	"github.com/distributed-rate-limiter/distributed-rate-limiter/crdt"
	"github.com/distributed-rate-limiter/distributed-rate-limiter/node/limit"
)

// View looks into a node that a Stepper drives. Not safe for concurrent use.
type View interface {
	// Fresh is the instant, by the clock of the given incarnation, up to which everything
	// that it had sent is merged here; false if that is not known.
	Fresh(replica uint64) (at int64, known bool)
	// Joined reports whether the node has joined: from then on it tells what it admits.
	Joined() bool
	// Standing is when a client was last reset under a limit, and the policy that decides
	// on it now; zero and false if the node holds no such state.
	Standing(limit, client string) (reset crdt.Stamp, p limit.Policy, held bool)
	// Exported is what the node's statistics say of a limit now: its live bound, in units, and
	// whether the node is degraded. A limit that the node does not have has no bound.
	Exported(limit string) (bound float64, degraded bool)
	// Denied is how many units of room the node says that a client can have at most when it denies it
	// something under a limit.
	Denied(limit string) float64
	// Degraded lists the reasons for which the node says that it is degraded.
	Degraded() []string
	// Unknown lists what the other incarnations can have admitted that is not merged here: what
	// the live bound follows from.
	Unknown() []Span
	// Isolated reports whether OnIsolation applies now.
	Isolated() bool
	// Rights writes down what the node has of a client under a bounded limit, and of the roster: times
	// in steps of grain, incarnations by their names.
	Rights(limit, client string, grain int64, name func(crdt.Replica) string) string
	// Own is what the node itself charged a client under a limit, and gave back.
	Own(limit, client string) Own
	// Held lists the state of all clients that matter at an instant, rolled to its window, in
	// the order of their keys. Nodes that merged the same hold the same.
	Held(at int64) []Held
}

// Span is a stretch of time, as two ages in nanoseconds, in which an incarnation may have
// admitted what is not merged here. Ended is 0 while it goes on. Kind is a sync.SpanKind.
type Span struct {
	Of           crdt.Replica
	Began, Ended int64
	Kind         int
}

// Held is one client's state as a node holds it, in a form that can be compared.
type Held struct {
	Key    crdt.Key
	Limit  string
	Life   crdt.Life // counters begin at 0 in each life
	Starts [2]int64  // of the current and the previous window
	Origin [2]int64
	TAT    int64
	Units  [2]uint64 // counted in each window, and carried into it, by an algorithm with windows
	Cells  []Cell    // of all replicas, by their numbers
}

// Cell is one replica's counters in the current and the previous window.
type Cell struct {
	Replica crdt.Replica
	Count   [2]crdt.Count
}
