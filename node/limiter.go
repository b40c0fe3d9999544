package node

// Limiter is one named limit of a node. It follows changes of the limit's policy, and
// may outlive it: while there is no limit of its name it denies everything, with
// ReasonUnknownLimit. Safe for concurrent use.
type Limiter struct {
	node  *Node
	name  string
	limit *namedLimit // nil: there was none when it was looked up
}

// known is the limit, nil if there still is none of that name.
func (l *Limiter) known() *namedLimit {
	if l.limit == nil || l.limit.removed.Load() {
		return l.node.limits.get(l.name)
	}
	return l.limit
}

// Allow takes one unit for the client and reports whether the request may pass. It
// never blocks, never fails and allocates nothing.
func (l *Limiter) Allow(clientID string) bool {
	return l.node.decide(l.known(), clientID, 1, nil, nil)
}

// Take asks for cost units, all or none.
func (l *Limiter) Take(clientID string, cost int64) Decision {
	var d Decision
	l.node.decide(l.known(), clientID, cost, &d, nil)
	return d
}

// Peek tells what Take would say of cost units, and takes nothing.
func (l *Limiter) Peek(clientID string, cost int64) Decision {
	return l.node.peek(l.known(), clientID, cost)
}
