package node

import (
	"strings"

	"github.com/distributed-rate-limiter/distributed-rate-limiter/crdt"
	"github.com/distributed-rate-limiter/distributed-rate-limiter/node/internal/table"
	"github.com/distributed-rate-limiter/distributed-rate-limiter/node/internal/tally"
	"github.com/distributed-rate-limiter/distributed-rate-limiter/node/limit"
	deltasync "github.com/distributed-rate-limiter/distributed-rate-limiter/sync"
)

// store is the node as the protocol sees it.
type store struct{ *Node }

// store lists who implements the roles of the replicated state.
func (n *Node) store() deltasync.Store {
	s := store{n}
	return deltasync.Store{Rows: n.table, Summaries: n.table, Registry: s, Configured: s, Resetter: s, Settler: n.escrow, Viewer: s}
}

// limitsOf are the node's limits as its table sees them.
type limitsOf struct{ *Node }

var _ table.Limits = limitsOf{}

// RuleOf implements table.Limits.
func (n limitsOf) RuleOf(now int64, d *crdt.Delta) (r *limit.Rule, a *tally.Account, known bool) {
	l := n.limits.get(d.Limit)
	if strings.HasPrefix(d.Limit, calledMark) {
		l = n.limits.calledByName(d.Limit, now)
	}
	if l == nil {
		n.dropped.Add(tally.DropLimit, len(d.Rows))
		return nil, nil, d.Revision == crdt.Stamp{} // a configured one will not come; one that was set may
	}
	rev := l.find(d.Revision)
	if rev == nil {
		n.dropped.Add(tally.DropRevision, len(d.Rows))
		return nil, nil, d.Revision.Compare(l.newest().stamp) < 0
	}
	if r = rev.numbered(d.Rule); r == nil {
		n.dropped.Add(tally.DropRevision, len(d.Rows))
	}
	return r, l.account, true
}

// Windows implements table.Limits.
func (n limitsOf) Windows(now int64) []deltasync.Window {
	var out []deltasync.Window
	seen := map[deltasync.Window]bool{}
	for l := range n.limits.each {
		for _, r := range l.revisions() {
			for _, f := range r.frames {
				cur := deltasync.Window{Width: f.Width, Start: f.Start(now)}
				if !seen[cur] {
					seen[cur] = true
					out = append(out, cur, deltasync.Window{Width: f.Width, Start: f.Before(cur.Start)})
				}
			}
		}
	}
	return out
}
