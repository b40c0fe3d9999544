package node

import (
	"github.com/distributed-rate-limiter/distributed-rate-limiter/node/internal/isolation"
	"github.com/distributed-rate-limiter/distributed-rate-limiter/node/internal/table"
	"github.com/distributed-rate-limiter/distributed-rate-limiter/node/limit"
)

// ChargeDetail is the answer to a charge. Its Decision tells the client's standing after it,
// for one unit more: Allowed and Reason say whether a Take of the same cost would have
// passed, Cost is Charged, and RetryAfter is the time until a unit passes, or 0 if Allowed.
type ChargeDetail struct {
	Decision
	// Charged is what the node counted against the client, also beyond the limit. NotCharged
	// is the rest, which is above the debt cap or found the client table full. Their sum is
	// the cost. Both are 0 where nothing counts: for unlimited and blocked clients, and if
	// there is a Fault. Of several limits, they are the request's own.
	Charged, NotCharged int64
	// Each has every limit's answer, the request's own first; nil without Request.Also.
	Each []ChargeDetail
	// Fault is nil if the limits were charged. Otherwise it is as in Detail, and nothing was
	// charged to any limit.
	Fault error
}

// Charge charges what was used already, also beyond the limit: budgets whose true cost shows
// after the work, such as tokens, peek first and charge then. It denies nothing. What it
// charges beyond the limit is a debt, which drains before anything else passes.
//
// A client can owe the larger of one burst and one window's limit, beyond an empty bucket
// or beyond the limit of a window, by this node's view. What is above is not charged: see
// ChargeDetail.NotCharged and LimitStats.NotCharged. N nodes that have not heard of each
// other's charges can so lock a client out for N times the time in which a burst and that
// cap drain, and no longer.
//
// With Also, every limit is charged, each up to its own cap. A shadow limit is charged like
// any other. While nodes are isolated, OnIsolation keeps nothing from being charged; with
// IsolationShare the share is charged as well. Peek, AtMost and Timeout are not for charges.
// Charge never waits for the network.
func (n *Node) Charge(q Request) ChargeDetail {
	if q.Cost == 0 {
		q.Cost = 1
	}
	if err := badCharge(&q); err != nil {
		return ChargeDetail{Decision: n.refuse(&check{why: ReasonBadRequest}, nil), Fault: err}
	}
	var room [4]check
	return n.charge(n.list(&q, room[:0]))
}

// Charge is Node.Charge for this limit.
func (l *Limiter) Charge(clientID string, cost int64) ChargeDetail {
	one := [1]check{{client: clientID, name: l.name, limit: l.find(), cost: cost}}
	return l.node.charge(one[:])
}

// badCharge says what a charge or a refund cannot be asked for, nil if nothing is wrong.
func badCharge(q *Request) error {
	refuse := func(field string, value any, reason string) error {
		return &FieldError{Field: field, Value: value, Reason: reason}
	}
	const never = "is for decisions: it is not for a charge or a refund"
	switch {
	case q.Peek:
		return refuse("peek", q.Peek, never)
	case q.AtMost:
		return refuse("at_most", q.AtMost, never)
	case q.Timeout != 0:
		return refuse("timeout", q.Timeout, never)
	case len(q.Also) > MaxChecks:
		return badRequest(q)
	}
	return nil
}

// charge charges all checks under the locks of all their shards, so that they are one
// charge. If one of them is at fault, it charges none.
func (n *decider) charge(checks []check) ChargeDetail {
	if last := &checks[len(checks)-1]; last.why != ReasonOK {
		return ChargeDetail{Decision: n.refuse(last, nil), Fault: last.fault()}
	}
	now := n.now()
	var net limit.Buffer
	for i := range checks {
		c := &checks[i]
		cost := c.cost
		c.cost = min(cost, 1) // what was used may be above the burst
		n.prepare(c, false, &net, now)
		if c.cost = cost; c.why.refused() {
			c.d = n.outright(c.rule, c.why, cost)
			n.countOutright(c.limit, c.by, c.rule, c.client, cost, &c.d)
			return ChargeDetail{Decision: c.d, Fault: c.fault()}
		}
	}
	var locked table.Locked
	lockAll(checks, &locked)
	for i := range checks {
		n.open(&checks[i], false, now)
	}
	iso := n.isolation.Group()
	for i := range checks {
		n.chargeOne(&checks[i], iso, now)
	}
	locked.Unlock()
	for i := range checks {
		if c := &checks[i]; c.share > 0 && c.d.Cost > 0 {
			c.limit.Account.Top.Offer(c.client, c.by.CountsAs(c.client, &net), uint64(c.d.Cost)*c.share, true) //nolint:gosec // positive
		}
	}
	return charged(checks)
}

// chargeOne charges one check's part. All shards are locked.
func (n *decider) chargeOne(c *check, iso *isolation.Group, now int64) {
	taken := int64(0)
	if c.why == ReasonOK {
		s, e := c.shard, c.entry
		allowed, why, _ := n.weigh(s, e, iso, now, c.cost)
		taken = s.Charge(e, iso, now, c.cost, !n.offline)
		c.d.Allowed, c.d.Reason = allowed, why
		n.explain(s, &c.d, e, now, 1)
		c.share, _ = s.Sampler.Pick(now)
	} else {
		c.d = n.outright(c.rule, c.why, c.cost)
	}
	if c.d.Cost = taken; c.policy != nil {
		c.d.Limit = c.name
	}
	c.limit.Account.Debts.Observe(taken, c.notCharged())
}

// notCharged is what of the check's cost was not charged, though it counts for the client.
func (c *check) notCharged() int64 {
	if c.why == ReasonOK || c.why == ReasonFull {
		return c.cost - c.d.Cost
	}
	return 0
}

// charged is the answer to a charge: that of the limit that keeps the client waiting for
// longest, or otherwise has the least left.
func charged(checks []check) ChargeDetail {
	best := binding(checks, false)
	if best == nil {
		best = binding(checks, true)
	}
	out := ChargeDetail{Decision: best.d, Charged: checks[0].d.Cost, NotCharged: checks[0].notCharged()}
	out.Cost = out.Charged
	if len(checks) > 1 {
		for i := range checks {
			c := &checks[i]
			out.Each = append(out.Each, ChargeDetail{Decision: c.d, Charged: c.d.Cost, NotCharged: c.notCharged()})
		}
	}
	return out
}
