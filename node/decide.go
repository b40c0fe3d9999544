package node

import (
	"github.com/distributed-rate-limiter/distributed-rate-limiter/crdt"
	"github.com/distributed-rate-limiter/distributed-rate-limiter/gcra"
)

// key hashes a client's id under the limit. The buffer stays on the stack, and is
// small because clearing it costs time.
func (n *Node) key(l *limit, client string) crdt.Key {
	var buf [128]byte
	if len(l.prefix)+len(client) > len(buf) {
		return n.longKey(l, client)
	}
	hi, lo := n.hash.Hash128(append(append(buf[:0], l.prefix...), client...))
	return crdt.Key{Hi: hi, Lo: lo}
}

// longKey is key for long ids.
//
//go:noinline
func (n *Node) longKey(l *limit, client string) crdt.Key {
	var buf [128 + MaxClientID]byte
	hi, lo := n.hash.Hash128(append(append(buf[:0], l.prefix...), client...))
	return crdt.Key{Hi: hi, Lo: lo}
}

// decide is the one place where cost is admitted. It holds one shard's lock, does
// no I/O and waits for nobody. If d is not nil it fills in what a client is told.
func (n *Node) decide(l *limit, client string, cost int64, d *Decision) (allowed bool) {
	now := n.now()
	r := l.known(now)
	if why := refuse(r, client, cost); why != ReasonOK {
		n.refusals[why].Add(1)
		if d != nil {
			*d = n.refused(r, why)
		}
		return false
	}
	k := n.key(l, client)
	s := n.table.shard(k)
	s.mu.Lock()
	e, room := n.entry(s, l, r, k, now)
	if room {
		var why Reason
		allowed, why = n.take(s, e, now, cost)
		if d != nil {
			d.Allowed, d.Reason = allowed, why
			n.explain(s, d, e, now, cost)
		}
	} else {
		allowed = true
		if d != nil {
			*d = Decision{Allowed: true, Reason: ReasonFull, Limit: l.name, Quota: r.policy.Limit, Window: r.policy.Window, Burst: r.policy.Burst}
		}
	}
	s.count(l, cost, allowed)
	share := s.sampler.pick(now)
	timed := s.sampler.one(latencyEvery)
	s.mu.Unlock()
	if share > 0 {
		l.top.offer(client, uint64(cost)*share, allowed) //nolint:gosec // refuse checked it
	}
	if timed {
		n.latency.observe(n.now() - now)
	}
	return allowed
}

// take admits cost, if the entry's state allows it, and so does what the limit says
// of isolation. s is locked.
func (n *Node) take(s *shard, e *entry, now, cost int64) (bool, Reason) {
	conforms, origin := e.rev.gcra.Admit(gcra.Level{Base: e.state.Base(), Count: e.state.Count()}, now, cost)
	if iso := n.isolation.Load(); iso != nil {
		if allowed, why := n.isolated(s, e, iso, now, cost, conforms, true); why != ReasonOK {
			return allowed, why
		}
	}
	if !conforms {
		return false, ReasonOverLimit
	}
	if origin > gcra.Never {
		e.state.Raise(origin)
	}
	e.state.Admit(uint64(cost)) //nolint:gosec // refuse checked it
	if !n.offline {
		n.note(s, e, now)
	}
	return true, ReasonOK
}

// refuse checks what can be judged without the client's state. r is nil if there is
// no such limit.
func refuse(r *revision, client string, cost int64) Reason {
	switch {
	case r == nil:
		return ReasonUnknownLimit
	case client == "":
		return ReasonNoClient
	case len(client) > MaxClientID:
		return ReasonClientTooLong
	case cost < 1:
		return ReasonBadCost
	case cost > r.policy.Burst:
		return ReasonCostTooHigh
	}
	return ReasonOK
}

func (n *Node) refused(r *revision, why Reason) Decision {
	d := Decision{Reason: why, Degraded: n.degraded.Load()}
	if r != nil {
		d.Limit, d.Quota, d.Window, d.Burst = r.limit.name, r.policy.Limit, r.policy.Window, r.policy.Burst
	}
	if why == ReasonCostTooHigh {
		d.RetryAfter = gcra.MaxDuration
	}
	return d
}

// entry finds or makes the client's entry, brings it under the revision in force
// and into the current window. room is false where the table is full and unknown
// clients are let pass. s is locked.
func (n *Node) entry(s *shard, l *limit, r *revision, k crdt.Key, now int64) (e *entry, room bool) {
	e = s.find(k)
	if e == nil {
		if e, room = n.admitEntry(s, l, r, k, now); !room {
			return nil, false
		}
	}
	if e.rev != r && e.rev.stamp.Compare(r.stamp) < 0 {
		n.renew(e, r, now)
	}
	if f := &e.rev.frame; now-e.state.Start() >= f.Width {
		e.state.Roll(f, f.Start(now))
	}
	return e, true
}

// admitEntry makes an entry for an unknown client; at the cap, clients share a
// fixed number of ordinary, replicated overflow entries instead, one for each limit
// and partition: that converges, and can only deny too much.
func (n *Node) admitEntry(s *shard, l *limit, r *revision, k crdt.Key, now int64) (*entry, bool) {
	start := r.frame.Start(now)
	if !n.table.full(s) {
		n.table.count.Add(1)
		return s.insert(k, r, start), true
	}
	n.overflowed.Add(1)
	if n.cfg.OnFull == FullOpen {
		return nil, false
	}
	k = n.overflowKey(l, k)
	if e := s.find(k); e != nil {
		return e, true
	}
	n.table.count.Add(1)
	return s.insert(k, r, start), true
}

// overflowKey is the key that the unknown clients of a partition share. No client
// id can be hashed to it but by accident.
func (n *Node) overflowKey(l *limit, k crdt.Key) crdt.Key {
	var buf [192]byte
	b := append(append(buf[:0], "overflow\x00"...), l.prefix...)
	hi, lo := n.hash.Hash128(append(b, byte(k.Partition())))
	const low = 1<<56 - 1
	return crdt.Key{Hi: k.Hi&^low | hi&low, Lo: lo}
}

// renew begins the client's life under a newer revision with what it has used.
func (n *Node) renew(e *entry, r *revision, now int64) {
	e.follow(e.reset(), &life{stamp: e.stamp(), rev: e.rev, reset: e.reset(), state: e.state})
	e.rev, e.state = r, crdt.New(r.frame.Start(max(now, r.stamp.At)))
	n.recarry(e)
}

// recarry raises the origin to what the old life carries over; again whenever late
// deltas raise that. It is the previous window's: an origin of the current one that
// is ahead of the clock would be taken for a wrong clock's.
func (n *Node) recarry(e *entry) {
	old := e.old()
	if old.state.Base() == crdt.Never || e.reset().Compare(e.rev.stamp) > 0 {
		return
	}
	// Where a folded TAT goes: it may lie in the future, as the origin of a current
	// window may not.
	e.state.RaisePrevious(&e.rev.frame, e.rev.carry(old.rev, old.state.TAT(&old.rev.frame)))
}

// note remembers that the entry has something to send, and calls for a flush if its
// unsent cost reached the quantum: what the target overshoot leaves to each peer,
// less what arrives while a message is under way.
func (n *Node) note(s *shard, e *entry, now int64) {
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
	if float64(e.state.Unsent())*flight*peers >= e.rev.slack {
		n.table.urgent.add(e.key.Partition())
		n.loopUrgent()
	}
}

// explain fills in all of d but Allowed, from the state after the decision.
func (n *Node) explain(s *shard, d *Decision, e *entry, now, cost int64) {
	r := e.rev
	d.Limit = r.limit.name
	g := r.gcra.Explain(gcra.Level{Base: e.state.Base(), Count: e.state.Count()}, now, cost, d.Allowed)
	d.Quota, d.Window, d.Burst = r.policy.Limit, r.policy.Window, r.policy.Burst
	d.Remaining, d.RetryAfter, d.ResetAfter = g.Remaining, g.RetryAfter, g.ResetAfter
	if iso := n.isolation.Load(); iso != nil {
		n.explainIsolated(s, d, e, iso, now, cost)
	}
	d.Degraded = n.degraded.Load()
}

// peek describes the client's standing and changes nothing.
func (n *Node) peek(l *limit, client string, cost int64) Decision {
	now := n.now()
	r := l.known(now)
	if why := refuse(r, client, cost); why != ReasonOK {
		n.refusals[why].Add(1)
		return n.refused(r, why)
	}
	k := n.key(l, client)
	s := n.table.shard(k)
	s.mu.Lock()
	defer s.mu.Unlock()
	look := entry{rev: r, state: crdt.New(r.frame.Start(now))}
	if e := s.find(k); e != nil {
		look = *e
		look.state = e.state.Clone()
	} else if n.table.full(s) && n.cfg.OnFull != FullOpen {
		if e := s.find(n.overflowKey(l, k)); e != nil {
			look = *e
			look.state = e.state.Clone()
		}
	}
	if look.rev.stamp.Compare(r.stamp) < 0 {
		n.renew(&look, r, now)
	}
	look.state.Roll(&look.rev.frame, look.rev.frame.Start(now))
	var d Decision
	d.Allowed, _ = look.rev.gcra.Admit(gcra.Level{Base: look.state.Base(), Count: look.state.Count()}, now, cost)
	if iso := n.isolation.Load(); iso != nil {
		d.Allowed, _ = n.isolated(s, &look, iso, now, cost, d.Allowed, false)
	}
	n.explain(s, &d, &look, now, cost)
	d.Reason = ReasonPeek
	return d
}

func (s *shard) count(l *limit, cost int64, allowed bool) {
	for l.index >= len(s.tallies) { // a limit that was set after the start
		s.tallies = append(s.tallies, tally{})
	}
	t := &s.tallies[l.index]
	if t.limit != l { // the index was another's, which is deleted
		*t = tally{limit: l}
	}
	if allowed {
		t.allowed++
		t.allowedUnits += uint64(cost) //nolint:gosec // refuse checked it
	} else {
		t.denied++
		t.deniedUnits += uint64(cost) //nolint:gosec // refuse checked it
	}
}
