package node

import (
	"time"

	"github.com/distributed-rate-limiter/distributed-rate-limiter/crdt"
	"github.com/distributed-rate-limiter/distributed-rate-limiter/node/internal/lending"
	"github.com/distributed-rate-limiter/distributed-rate-limiter/node/limit"
)

// Explanation says why a client gets the decisions that it gets under a limit, as far as
// this node knows.
type Explanation struct {
	// Decision is the answer to a request for one unit more. It took nothing.
	Decision
	// Policy decides on the client: the limit's own, or that of an override. Its Limit,
	// Window, Calendar and Burst are 0 for a client that is unlimited or blocked.
	Policy Policy
	// Override is the index of the override that matches the client, -1 for none.
	Override int
	// CountsAs is the network that the client counts as, empty if it counts for itself.
	CountsAs string
	// Held says that this node holds the client's state. Shared says that it does not, and
	// that the client shares an entry with others because the table is full.
	Held, Shared bool
	// Since is when the policy took effect; zero for a policy as configured. Reset is when
	// somebody last reset the client; zero for never.
	Since, Reset time.Time
	// FullAt is when the client has its whole burst again if nothing else arrives.
	FullAt time.Time
	// Right is what this node may admit to the client by itself; nil if the limit is not bounded.
	Right *Right
	// Windows are the counting windows that matter, newest first.
	Windows []ExplainedWindow
}

type (
	// ExplainedWindow is what the nodes counted in one window.
	ExplainedWindow = limit.CountedWindow
	// ExplainedShare is the part of one incarnation in a window.
	ExplainedShare = limit.CountedShare
)

// ByNode is what each node admitted to the client in the windows that count and nobody gave back, in
// units, by the node's name. Incarnations whose name this node no longer knows are under "".
func (x *Explanation) ByNode() map[string]uint64 {
	units := map[string]uint64{}
	for _, w := range x.Windows {
		for _, s := range w.Shares {
			units[s.Node] += s.Admitted - min(s.Admitted, s.GivenBack)
		}
	}
	return units
}

// Explain tells why a client gets the decisions that it gets under a limit ("" is
// "default"). It takes nothing. The error is ErrUnknownLimit, or a *FieldError about the
// client.
func (n *Node) Explain(limitName, client string) (Explanation, error) {
	l, err := n.known(limitName)
	if err != nil {
		return Explanation{}, err
	}
	now := n.now()
	c := check{client: client, limit: l, name: limitName, cost: 1}
	var net limit.Buffer
	group := n.prepare(&c, false, &net, now)
	if c.why.refused() {
		return Explanation{}, c.fault()
	}
	x := Explanation{Policy: c.rule.Policy, Override: int(c.rule.Index) - 1, CountsAs: string(group), Since: instant(c.rule.Revision.At)}
	if x.Policy.Access != Limited { // an override leaves the limit's own rate in place, unused
		x.Policy.Limit, x.Policy.Window, x.Policy.Calendar, x.Policy.Burst = 0, 0, 0, 0
	}
	iso, names := n.isolation.Group(), names(n)
	if s := c.shard; s != nil {
		s.Lock()
		defer s.Unlock()
		x.Held = s.Find(c.key) != nil
		x.Shared = !x.Held && s.Full() && (n.onFull != FullOpen || c.rule.Bounded) && !n.unplaces(c.rule)
		n.open(&c, true, now)
		defer c.drop()
	}
	n.judge(&c, nil, iso, now)
	n.conclude(&c, iso, terms{peek: true}, c.d.Allowed, false, now)
	if x.Decision, x.Cost = c.d, 0; c.entry != nil {
		x.FullAt, x.Reset = time.Unix(0, now).Add(x.ResetAfter), instant(c.entry.Reset().At)
		if c.entry.Rule().Bounded {
			x.Right = lending.RightOf(c.shard, c.entry, now)
		}
		x.Windows = limit.CountedWindows(c.entry.Rule(), c.entry.States(), n.replica, names)
	}
	return x, nil
}

// names maps the incarnations that a node knows to the names of their nodes.
func names(n *Node) map[crdt.Replica]string {
	names := map[crdt.Replica]string{n.replica: n.cfg.Name}
	status := n.protocol.Status()
	for _, p := range status.Peers {
		names[p.Replica] = p.Node
	}
	return names
}

// instant is a stamp's time, zero for none.
func instant(at int64) time.Time {
	if at == 0 {
		return time.Time{}
	}
	return time.Unix(0, at)
}
