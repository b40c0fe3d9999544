package inside

import (
	"cmp"
	"slices"

	"github.com/distributed-rate-limiter/distributed-rate-limiter/crdt"
	"github.com/distributed-rate-limiter/distributed-rate-limiter/node/internal/isolation"
	"github.com/distributed-rate-limiter/distributed-rate-limiter/node/internal/lending"
	"github.com/distributed-rate-limiter/distributed-rate-limiter/node/internal/limits"
	"github.com/distributed-rate-limiter/distributed-rate-limiter/node/internal/table"
	"github.com/distributed-rate-limiter/distributed-rate-limiter/node/limit"
	deltasync "github.com/distributed-rate-limiter/distributed-rate-limiter/sync"
)

// Node answers what a View asks of the parts that a node is built of. Set every field.
type Node struct {
	Self      crdt.Replica
	Engine    *deltasync.Engine
	Table     *table.Table
	Limits    *limits.Registry
	Isolation *isolation.Watch
	Holdings  *lending.Holdings
	Now       func() int64
}

// Fresh implements View.
func (n Node) Fresh(replica uint64) (at int64, known bool) {
	return n.Engine.Fresh(crdt.Replica(replica))
}

// Rights implements View.
func (n Node) Rights(name, client string, grain int64, of func(crdt.Replica) string) string {
	return n.Holdings.State(n.Limits.Get(name), client, grain, of)
}

// Standing implements View.
func (n Node) Standing(limitName, client string) (reset crdt.Stamp, p limit.Policy, held bool) {
	n.entry(limitName, client, func(_ *table.Shard, e *table.Entry) {
		reset, p, held = e.Reset(), n.inForce(e.Rule(), n.Now()).Policy, true
	})
	return reset, p, held
}

// Unknown implements View.
func (n Node) Unknown() (out []Span) {
	for _, u := range n.Engine.Status(n.Now()).Unknown {
		for _, s := range u.Spans {
			out = append(out, Span{Of: u.Replica, Began: s.Began, Ended: s.Ended, Kind: int(s.Kind)})
		}
	}
	return out
}

// Isolated implements View.
func (n Node) Isolated() bool { return n.Isolation.Group().Isolated() }

// Held implements View.
func (n Node) Held(at int64) []Held {
	var out []Held
	for e := range n.Table.All {
		out = append(out, heldBy(e, n.inForce(e.Rule(), at), n.Self, at)...)
	}
	slices.SortFunc(out, func(a, b Held) int {
		return cmp.Or(cmp.Compare(a.Key.Hi, b.Key.Hi), cmp.Compare(a.Key.Lo, b.Key.Lo))
	})
	return out
}

// inForce is the rule that decides at an instant where the last decision was by the given one.
func (n Node) inForce(rule *limit.Rule, at int64) *limit.Rule {
	l := n.Limits.Get(rule.Limit)
	if l == nil {
		return rule
	}
	r := l.At(at)
	if rule.Revision.Compare(r.Stamp) >= 0 {
		return rule
	}
	if next := r.Numbered(rule.Index); next != nil {
		return next
	}
	return &r.Rules[0]
}
