package node

import (
	"github.com/distributed-rate-limiter/distributed-rate-limiter/crdt"
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
		if d.Allowed = rule.passes(why); d.Allowed && why == ReasonBlocked {
			d.Reason, d.RetryAfter = ReasonShadow, 0
		}
		return d
	}
	k := n.key(l, client, group)
	s := n.table.shard(k)
	s.mu.Lock()
	defer s.mu.Unlock()
	look := &s.scratch
	n.look(look, s, l, rule, k, now)
	var d Decision
	d.Allowed, d.Reason, _ = n.weigh(s, look, n.isolation.Load(), now, cost)
	n.explain(s, &d, look, now, cost)
	*look = entry{}
	if d.Reason != ReasonShadow {
		d.Reason = ReasonPeek
	}
	return d
}

// look makes a copy of the client's entry as a decision at now would find it. s is
// locked.
func (n *Node) look(look *entry, s *shard, l *namedLimit, r *rule, k crdt.Key, now int64) {
	e := s.find(k)
	if e == nil && n.table.full(s) && n.cfg.OnFull != FullOpen {
		e = s.find(n.overflowKey(l, r, k))
	}
	look.key = k
	if e == nil {
		look.begin(r, now)
		return
	}
	look.copy(e)
	if look.rule != r {
		n.adopt(look, r, now)
	}
	look.rule.Roll(look.states(), now)
}
