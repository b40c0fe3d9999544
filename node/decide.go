package node

import (
	"log/slog"
	"sync/atomic"

	"github.com/distributed-rate-limiter/distributed-rate-limiter/crdt"
	"github.com/distributed-rate-limiter/distributed-rate-limiter/gcra"
	"github.com/distributed-rate-limiter/distributed-rate-limiter/node/internal/clock"
	"github.com/distributed-rate-limiter/distributed-rate-limiter/node/internal/isolation"
	"github.com/distributed-rate-limiter/distributed-rate-limiter/node/internal/lending"
	"github.com/distributed-rate-limiter/distributed-rate-limiter/node/internal/limits"
	"github.com/distributed-rate-limiter/distributed-rate-limiter/node/internal/seldom"
	"github.com/distributed-rate-limiter/distributed-rate-limiter/node/internal/table"
	"github.com/distributed-rate-limiter/distributed-rate-limiter/node/internal/tally"
	"github.com/distributed-rate-limiter/distributed-rate-limiter/node/limit"
)

// decider is the part of a Node that decides: all that a decision reads, and the counters
// that it writes. It needs no network. Its methods are safe for concurrent use.
type decider struct {
	now     func() int64 // unix time in nanoseconds, never less than an earlier reading
	clock   *clock.Clock // that of now, nil if Config.Now is used
	log     *slog.Logger
	limits  *limits.Registry
	table   *table.Table
	onFull  OnFull
	offline bool // nobody is to be told of what is charged
	// degraded says that not all peers can be heard. isolation is the group that this node
	// counts with meanwhile.
	degraded  atomic.Bool
	isolation isolation.Watch
	unknown   seldom.Names // of limits that there are not
	holdings  *lending.Holdings

	_ [64]byte // keeps the counters below, which many write, off the cache lines of what decisions read

	overflowed atomic.Uint64            // decisions on unknown clients while the table was full
	opened     atomic.Uint64            // requests that passed because a limit was open while isolated
	refusals   [reasonEnd]atomic.Uint64 // requests that no limit decided
	latency    tally.Latency
}

// decide answers for one limit: it is the straight path, which nearly all requests take. It
// holds at most one shard's lock, does no I/O, waits for nobody, and allocates nothing for a
// client that the table holds. If d is not nil, it fills in the answer for the client. If hold is
// not nil, it fills in what the settlement of a reservation needs.
//
// The clock is read as late as can be: the older the time, the more is denied.
func (n *decider) decide(l *limits.Limit, client string, cost int64, d *Decision, hold *hold) (allowed bool) {
	r := l.Recent()
	if r == nil || r.Only == nil || hold != nil || !judged(r.Only, client, cost) {
		return n.decideBy(r, l, client, cost, d, hold)
	}
	k := l.Keys.Sum(client)
	var now int64 // n.time() by hand: the compiler does not inline it
	if n.clock != nil {
		now = n.clock.Now()
	} else {
		now = n.now()
	}
	if !l.In(r, now) || !n.unshared(r.Only) {
		return n.decideBy(r, l, client, cost, d, hold)
	}
	var g table.Glance
	v, share, timed := n.table.Shard(k).Decide(&g, k, r.Only, now, cost, !n.offline, r.Account(r.Only))
	if v == table.Unsure {
		return n.decideBy(r, l, client, cost, d, hold)
	}
	if d != nil {
		n.answer(d, r.Only, &g, now, cost, v == table.Admitted)
	}
	if share > 0 || timed {
		n.sample(l, client, nil, cost, share, v == table.Admitted, timed, now)
	}
	return v == table.Admitted
}

// answer fills in the answer to a request that was decided at a glance.
func (n *decider) answer(d *Decision, rule *limit.Rule, g *table.Glance, now, cost int64, allowed bool) {
	d.Allowed, d.Reason, d.Cost = allowed, ReasonOverLimit, 0
	if allowed {
		d.Reason, d.Cost = ReasonOK, cost
	}
	n.tell(d, rule, now, g.Explain(rule, now, cost, allowed))
}

// unshared reports whether nodes do not share the rule's rate just now, as they may while they cannot hear
// each other.
func (n *decider) unshared(rule *limit.Rule) bool {
	return rule.Policy.OnIsolation == IsolationKeep || n.isolation.Group() == nil
}

// judged reports whether ruleFor has nothing against a request that its own rule limits.
func judged(r *limit.Rule, client string, cost int64) bool {
	return uint(len(client)-1) < MaxClientID && uint64(cost-1) < uint64(r.Policy.Burst) //nolint:gosec // negative ones become large
}

// decideBy is decide for every limit and every client. r is a guess at the revision in force.
func (n *decider) decideBy(r *limits.Revision, l *limits.Limit, client string, cost int64, d *Decision, hold *hold) (allowed bool) {
	var net limit.Buffer
	rule, group, k, why := n.resolve(l, r, client, cost, &net)
	now := n.now()
	if in := l.Known(now); in != r { // a change came into force
		r = in
		rule, group, k, why = n.resolve(l, r, client, cost, &net)
	}
	if why != ReasonOK {
		answer := n.outright(rule, why, cost)
		if n.countOutright(l, r, rule, client, cost, &answer); d != nil {
			*d = answer
		}
		return answer.Allowed
	}
	s := n.table.Shard(k)
	if rule.Straight && hold == nil && n.unshared(rule) {
		var g table.Glance
		v, share, timed := s.Decide(&g, k, rule, now, cost, !n.offline, r.Account(rule))
		if v != table.Unsure {
			if d != nil {
				n.answer(d, rule, &g, now, cost, v == table.Admitted)
			}
			n.sample(l, client, group, cost, share, v == table.Admitted, timed, now)
			return v == table.Admitted
		}
	}
	s.Lock()
	e := s.Open(k, rule, now)
	if e == nil {
		e = n.overflow(s, l, rule, k, now)
	}
	if e != nil {
		allowed, why = n.take(s, e, n.isolation.Group(), now, cost)
		if hold != nil && why == ReasonOK {
			hold.Charge = s.Charged(e, now, cost)
			hold.debts = &l.Account.Debts
		}
		if d != nil {
			d.Allowed, d.Reason = allowed, why
			if allowed {
				d.Cost = cost
			}
			n.explain(s, d, e, now, cost)
		}
	} else {
		allowed, why = true, ReasonFull
		if d != nil {
			*d = n.outright(rule, why, cost)
		}
	}
	s.Counts.Count(r.Account(rule), cost, allowed, why == ReasonShadow)
	share, timed := s.Sampler.Pick(now)
	s.Unlock()
	n.sample(l, client, group, cost, share, allowed && why != ReasonShadow, timed, now)
	return allowed
}

// time is now without the call of a function that is not known before.
func (n *decider) time() int64 {
	if n.clock != nil {
		return n.clock.Now()
	}
	return n.now()
}

// sample looks closer at a decision if it was picked for that.
func (n *decider) sample(l *limits.Limit, client string, group []byte, cost int64, share uint64, allowed, timed bool, now int64) {
	if share > 0 {
		l.Account.Top.Offer(client, group, uint64(cost)*share, allowed) //nolint:gosec // judged before
	}
	if timed {
		n.latency.Observe(n.time() - now)
	}
}

// resolve is ruleFor, with the client's key if why is ReasonOK.
func (n *decider) resolve(l *limits.Limit, r *limits.Revision, client string, cost int64, net *limit.Buffer) (rule *limit.Rule, group []byte, k crdt.Key, why Reason) {
	if rule, group, why = n.ruleFor(r, client, cost, net); why == ReasonOK {
		k = l.Key(client, group)
	}
	return rule, group, k, why
}

// ruleFor finds the client's rule and the group that the client counts as. why is ReasonOK if
// the client's state decides; every other reason is the whole answer. r is nil if there is no
// such limit.
func (n *decider) ruleFor(r *limits.Revision, client string, cost int64, net *limit.Buffer) (rule *limit.Rule, group []byte, why Reason) {
	switch {
	case r == nil:
		return nil, nil, ReasonUnknownLimit
	case client == "":
		return &r.Rules[0], nil, ReasonNoClient
	case len(client) > MaxClientID:
		return &r.Rules[0], nil, ReasonClientTooLong
	}
	rule, group = r.Rule(client, net)
	switch {
	case cost < 1:
		return rule, group, ReasonBadCost
	case rule.Policy.Access == Unlimited:
		return rule, group, ReasonUnlimited
	case rule.Policy.Access == Blocked:
		return rule, group, ReasonBlocked
	case cost > rule.Policy.Burst && !rule.Policy.Shadow: // a shadow counts it among its would-be denials
		return rule, group, ReasonCostTooHigh
	}
	return rule, group, ReasonOK
}

// outright is the answer that takes no look at the client's state: for a reason of
// ruleFor's, or ReasonFull. The rule is nil where there is no such limit.
func (n *decider) outright(r *limit.Rule, why Reason, cost int64) Decision {
	d := Decision{Reason: why, Degraded: n.degraded.Load()}
	if r == nil {
		return d
	}
	d.Limit = r.Limit
	if r.Policy.Access == Limited { // nobody else has a quota, whatever the limit's own policy is
		d.Quota, d.Window, d.Burst = r.Policy.Limit, r.Policy.Window, r.Policy.Burst
	}
	switch {
	case why == ReasonBlocked && r.Policy.Shadow:
		d.Reason = ReasonShadow
	case why == ReasonBlocked, why == ReasonCostTooHigh:
		d.RetryAfter = gcra.MaxDuration
	}
	if d.Reason.passes() {
		d.Allowed, d.Cost = true, cost
	}
	return d
}

// countOutright counts an answer that took no look at the client's state: by its reason if
// no limit decided, otherwise under the rule of r. l is nil if nothing has that name.
func (n *decider) countOutright(l *limits.Limit, r *limits.Revision, rule *limit.Rule, client string, cost int64, d *Decision) {
	if d.Reason.refused() {
		n.refusals[d.Reason].Add(1)
		if d.Reason == ReasonUnknownLimit && l != nil { // the limit existed, and somebody deleted it
			n.unknown.Warn(n.log, unknownLimit, "limit", l.Name)
		}
		return
	}
	anywhere := crdt.Key{Hi: uint64(uint8(len(client))^client[len(client)-1]) << 56} //nolint:gosec // shards share the work
	s := n.table.Shard(anywhere)
	s.Lock()
	s.Counts.Count(r.Account(rule), cost, d.Allowed, d.Reason == ReasonShadow)
	share, _ := s.Sampler.Pick(n.now())
	s.Unlock()
	if share > 0 {
		offer(r, client, cost, share, d)
	}
}

// offer offers a decision to the list of the heaviest clients; it stands for share decisions
// like it.
func offer(r *limits.Revision, client string, cost int64, share uint64, d *Decision) {
	var net limit.Buffer
	group := r.CountsAs(client, &net)
	r.Limit.Account.Top.Offer(client, group, uint64(cost)*share, d.Allowed && d.Reason != ReasonShadow) //nolint:gosec // at least 1
}

// weigh decides cost by the entry's state and by the limit's OnIsolation. It charges nothing.
// Its caller reads iso once for a whole decision, because iso changes without the shard's
// lock. s is locked.
func (n *decider) weigh(s *table.Shard, e *table.Entry, iso *isolation.Group, now, cost int64) (allowed bool, why Reason, origin int64) {
	r := e.Rule()
	if r.Bounded {
		v, o := n.holdings.Weigh(s, e, now, cost)
		return v == lending.Covered, reasonOf[v], o
	}
	allowed, origin = s.Admits(e, now, cost)
	if !allowed {
		why = ReasonOverLimit
	}
	if iso != nil {
		if pass, because := isolated(s, e, iso, now, cost, allowed, false); because != ReasonOK {
			allowed, why = pass, because
		}
	}
	if !allowed && r.Policy.Shadow {
		return true, ReasonShadow, origin
	}
	return allowed, why, origin
}

// take charges cost if the entry's state and the limit's OnIsolation admit it. s is locked.
func (n *decider) take(s *table.Shard, e *table.Entry, iso *isolation.Group, now, cost int64) (bool, Reason) {
	r, st, origin := e.Rule(), e.First(), int64(0)
	if r.Plain && (iso == nil || r.Policy.OnIsolation == IsolationKeep) {
		var conforms bool
		if conforms, origin = r.GCRA.Admit(s.Level(e, now), now, cost); !conforms {
			return false, ReasonOverLimit
		}
	} else {
		allowed, why, o := n.weigh(s, e, iso, now, cost)
		if r.Bounded {
			if n.holdings.Use(s, e, now, cost, allowed, why == ReasonShort); why == ReasonShort {
				n.holdings.Tally(r).Short.Add(1)
			}
		}
		if why != ReasonOK {
			if why == ReasonIsolatedOpen {
				n.opened.Add(1)
			}
			return allowed, why
		}
		if iso != nil {
			isolated(s, e, iso, now, cost, true, true)
		}
		st, origin = r.Current(e.States(), now), o
	}
	if s.ChargeEarly(e, now, cost) {
		return true, ReasonOK
	}
	if origin > gcra.Never {
		st.Raise(origin)
	}
	st.Admit(uint64(cost)) //nolint:gosec // judged before
	if !n.offline && !r.Silent {
		s.Note(e, st, now)
	}
	return true, ReasonOK
}

// overflow is the entry of an unknown client while the table is full: the client's own, which no
// slot holds (see table.Shard.OpenUnplaced), or else an ordinary, replicated one that the unknown
// clients of a rule and a partition share. Both can only deny too much. It is nil if unknown clients
// are let pass. s is locked.
func (n *decider) overflow(s *table.Shard, l *limits.Limit, r *limit.Rule, k crdt.Key, now int64) *table.Entry {
	n.overflowed.Add(1)
	if r.Bounded {
		s.Crowd(now)
	} else if n.onFull == FullOpen {
		return nil
	}
	if n.unplaces(r) {
		return s.OpenUnplaced(k, r, now)
	}
	return s.OpenShared(n.limits.OverflowKey(l, r, k), r, now)
}

// unplaces reports whether unknown clients of the rule are decided one by one while the table is
// full. A share of the rate while nodes are cut off has to be remembered for each, and rights of a
// bounded limit have to be told, so those are not.
func (n *decider) unplaces(r *limit.Rule) bool {
	return !r.Bounded && (r.Policy.OnIsolation != limit.IsolationShare || n.isolation.Group() == nil)
}

// explain fills in the numbers that a client is told, as they are after the decision. s is
// locked.
func (n *decider) explain(s *table.Shard, d *Decision, e *table.Entry, now, cost int64) {
	n.tell(d, e.Rule(), now, s.Explain(e, now, cost, d.Allowed))
	if e.Rule().Bounded {
		n.holdings.Tell(s, e, now, cost, d.Allowed, d.Reason == ReasonShort, &d.Remaining, &d.RetryAfter)
	}
	if iso := n.isolation.Group(); iso != nil {
		explainIsolated(s, d, e, iso, now, cost)
	}
}

// tell fills in what a rule says of a client.
func (n *decider) tell(d *Decision, r *limit.Rule, now int64, x gcra.Decision) {
	d.Limit = r.Limit
	d.Quota, d.Window, d.Burst = r.Policy.Limit, r.WindowAt(now), r.Policy.Burst
	d.Remaining, d.RetryAfter, d.ResetAfter = x.Remaining, x.RetryAfter, x.ResetAfter
	d.Degraded = n.degraded.Load()
}
