package node

import (
	"cmp"
	"math"
	"slices"
	"time"

	"github.com/distributed-rate-limiter/distributed-rate-limiter/crdt"
	"github.com/distributed-rate-limiter/distributed-rate-limiter/node/internal/isolation"
	"github.com/distributed-rate-limiter/distributed-rate-limiter/node/internal/table"
	"github.com/distributed-rate-limiter/distributed-rate-limiter/node/limit"
)

// check is one limit's part of a request that several have to admit.
type check struct {
	client  string
	name    string // of a limit that came with the request
	cost    int64
	apart   bool  // the cost is its own, not the request's
	also    bool  // it is of Request.Also
	asked   int64 // cost, and what checks before ask of the same entry
	limit   *namedLimit
	rev     *revision
	rule    *limit.Rule
	key     crdt.Key
	shard   *table.Shard
	entry   *table.Entry // nil: it needs no state, or there is no room for one
	why     Reason       // what was judged before
	settled bool         // by why, without a state
	d       Decision
}

// doAll decides by all limits of a request: under the locks of all their shards, so that
// it is one decision.
func (n *Node) doAll(q *Request, each *[]Decision, into *Reservation) Decision {
	var room [4]check
	checks, why := n.checks(q, room[:0])
	if why != ReasonOK {
		n.refusals[why].Add(1)
		d := Decision{Reason: why, Degraded: n.degraded.Load()}
		if why == ReasonTooManyPolicies {
			d.RetryAfter = time.Second // some may not be used any more by then
		}
		return d
	}
	now := n.now()
	for i := range checks {
		n.prepare(&checks[i], q.AtMost, now)
	}
	var locked [MaxChecks + 1]*table.Shard
	lockAll(checks, &locked)
	for i := range checks {
		n.open(&checks[i], q.Peek, now)
	}
	if q.AtMost {
		n.fit(checks, now)
	}
	iso := n.isolation.Group()
	allowed := n.judgeAll(checks, iso, now)
	for i := range checks {
		n.conclude(&checks[i], iso, q.Peek, allowed, now, into)
	}
	unlockAll(&locked)
	if !q.Peek {
		for i := range checks {
			n.tell(&checks[i], allowed)
		}
	}
	if each != nil {
		for i := range checks {
			*each = append(*each, checks[i].d)
		}
	}
	d := binding(checks, allowed)
	if q.Peek && d.Reason == ReasonOK {
		d.Reason = ReasonPeek
	}
	return d
}

// checks lists what a request asks for.
func (n *Node) checks(q *Request, into []check) ([]check, Reason) {
	if len(q.Also) > MaxChecks {
		return nil, ReasonBadRequest
	}
	add := func(client, name string, cost int64, apart bool, p *Policy) Reason {
		c := check{client: client, cost: cost, apart: apart, also: len(into) > 0}
		c.limit = n.limits.get(name)
		if p != nil {
			var why Reason
			if c.limit, why = n.limits.called(name, p, n.now()); why != ReasonOK {
				return why
			}
			c.name = cmp.Or(name, DefaultLimit)
		}
		into = append(into, c)
		return ReasonOK
	}
	if why := add(q.Client, q.Limit, q.Cost, false, q.Policy); why != ReasonOK {
		return nil, why
	}
	for _, also := range q.Also {
		if also.Limit == "" && also.Policy == nil {
			also.Limit, also.Policy = q.Limit, q.Policy
		}
		client, cost := cmp.Or(also.Client, q.Client), cmp.Or(also.Cost, q.Cost)
		if why := add(client, also.Limit, cost, also.Cost != 0, also.Policy); why != ReasonOK {
			return nil, why
		}
	}
	return into, ReasonOK
}

// prepare finds the rule and where the client is held. With atMost the cost may be above
// the burst: not all of it need be taken.
func (n *Node) prepare(c *check, atMost bool, now int64) {
	c.rev = c.limit.known(now)
	cost := c.cost
	if atMost && !c.apart && cost > 1 {
		cost = 1
	}
	var net limit.Buffer
	var group []byte
	c.rule, group, c.why = n.ruleFor(c.rev, c.client, cost, &net)
	if c.why != ReasonOK {
		c.settled = true
		return
	}
	if c.name != "" {
		c.key = n.calledKey(c.limit, c.name, c.client)
	} else {
		c.key = n.key(c.limit, c.client, group)
	}
	c.shard = n.table.Shard(c.key)
}

// lockAll locks the shards of all checks, in one order everywhere.
func lockAll(checks []check, locked *[MaxChecks + 1]*table.Shard) {
	shards := locked[:0]
	for i := range checks {
		if s := checks[i].shard; s != nil && !slices.Contains(shards, s) {
			shards = append(shards, s)
		}
	}
	slices.SortFunc(shards, (*table.Shard).Compare)
	for _, s := range shards {
		s.Lock()
	}
}

func unlockAll(locked *[MaxChecks + 1]*table.Shard) {
	for _, s := range locked {
		if s != nil {
			s.Unlock()
		}
	}
}

// same reports whether both come to one client's states.
func (c *check) same(o *check) bool {
	return !c.settled && !o.settled && (c.entry == o.entry || c.key == o.key)
}

// open finds the client's entry. All shards are locked.
func (n *Node) open(c *check, peek bool, now int64) {
	switch {
	case c.settled:
		return
	case peek:
		c.entry = new(table.Entry)
		n.look(c.entry, c.shard, c.limit, c.rule, c.key, now)
		return
	}
	e := c.shard.Open(c.key, c.rule, now)
	if e == nil {
		e = n.overflow(c.shard, c.limit, c.rule, c.key, now)
	}
	if e == nil {
		c.settled, c.why = true, ReasonFull
		return
	}
	c.entry = e
}

// fit lowers the request's cost to what all its limits let pass, if that is anything.
func (n *Node) fit(checks []check, now int64) {
	fits := checks[0].cost
	for i := range checks {
		c := &checks[i]
		if c.apart || c.why == ReasonUnlimited || c.why == ReasonFull {
			continue
		}
		if c.entry == nil || c.rule.Policy.Shadow {
			continue
		}
		var d Decision
		d.Allowed = true
		n.explain(c.shard, &d, c.entry, now, 1)
		share, room := int64(0), d.Remaining // of one entry, if several checks come to it
		for j := range checks {
			switch o := &checks[j]; {
			case !o.same(c):
			case o.apart:
				room -= o.cost
			default:
				share++
			}
		}
		fits = min(fits, room/share)
	}
	for i := range checks {
		if c := &checks[i]; !c.apart {
			c.cost = max(1, fits)
		}
	}
}

// judgeAll reports whether all checks admit the request. Nothing is charged.
func (n *Node) judgeAll(checks []check, iso *isolation.Group, now int64) bool {
	all := true
	for i := range checks {
		c := &checks[i]
		if c.settled {
			c.d.Allowed = c.why == ReasonFull || passes(c.rule, c.why)
			if c.d.Reason = c.why; c.why == ReasonBlocked && c.d.Allowed {
				c.d.Reason = ReasonShadow
			}
		} else {
			c.asked = c.cost
			for j := range i {
				if checks[j].same(c) {
					c.asked = min(c.asked, math.MaxInt64-checks[j].cost) + checks[j].cost
				}
			}
			c.d.Allowed, c.d.Reason, _ = n.weigh(c.shard, c.entry, iso, now, c.asked)
		}
		all = all && c.d.Allowed
	}
	return all
}

// conclude charges the check's part, if all admitted the request, and fills in what is
// told of it.
func (n *Node) conclude(c *check, iso *isolation.Group, peek, charge bool, now int64, into *Reservation) {
	if c.settled {
		allowed, why := c.d.Allowed, c.d.Reason
		if c.why == ReasonFull {
			c.d = describe(c.rule, true, ReasonFull, c.cost)
		} else {
			c.d = n.refused(c.rule, c.why)
		}
		if c.d.Allowed, c.d.Reason = allowed, why; why == ReasonShadow {
			c.d.RetryAfter = 0
		}
	} else {
		if charge && !peek {
			c.d.Allowed, c.d.Reason = n.take(c.shard, c.entry, iso, now, c.cost)
			if into != nil && c.d.Reason == ReasonOK {
				into.keep(hold{Charge: c.entry.Charged(now, c.cost), apart: c.apart, also: c.also})
			}
		}
		n.explain(c.shard, &c.d, c.entry, now, c.asked)
	}
	if c.name != "" && c.rule != nil {
		c.d.Limit = c.name
	}
	c.d.Cost = 0
	if charge {
		c.d.Cost = c.cost
	}
	if c.shard != nil && !peek && charge == c.d.Allowed {
		c.shard.Counts.Count(c.limit.account, c.cost, charge, c.d.Reason == ReasonShadow)
	}
}

// tell counts what needed no state, and offers the client to the list of the heaviest:
// where the request was denied, only by the limits that denied it.
func (n *Node) tell(c *check, charged bool) {
	if charged != c.d.Allowed {
		return
	}
	if c.shard == nil {
		n.refusals[c.why].Add(1)
		if c.why == ReasonUnlimited || c.why == ReasonBlocked {
			n.countApart(c.limit.account, c.client, c.cost, charged, c.d.Reason)
		}
		return
	}
	c.limit.account.Top.Offer(c.client, uint64(c.cost), charged && c.d.Reason != ReasonShadow) //nolint:gosec // positive
}

// binding is what the request as a whole is told: of the limits that deny it the one that
// lets it pass last, else the one of which the fewest such requests are left.
func binding(checks []check, allowed bool) Decision {
	best := -1
	for i := range checks {
		c := &checks[i]
		if c.d.Allowed == allowed && (best < 0 || tighter(c, &checks[best], allowed)) {
			best = i
		}
	}
	d := checks[best].d
	if allowed {
		d.Cost = checks[0].cost
	}
	return d
}

// undecidable: the request is at fault, not its client's use.
func undecidable(why Reason) bool {
	switch why {
	case ReasonUnknownLimit, ReasonNoClient, ReasonClientTooLong, ReasonBadCost, ReasonCostTooHigh:
		return true
	default:
		return false
	}
}

func tighter(a, b *check, allowed bool) bool {
	if !allowed {
		if x, y := undecidable(a.why), undecidable(b.why); x != y {
			return x
		}
		return a.d.RetryAfter > b.d.RetryAfter
	}
	if free := func(c *check) bool { return c.why == ReasonUnlimited || c.why == ReasonFull }; free(a) != free(b) {
		return free(b)
	}
	return cmp.Or(cmp.Compare(a.d.Remaining/a.cost, b.d.Remaining/b.cost), cmp.Compare(b.d.ResetAfter, a.d.ResetAfter)) < 0
}
