package node

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/distributed-rate-limiter/distributed-rate-limiter/node/internal/limits"
)

// Limiter is one named limit of a node. It follows changes of the limit's policy. It may
// outlive the limit: while no limit has its name, it denies everything with
// ReasonUnknownLimit. Safe for concurrent use.
type Limiter struct {
	node  *Node
	name  string
	limit *limits.Limit // nil: the name had no limit at the last look
}

// MustLimiter returns the limiter of that name ("" is "default") and panics if the node
// has no such limit. Call it when the program starts, so that a misspelt name ends the
// start and not every request. A limit that only other nodes know of so far, because
// SetLimit made it there, is not found before the node is ready.
func (n *Node) MustLimiter(name string) *Limiter {
	l, ok := n.Lookup(name)
	if !ok {
		known := strings.Join(slices.Sorted(maps.Keys(n.Limits())), ", ")
		panic(fmt.Sprintf("node: there is no limit %q; there are: %s", name, known))
	}
	return l
}

// Lookup returns the limiter of that name ("" is "default"), and whether the node has
// such a limit now.
func (n *Node) Lookup(name string) (*Limiter, bool) {
	l := n.Limiter(name)
	return l, l.limit.Known(n.now()) != nil
}

// Limiter returns the limiter of that name ("" is "default"), for a limit that may come and
// go while the program runs. While there is none, it denies everything, and the first
// request makes a warning in the log.
func (n *Node) Limiter(name string) *Limiter {
	return &Limiter{node: n, name: name, limit: n.limits.Get(name)}
}

// find is the limit, nil if there still is none of that name.
func (l *Limiter) find() *limits.Limit {
	if l.limit == nil || l.limit.Removed() {
		return l.node.find(l.name)
	}
	return l.limit
}

// Allow takes one unit for the client and reports whether the request may pass. It
// never blocks, never fails and allocates nothing.
func (l *Limiter) Allow(clientID string) bool {
	return l.node.decide(l.find(), clientID, 1, nil, nil)
}

// Take asks for cost units, all or none.
func (l *Limiter) Take(clientID string, cost int64) Decision {
	var d Decision
	l.node.decide(l.find(), clientID, cost, &d, nil)
	return d
}

// Peek answers as Take would, but takes nothing.
func (l *Limiter) Peek(clientID string, cost int64) Decision {
	return l.node.peek(l.find(), clientID, cost)
}

// find is the limit of that name, nil if there is none.
func (n *decider) find(name string) *limits.Limit {
	l := n.limits.Get(name)
	if l == nil {
		n.unknown.Warn(n.log, unknownLimit, "limit", name)
	}
	return l
}

// unknownLimit is what the log says of a name, once: a misspelt one would otherwise deny everybody
// in silence.
const unknownLimit = "there is no limit of this name: requests that name it are denied"
