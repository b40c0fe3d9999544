package node

import (
	"github.com/distributed-rate-limiter/distributed-rate-limiter/crdt"
	"github.com/distributed-rate-limiter/distributed-rate-limiter/gcra"
	"github.com/distributed-rate-limiter/distributed-rate-limiter/node/limit"
)

// decide answers for one limit. It holds one shard's lock, does no I/O and waits for
// nobody. If d is not nil it fills in what a client is told, if hold is not nil what
// settling a reservation needs to know.
func (n *Node) decide(l *namedLimit, client string, cost int64, d *Decision, hold *hold) (allowed bool) {
	now := n.now()
	r := l.known(now)
	var net limit.Buffer
	rule, group, why := n.ruleFor(r, client, cost, &net)
	if why != ReasonOK {
		return n.settled(r, rule, why, client, cost, d)
	}
	k := n.key(l, client, group)
	s := n.table.shard(k)
	s.mu.Lock()
	e, room := n.entry(s, l, rule, k, now)
	if room {
		allowed, why = n.take(s, e, n.isolation.Load(), now, cost)
		if hold != nil && why == ReasonOK {
			hold.charged(e, now, cost)
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
			*d = rule.describe(true, why, cost)
		}
	}
	s.count(l.account, cost, allowed, why)
	share := s.sampler.Pick(now)
	timed := s.sampler.One(latencyEvery)
	s.mu.Unlock()
	if share > 0 {
		l.account.top.Offer(client, uint64(cost)*share, allowed && why != ReasonShadow) //nolint:gosec // judged before
	}
	if timed {
		n.latency.observe(n.now() - now)
	}
	return allowed
}

// ruleFor finds the client's rule, and judges what can be judged without its state: why
// is ReasonOK if that is to be looked at. r is nil if there is no such limit.
func (n *Node) ruleFor(r *revision, client string, cost int64, net *limit.Buffer) (rule *rule, group []byte, why Reason) {
	switch {
	case r == nil:
		return nil, nil, ReasonUnknownLimit
	case client == "":
		return &r.rules[0], nil, ReasonNoClient
	case len(client) > MaxClientID:
		return &r.rules[0], nil, ReasonClientTooLong
	}
	rule, group = r.rule(client, net)
	switch {
	case cost < 1:
		return rule, group, ReasonBadCost
	case rule.Policy.Access == Unlimited:
		return rule, group, ReasonUnlimited
	case rule.Policy.Access == Blocked:
		return rule, group, ReasonBlocked
	case cost > rule.Policy.Burst && !rule.Policy.Shadow: // a shadow counts it among what it would deny
		return rule, group, ReasonCostTooHigh
	}
	return rule, group, ReasonOK
}

// passes reports whether a request passes that needs no state, for the reason given.
func (r *rule) passes(why Reason) bool {
	return why == ReasonUnlimited || why == ReasonBlocked && r.Policy.Shadow
}

// settled answers what needs no state.
func (n *Node) settled(r *revision, rule *rule, why Reason, client string, cost int64, d *Decision) (allowed bool) {
	n.refusals[why].Add(1)
	allowed = rule.passes(why)
	if d != nil {
		*d = n.refused(rule, why)
		if d.Allowed = allowed; allowed {
			d.Cost = cost
		}
	}
	if why == ReasonUnlimited || why == ReasonBlocked {
		if allowed && why == ReasonBlocked {
			why = ReasonShadow
			if d != nil {
				d.Reason, d.RetryAfter = why, 0
			}
		}
		n.countApart(r.limit.account, client, cost, allowed, why)
	}
	return allowed
}

// countApart counts a decision that needed no state.
func (n *Node) countApart(a *account, client string, cost int64, allowed bool, why Reason) {
	s := &n.table.shards[uint8(len(client))^client[len(client)-1]] //nolint:gosec // any will do
	s.mu.Lock()
	s.count(a, cost, allowed, why)
	share := s.sampler.Pick(n.now())
	s.mu.Unlock()
	if share > 0 {
		a.top.Offer(client, uint64(cost)*share, allowed && why != ReasonShadow) //nolint:gosec // at least 1
	}
}

// weigh decides cost on the entry's state, and by what the limit says of isolation, and
// charges nothing. iso is read once for a decision: it changes without the shard's lock.
// s is locked.
func (n *Node) weigh(s *shard, e *entry, iso *isolation, now, cost int64) (allowed bool, why Reason, origin int64) {
	allowed, origin = e.rule.Admits(e.states(), now, cost)
	if !allowed {
		why = ReasonOverLimit
	}
	if iso != nil {
		if pass, because := n.isolated(s, e, iso, now, cost, allowed, false); because != ReasonOK {
			allowed, why = pass, because
		}
	}
	if !allowed && e.rule.Policy.Shadow {
		return true, ReasonShadow, origin
	}
	return allowed, why, origin
}

// take admits and charges cost, if the entry's state allows it, and so does what the
// limit says of isolation. s is locked.
func (n *Node) take(s *shard, e *entry, iso *isolation, now, cost int64) (bool, Reason) {
	st, origin := &e.state, int64(0)
	if e.rule.Plain && iso == nil {
		var conforms bool
		if conforms, origin = e.rule.GCRA.Admit(gcra.Level{Base: st.Base(), Count: st.Count()}, now, cost); !conforms {
			return false, ReasonOverLimit
		}
	} else {
		allowed, why, o := n.weigh(s, e, iso, now, cost)
		if why != ReasonOK {
			return allowed, why
		}
		if iso != nil {
			n.isolated(s, e, iso, now, cost, true, true)
		}
		st, origin = e.rule.Current(e.states(), now), o
	}
	if origin > gcra.Never {
		st.Raise(origin)
	}
	st.Admit(uint64(cost)) //nolint:gosec // judged before
	if !n.offline && !e.rule.Silent {
		n.note(s, e, st, now)
	}
	return true, ReasonOK
}

// describe is an answer that tells the rule, and nothing of the client.
func (r *rule) describe(allowed bool, why Reason, cost int64) Decision {
	d := Decision{Allowed: allowed, Reason: why}
	if r != nil {
		d.Limit, d.Quota, d.Window, d.Burst = r.rev.limit.account.name, r.Policy.Limit, r.Policy.Window, r.Policy.Burst
	}
	if allowed {
		d.Cost = cost
	}
	return d
}

func (n *Node) refused(r *rule, why Reason) Decision {
	d := r.describe(false, why, 0)
	d.Degraded = n.degraded.Load()
	switch why {
	case ReasonCostTooHigh, ReasonBlocked:
		d.RetryAfter = gcra.MaxDuration
	case ReasonUnlimited:
		d.Remaining = d.Burst
	default:
	}
	return d
}

// entry finds or makes the client's entry, brings it under the rule in force and into
// the current window. room is false where the table is full and unknown clients are let
// pass. s is locked.
func (n *Node) entry(s *shard, l *namedLimit, r *rule, k crdt.Key, now int64) (e *entry, room bool) {
	e = s.find(k)
	if e == nil {
		if e, room = n.admitEntry(s, l, r, k, now); !room {
			return nil, false
		}
	}
	if e.rule != r {
		n.adopt(e, r, now)
	}
	if !e.rule.Plain {
		e.rule.Roll(e.states(), now)
	} else if f := &e.rule.Frame; now-e.state.Start() >= f.Width {
		e.state.Roll(f, f.Start(now))
	}
	return e, true
}

// adopt brings an entry under a rule that is newer than its own, or that turned out to
// be the client's: who is reset or merged before its first request is not known by name.
func (n *Node) adopt(e *entry, r *rule, now int64) {
	switch c := e.rule.rev.stamp.Compare(r.rev.stamp); {
	case c < 0:
		n.renew(e, r, now)
	case c == 0 && e.rule.Index != r.Index && e.untouched():
		e.begin(r, now)
	}
}

// admitEntry makes an entry for an unknown client; at the cap, clients share a
// fixed number of ordinary, replicated overflow entries instead, one for each rule
// and partition: that converges, and can only deny too much.
func (n *Node) admitEntry(s *shard, l *namedLimit, r *rule, k crdt.Key, now int64) (*entry, bool) {
	if !n.table.full(s) {
		n.table.count.Add(1)
		return s.insert(k, r, now), true
	}
	n.overflowed.Add(1)
	if n.cfg.OnFull == FullOpen {
		return nil, false
	}
	k = n.overflowKey(l, r, k)
	if e := s.find(k); e != nil {
		return e, true
	}
	n.table.count.Add(1)
	return s.insert(k, r, now), true
}

// renew begins the client's life under a newer revision's rule with what it has used.
func (n *Node) renew(e *entry, r *rule, now int64) {
	old := &life{stamp: e.stamp(), rule: e.rule, reset: e.reset(), state: e.state, slots: e.states().Rest}
	first, rest := r.NewStates(max(now, r.rev.stamp.At))
	e.rule, e.state = r, first
	e.keep(old.reset, old, rest)
	n.recarry(e)
}

// recarry raises the origins to what the old life carries over; again whenever late
// deltas raise that.
func (n *Node) recarry(e *entry) {
	if old := e.old(); old != nil && e.reset().Compare(e.rule.rev.stamp) <= 0 {
		e.rule.Carry(e.states(), &old.rule.Rule, old.states(), e.rule.rev.stamp.At)
	}
}

// note remembers that the entry has something to send, and calls for a flush if its
// unsent cost reached the quantum: what the target overshoot leaves to each peer,
// less what arrives while a message is under way.
func (n *Node) note(s *shard, e *entry, st *crdt.State, now int64) {
	if !e.dirty {
		n.table.markDirty(s, e)
	}
	if n.table.urgent.has(e.key.Partition()) {
		return
	}
	peers, delay := float64(n.view.peers.Load()), n.view.delay.Load()
	if peers == 0 {
		return
	}
	since := max(now-e.sentAt, delay)
	flight := 1 + float64(delay)/float64(max(since, 1))
	if float64(st.Unsent())*flight*peers >= e.rule.Slack {
		n.table.urgent.add(e.key.Partition())
		n.loopUrgent()
	}
}

// explain fills in what is told of the client's standing, after the decision.
func (n *Node) explain(s *shard, d *Decision, e *entry, now, cost int64) {
	r := e.rule
	d.Limit = r.rev.limit.account.name
	g := r.Explain(e.states(), now, cost, d.Allowed)
	d.Quota, d.Window, d.Burst = r.Policy.Limit, r.WindowAt(now), r.Policy.Burst
	d.Remaining, d.RetryAfter, d.ResetAfter = g.Remaining, g.RetryAfter, g.ResetAfter
	if iso := n.isolation.Load(); iso != nil {
		n.explainIsolated(s, d, e, iso, now, cost)
	}
	d.Degraded = n.degraded.Load()
}

func (s *shard) count(a *account, cost int64, allowed bool, why Reason) {
	for a.index >= len(s.tallies) { // a limit that was set after the start
		s.tallies = append(s.tallies, tally{})
	}
	t := &s.tallies[a.index]
	if t.of != a { // the index was another's, which is deleted
		*t = tally{of: a}
	}
	units := uint64(cost) //nolint:gosec // judged before
	if allowed {
		t.allowed++
		t.allowedUnits += units
	} else {
		t.denied++
		t.deniedUnits += units
	}
	if why == ReasonShadow {
		t.shadowed++
		t.shadowedUnits += units
	}
}
