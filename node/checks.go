package node

import (
	"cmp"
	"math"
	"time"

	"github.com/distributed-rate-limiter/distributed-rate-limiter/crdt"
	"github.com/distributed-rate-limiter/distributed-rate-limiter/node/internal/isolation"
	"github.com/distributed-rate-limiter/distributed-rate-limiter/node/internal/limits"
	"github.com/distributed-rate-limiter/distributed-rate-limiter/node/internal/table"
	"github.com/distributed-rate-limiter/distributed-rate-limiter/node/limit"
)

// check is one limit's part of a request. The first fields are what the request asks; the
// steps of decideAll fill in the others, in their order.
type check struct {
	client  string
	name    string        // of the limit, as the request has it
	limit   *limits.Limit // nil if no limit has this name
	policy  *Policy       // the inline policy, nil for a named limit
	cost    int64
	ownCost bool // the cost is the check's own, not the request's
	place   int  // i+1 for Request.Also[i], 0 for the request's own part

	why   Reason           // ReasonOK if the client's state decides
	by    *limits.Revision // of the rule
	rule  *limit.Rule      // nil if there is no such limit
	key   crdt.Key
	shard *table.Shard // nil if the rule alone decides
	entry *table.Entry // nil if the rule alone decides, or the table has no room
	asked int64        // cost, with that of earlier checks on the same entry
	share uint64       // the weight of this decision among the heaviest clients, 0 for none
	timed bool         // its time is to be measured
	d     Decision
}

// terms say how to decide a request.
type terms struct {
	peek   bool         // charge and count nothing
	atMost bool         // lower the request's cost to what fits
	holds  bool         // let it wait for loans, if they are all that it lacks
	door   Door         // by which the request came in
	into   *Reservation // gets the charges, if it is not nil
}

// decideAll decides all checks under the locks of all their shards, so they are one
// decision. It reports whether all of them admit the request. It does no I/O. If hold is above 0,
// the request may wait for so long, and the denial is not counted.
func (n *decider) decideAll(checks []check, by terms) (allowed bool, hold time.Duration) {
	now := n.now()
	var net limit.Buffer
	for i := range checks {
		n.prepare(&checks[i], by.atMost, &net, now)
	}
	var locked table.Locked
	lockAll(checks, &locked)
	for i := range checks {
		n.open(&checks[i], by.peek, now)
	}
	if by.atMost {
		n.fit(checks, now)
	}
	iso := n.isolation.Group()
	if allowed = n.judgeAll(checks, iso, now); !allowed && !by.peek {
		if hold = n.askAll(checks, now); !by.holds {
			hold = 0
		}
	}
	for i := range checks {
		n.conclude(&checks[i], iso, by, allowed, hold > 0, now)
	}
	for i := range checks {
		checks[i].drop()
	}
	locked.Unlock()
	for i := range checks {
		if hold == 0 {
			n.count(&checks[i], by, allowed)
		}
	}
	first := 0 // check that a shard counts: it tells whether the request is timed
	for first < len(checks)-1 && checks[first].shard == nil {
		first++
	}
	if checks[first].timed {
		n.latency.Observe(n.now() - now)
	}
	return allowed, hold
}

// askAll asks other nodes for what the account of a bounded limit lacks. It returns for how long
// the request may wait for answers: 0 if it lacks anything else, or if none will come. All shards
// are locked.
func (n *decider) askAll(checks []check, now int64) (hold time.Duration) {
	hold = MaxHold
	for i := range checks {
		switch c := &checks[i]; {
		case c.d.Allowed:
		case c.d.Reason == ReasonShort && n.holdings.Use(c.shard, c.entry, now, c.asked, false, true):
			hold = min(hold, c.rule.Hold)
		default:
			hold = 0
		}
	}
	return hold
}

// prepare finds the client's rule, and the shard that holds the client. With atMost the
// cost may be above the burst, because part of it may be taken. It returns what the client
// counts as, in net, or nil for its id.
func (n *decider) prepare(c *check, atMost bool, net *limit.Buffer, now int64) (group []byte) {
	cost := c.cost
	if atMost && !c.ownCost && cost > 1 {
		cost = 1
	}
	c.by = c.limit.Known(now)
	c.rule, group, c.why = n.ruleFor(c.by, c.client, cost, net)
	switch {
	case c.why != ReasonOK:
		return group
	case c.policy != nil:
		c.key = c.limit.InlineKey(c.name, c.client)
	default:
		c.key = c.limit.Key(c.client, group)
	}
	c.shard = n.table.Shard(c.key)
	return group
}

// lockAll locks the shards of all checks.
func lockAll(checks []check, locked *table.Locked) {
	for i := range checks {
		if s := checks[i].shard; s != nil {
			locked.Add(s)
		}
	}
	locked.Lock()
}

// open finds the client's entry, or for a peek makes a copy of it, which drop drops. All
// shards are locked.
func (n *decider) open(c *check, peek bool, now int64) {
	switch {
	case c.why != ReasonOK:
	case peek:
		if c.entry = c.shard.Scratch(); c.entry.Rule() != nil { // another check's copy is there
			c.entry = new(table.Entry)
		}
		n.look(c.entry, c.shard, c.limit, c.rule, c.key, now)
	default:
		if c.entry = c.shard.Open(c.key, c.rule, now); c.entry == nil {
			c.entry = n.overflow(c.shard, c.limit, c.rule, c.key, now)
		}
		if c.entry == nil {
			c.why = ReasonFull
		}
	}
}

// look makes look what a decision at now would find and leave alone. s is locked.
func (n *decider) look(look *table.Entry, s *table.Shard, l *limits.Limit, r *limit.Rule, k crdt.Key, now int64) {
	e := s.Find(k)
	if e == nil && (n.onFull != FullOpen || r.Bounded) {
		if n.unplaces(r) { // with or without room, it begins with what it used without
			look.Imitate(nil, k, r, now)
			n.table.Recall(look, r, now)
			return
		}
		if s.Full() {
			e = s.Find(n.limits.OverflowKey(l, r, k))
		}
	}
	look.Imitate(e, k, r, now)
}

// drop drops the copy that a peek made. All shards are locked.
func (c *check) drop() {
	if c.entry != nil && c.entry == c.shard.Scratch() {
		c.entry.Clear()
	}
}

// same reports whether both checks count on the same states.
func (c *check) same(o *check) bool {
	return c.entry != nil && o.entry != nil && (c.entry == o.entry || c.key == o.key)
}

// fit lowers the request's cost to what all its limits let pass, but not below 1. Checks that
// come to one entry share what is left there. All shards are locked.
func (n *decider) fit(checks []check, now int64) {
	fits := checks[0].cost
	for i := range checks {
		c := &checks[i]
		if c.ownCost || c.entry == nil || c.rule.Policy.Shadow {
			continue
		}
		var d Decision
		d.Allowed = true
		n.explain(c.shard, &d, c.entry, now, 1)
		sharing, room := int64(0), d.Remaining // of one entry, if several checks count on it
		for j := range checks {
			switch o := &checks[j]; {
			case !o.same(c):
			case o.ownCost:
				room -= o.cost
			default:
				sharing++
			}
		}
		fits = min(fits, room/sharing)
	}
	for i := range checks {
		if c := &checks[i]; !c.ownCost {
			c.cost = max(1, fits)
		}
	}
}

// judgeAll reports whether all checks admit the request. It charges nothing, so that a
// request is charged to no limit if one denies it. All shards are locked.
func (n *decider) judgeAll(checks []check, iso *isolation.Group, now int64) bool {
	all := true
	for i := range checks {
		c := &checks[i]
		n.judge(c, checks[:i], iso, now)
		all = all && c.d.Allowed
	}
	return all
}

// judge decides the check, as if those before it that come to the same entry were charged.
func (n *decider) judge(c *check, before []check, iso *isolation.Group, now int64) {
	if c.why != ReasonOK {
		c.d = n.outright(c.rule, c.why, c.cost)
		return
	}
	c.asked = c.cost
	for i := range before {
		if b := &before[i]; b.same(c) {
			c.asked = min(c.asked, math.MaxInt64-b.cost) + b.cost
		}
	}
	c.d.Allowed, c.d.Reason, _ = n.weigh(c.shard, c.entry, iso, now, c.asked)
}

// conclude charges the check's part if all checks admit the request, completes the check's
// decision, and counts it under the limit, unless the request is held. All shards are locked.
func (n *decider) conclude(c *check, iso *isolation.Group, by terms, allowed, held bool, now int64) {
	if c.why == ReasonOK {
		if allowed && !by.peek {
			c.d.Allowed, c.d.Reason = n.take(c.shard, c.entry, iso, now, c.cost)
			if by.into != nil && c.d.Reason == ReasonOK {
				by.into.add(hold{Charge: c.shard.Charged(c.entry, now, c.cost), ownCost: c.ownCost, also: c.place > 0, debts: &c.limit.Account.Debts})
			}
		}
		n.explain(c.shard, &c.d, c.entry, now, c.asked)
	}
	if c.policy != nil && c.rule != nil {
		c.d.Limit = c.name
	}
	c.d.Cost = 0
	if allowed {
		c.d.Cost = c.cost
	}
	if c.shard == nil || by.peek || held {
		return
	}
	if c.share, c.timed = c.shard.Sampler.Pick(now); allowed == c.d.Allowed {
		c.shard.Counts.Count(c.by.Account(c.rule), c.cost, allowed, c.d.Reason == ReasonShadow)
		if !allowed && c.d.Reason == ReasonShort {
			c.limit.Account.Rights.Short.Add(1)
		}
	}
}

// count counts what conclude did not: a check that its rule alone decided, and the client
// among the heaviest. Of a request that was denied it counts those checks that denied it,
// of a peek the faults. No shard is locked.
func (n *decider) count(c *check, by terms, allowed bool) {
	if allowed == c.d.Allowed && !by.peek && !c.why.refused() {
		enter(by.door, c.limit.Account, allowed)
	}
	switch {
	case allowed != c.d.Allowed || by.peek && !c.why.refused():
	case c.shard == nil:
		n.countOutright(c.limit, c.by, c.rule, c.client, c.cost, &c.d)
	case c.share > 0:
		offer(c.by, c.client, c.cost, c.share, &c.d)
	}
}

// binding is the check whose decision answers the whole request. Of checks that deny, it is
// the one that denies for the longest time. Otherwise it is the one with the fewest such
// requests left.
func binding(checks []check, allowed bool) *check {
	var best *check
	for i := range checks {
		if c := &checks[i]; c.d.Allowed == allowed && (best == nil || tighter(c, best, allowed)) {
			best = c
		}
	}
	return best
}

func tighter(a, b *check, allowed bool) bool {
	if !allowed {
		if x, y := a.why.faulty(), b.why.faulty(); x != y {
			return x
		}
		return a.d.RetryAfter > b.d.RetryAfter
	}
	if x, y := a.why.free(), b.why.free(); x != y {
		return y
	}
	return cmp.Or(cmp.Compare(a.d.Remaining/a.cost, b.d.Remaining/b.cost), cmp.Compare(b.d.ResetAfter, a.d.ResetAfter)) < 0
}
