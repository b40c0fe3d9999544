package node

import (
	"cmp"
	"context"
	"errors"
	"slices"
	"time"

	"github.com/distributed-rate-limiter/distributed-rate-limiter/node/internal/limits"
	"github.com/distributed-rate-limiter/distributed-rate-limiter/node/internal/table"
)

// Request asks for one decision. The zero Cost means 1, and the zero Limit "default".
type Request struct {
	Client string // 1 to MaxClientID bytes
	Limit  string
	Cost   int64
	Peek   bool // look, take nothing
	// AtMost takes as much of Cost as fits, but at least 1.
	AtMost bool
	// Policy comes with the request, as gateways do it. Limit is a name for it then, which
	// no limit needs to have. Clients are counted by name and policy: under another policy
	// they start anew. Such a policy has no Overrides, and no TimeZone other than UTC. Stats
	// counts all limits that come with requests as one, under the name InlineLimit. A node
	// knows at most MaxInlinePolicies different policies at once: see Origin.
	Policy *Policy
	// Origin is who asks, as far as that matters for what a node shares out among those who
	// ask: policies that come with requests, and reservations under tokens. Servers set it to
	// the address of their client. The zero Origin is the program itself. An origin that
	// brings more policies than there is room for gives up its own, and waits for a minute if
	// it used all of them within the last one.
	Origin string
	// Timeout is how long the reservation's token is valid. 0 means 60 s; at most
	// MaxTimeout. The later a settlement comes, the less it can give back: drained units
	// are free again already, and cost that the node took more than a window of at least 15
	// s ago may be out of reach.
	Timeout time.Duration
	// Also are further limits that also have to admit the request. It passes if all do. If
	// one does not, the node charges none. At most MaxChecks.
	Also []Check
	// Door is the way by which the request came in, for the statistics.
	Door Door
	// Hold lets the request wait for loans of a Bounded limit, for as long as Policy.Hold says and
	// this context lasts. Servers set it to the context of their client's request. nil never waits,
	// and neither does a peek.
	Hold context.Context
}

// Check is one more limit that a request has to pass. The zero Client and Cost mean the
// request's. Without Limit and Policy, those of the request hold.
type Check struct {
	Client string
	Limit  string
	Cost   int64
	Policy *Policy
}

// MaxChecks caps Request.Also. A decision locks a shard for each limit: see table.MostLocked.
const MaxChecks = table.MostLocked - 1

// MaxTimeout caps Request.Timeout. Raising it keeps reservations for longer of which little
// can be given back any more; lowering it leaves longer work charged in full.
const MaxTimeout = 10 * time.Minute

// Detail is a decision with everything that the node can say about it.
type Detail struct {
	Decision
	// Each has every limit's decision: the request's own first, then those of Also. If the
	// request was denied, a limit that would have admitted it says so, and charged nothing.
	Each []Decision
	// Fault is nil if the limits decided. Otherwise it says what is wrong with the request:
	// it joins a *FieldError for each field at fault, named as in "also[2].cost", and wraps
	// ErrUnknownLimit or ErrTooManyPolicies where they apply.
	Fault error
}

// told collects what is to be said of a request beside its decision.
type told struct {
	detail *Detail      // nil if nobody asks for details
	into   *Reservation // nil if nothing is reserved
	fault  error
	queue  queue
}

// note notes what each check says, and what is wrong with the binding one.
func (t *told) note(checks []check, binding *check) {
	if t.detail != nil {
		t.detail.Each = slices.Grow(t.detail.Each, len(checks)) // at once, however many there are
		for i := range checks {
			t.detail.Each = append(t.detail.Each, checks[i].d)
		}
	}
	if binding.why.refused() {
		t.fault = binding.fault()
	}
}

// Do makes one decision. All servers' interfaces use it. It never waits for the network, unless
// the request has a Hold, and a denial is never an error.
func (n *Node) Do(r Request) Decision {
	if r.Hold != nil {
		return n.holder.decide(&r, &told{})
	}
	return n.do(&r, nil)
}

// DoDetailed is Do with details: the decision of each limit, and the field at fault if no
// limit decided.
func (n *Node) DoDetailed(r Request) Detail {
	var d Detail
	t := told{detail: &d}
	d.Decision = n.holder.decide(&r, &t)
	d.Fault = t.fault
	return d
}

// do decides a request. t is nil if nothing but the decision is wanted. If t.queue is set after it,
// the request may wait there, and the denial is not counted yet.
func (n *decider) do(q *Request, t *told) Decision {
	if q.Cost == 0 {
		q.Cost = 1
	}
	switch {
	case q.Timeout < 0 || q.Timeout > MaxTimeout || len(q.Also) > MaxChecks:
		d := n.refuse(&check{why: ReasonBadRequest}, nil)
		if t != nil {
			t.fault = badRequest(q)
		}
		return d
	case len(q.Also) > 0 || q.AtMost || q.Policy != nil:
		return n.doAll(q, t)
	}
	l := n.find(q.Limit)
	if q.Hold != nil && !q.Peek && l.Holds() {
		return n.doAll(q, t)
	}
	var d Decision
	switch {
	case q.Peek:
		d = n.peek(l, q.Client, q.Cost)
	case t == nil || t.into == nil:
		n.decide(l, q.Client, q.Cost, &d, nil)
	default:
		var h hold
		n.decide(l, q.Client, q.Cost, &d, &h)
		t.into.add(h)
	}
	if !q.Peek && !d.Reason.refused() {
		enter(q.Door, l.Account, d.Allowed)
	}
	if t != nil {
		one := [1]check{{client: q.Client, name: q.Limit, limit: l, cost: q.Cost, why: d.Reason, d: d}}
		t.note(one[:], &one[0])
	}
	return d
}

// doAll decides a request by all its limits.
func (n *decider) doAll(q *Request, t *told) Decision {
	var room [4]check
	checks := n.list(q, room[:0])
	if c := &checks[len(checks)-1]; c.why != ReasonOK {
		return n.refuse(c, t)
	}
	by := terms{peek: q.Peek, atMost: q.AtMost, door: q.Door}
	if t != nil {
		by.into, by.holds = t.into, q.Hold != nil && !q.Peek
	}
	allowed, hold := n.decideAll(checks, by)
	best := binding(checks, allowed)
	if hold > 0 {
		t.queue = queue{best.key, best.rule, hold}
	}
	d := best.d
	if allowed {
		d.Cost = checks[0].cost
	}
	if q.Peek && d.Reason == ReasonOK {
		d.Reason = ReasonPeek
	}
	if t != nil {
		t.note(checks, best)
	}
	return d
}

// list lists the limits that a request asks for. If one of them cannot even be looked up,
// it ends the list and says why.
func (n *decider) list(q *Request, into []check) []check {
	into = append(slices.Grow(into, 1+len(q.Also)), check{client: q.Client, name: q.Limit, cost: q.Cost, policy: q.Policy})
	for i, also := range q.Also {
		if also.Limit == "" && also.Policy == nil {
			also.Limit, also.Policy = q.Limit, q.Policy
		}
		into = append(into, check{
			client: cmp.Or(also.Client, q.Client), name: also.Limit, policy: also.Policy,
			cost: cmp.Or(also.Cost, q.Cost), ownCost: also.Cost != 0, place: i + 1,
		})
	}
	for i := range into {
		c := &into[i]
		c.name = cmp.Or(c.name, DefaultLimit)
		if c.policy == nil {
			c.limit = n.find(c.name)
			continue
		}
		var err error
		if c.limit, err = n.limits.Inline(n.now(), q.Origin, c.name, c.policy); err != nil {
			c.why = inlineFault(err)
			return into[:i+1]
		}
	}
	return into
}

// inlineFault is the reason why an inline policy decides nothing.
func inlineFault(err error) Reason {
	switch {
	case errors.Is(err, limits.ErrBadName):
		return ReasonUnknownLimit
	case errors.Is(err, limits.ErrTooManyInline):
		return ReasonTooManyPolicies
	default:
		return ReasonBadPolicy
	}
}

// refuse denies a request that no limit decides, because of one of its checks.
func (n *decider) refuse(c *check, t *told) Decision {
	n.refusals[c.why].Add(1)
	c.d = Decision{Reason: c.why, Degraded: n.degraded.Load()}
	c.d.RetryAfter = reasons[c.why].wait
	if t != nil {
		t.note([]check{*c}, c)
	}
	return c.d
}

// peek tells what a decision would say, and takes nothing.
func (n *decider) peek(l *limits.Limit, client string, cost int64) Decision {
	one := [1]check{{client: client, limit: l, cost: cost}}
	n.decideAll(one[:], terms{peek: true})
	d := one[0].d
	d.Cost = 0
	if one[0].why == ReasonOK && d.Reason != ReasonShadow {
		d.Reason = ReasonPeek
	}
	return d
}

// Decision is the answer to one request. Allowed says whether the request may pass.
// Everything else is for the client, and for finding out why. The zero Decision is a denial
// without a reason.
type Decision struct {
	Allowed bool
	// Cost is the number of units that the node took: the request's cost, or with
	// Request.AtMost the part that fitted. 0 for a denial.
	Cost int64
	// Limit names the limit that decided. Of several limits, it names the one that binds. If
	// limits deny, that is the one that denies for the longest time. Otherwise it is the one
	// with the least left.
	Limit string
	// Quota, Window and Burst are that limit's policy at the time. They are 0 for a client
	// that is unlimited or blocked: it has no quota.
	Quota  int64
	Window time.Duration
	Burst  int64
	// Remaining is the number of whole units that would pass now, after this decision, 0 to
	// Burst. It says nothing about a client that is unlimited.
	Remaining int64
	// RetryAfter is the time until the same request would pass if nothing else
	// arrives: 0 if it was allowed, the largest Duration if it never can. It can be longer
	// than Window if the cost is above Quota, or while the client is beyond its limit: after
	// nodes admitted at once, a commit above its estimate, or a change to a lower limit.
	RetryAfter time.Duration
	// ResetAfter is the time until the client has its whole burst again.
	ResetAfter time.Duration
	Reason     Reason
	// Degraded says that the node did not hear all its peers when it decided, so the error
	// bound was wider than usual.
	Degraded bool
}
