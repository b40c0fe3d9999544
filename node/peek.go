package node

import (
	"github.com/distributed-rate-limiter/distributed-rate-limiter/crdt"
	"github.com/distributed-rate-limiter/distributed-rate-limiter/node/internal/limits"
	"github.com/distributed-rate-limiter/distributed-rate-limiter/node/internal/table"
	"github.com/distributed-rate-limiter/distributed-rate-limiter/node/limit"
)

// peek tells what a decision would say, and takes nothing.
func (n *Node) peek(l *limits.Limit, client string, cost int64) Decision {
	one := [1]check{{client: client, limit: l, cost: cost}}
	n.decideAll(one[:], terms{peek: true})
	d := one[0].d
	d.Cost = 0
	if one[0].why == ReasonOK && d.Reason != ReasonShadow {
		d.Reason = ReasonPeek
	}
	return d
}

// look makes look what a decision at now would find and leave alone. s is locked.
func (n *Node) look(look *table.Entry, s *table.Shard, l *limits.Limit, r *limit.Rule, k crdt.Key, now int64) {
	e := s.Find(k)
	if e == nil && s.Full() && n.cfg.OnFull != FullOpen {
		e = s.Find(n.overflowKey(l, r, k))
	}
	look.Imitate(e, k, r, now)
}
