package node

import (
	"github.com/distributed-rate-limiter/distributed-rate-limiter/crdt"
	"github.com/distributed-rate-limiter/distributed-rate-limiter/node/internal/table"
	"github.com/distributed-rate-limiter/distributed-rate-limiter/node/limit"
)

// peek describes the client's standing and changes nothing.
func (n *Node) peek(l *namedLimit, client string, cost int64) Decision {
	now := n.now()
	r := l.known(now)
	var net limit.Buffer
	rule, group, why := n.ruleFor(r, client, cost, &net)
	if why != ReasonOK {
		if why != ReasonUnlimited && why != ReasonBlocked {
			n.refusals[why].Add(1)
		}
		d := n.refused(rule, why)
		if d.Allowed = passes(rule, why); d.Allowed && why == ReasonBlocked {
			d.Reason, d.RetryAfter = ReasonShadow, 0
		}
		return d
	}
	k := n.key(l, client, group)
	s := n.table.Shard(k)
	s.Lock()
	defer s.Unlock()
	look := s.Scratch()
	n.look(look, s, l, rule, k, now)
	var d Decision
	d.Allowed, d.Reason, _ = n.weigh(s, look, n.isolation.Group(), now, cost)
	n.explain(s, &d, look, now, cost)
	look.Clear()
	if d.Reason != ReasonShadow {
		d.Reason = ReasonPeek
	}
	return d
}

// look makes look what a decision at now would find and leave alone. s is locked.
func (n *Node) look(look *table.Entry, s *table.Shard, l *namedLimit, r *limit.Rule, k crdt.Key, now int64) {
	e := s.Find(k)
	if e == nil && s.Full() && n.cfg.OnFull != FullOpen {
		e = s.Find(n.overflowKey(l, r, k))
	}
	look.Imitate(e, k, r, now)
}
