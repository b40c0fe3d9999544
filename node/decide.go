package node

import (
	"github.com/distributed-rate-limiter/distributed-rate-limiter/crdt"
	"github.com/distributed-rate-limiter/distributed-rate-limiter/gcra"
)

// key hashes a client's id under the limit. The buffer stays on the stack.
func (n *Node) key(l *limit, client string) crdt.Key {
	var buf [192]byte
	b := append(append(buf[:0], l.prefix...), client...)
	hi, lo := n.hash.Hash128(b)
	return crdt.Key{Hi: hi, Lo: lo}
}

// decide is the one place where cost is admitted. It holds one shard's lock, does
// no I/O and waits for nobody. With full it also fills in what a client is told.
func (n *Node) decide(l *limit, client string, cost int64, full bool) Decision {
	now := n.now()
	if why := n.refuse(l, client, cost, now); why != ReasonOK {
		return n.refused(l, why, now)
	}
	k := n.key(l, client)
	s := n.table.shard(k)
	s.mu.Lock()
	r := l.at(now)
	e, room := n.entry(s, l, r, k, now)
	if !room {
		s.count(l, cost, true)
		s.mu.Unlock()
		return Decision{Allowed: true, Reason: ReasonFull, Limit: l.name, Quota: r.policy.Limit, Window: r.policy.Window, Burst: r.policy.Burst}
	}
	r = e.rev
	allowed, origin := r.gcra.Admit(gcra.Level{Base: e.state.Base(), Count: e.state.Count()}, now, cost)
	if allowed {
		if origin > gcra.Never {
			e.state.Raise(origin)
		}
		e.state.Admit(uint64(cost)) //nolint:gosec // refuse checked it
		n.note(s, e, now)
	}
	s.count(l, cost, allowed)
	d := Decision{Allowed: allowed, Limit: l.name}
	if full {
		n.explain(&d, e, now, cost)
	} else if !allowed {
		d.Reason = ReasonOverLimit
	}
	s.samples++
	sample := s.samples%latencyEvery == 0
	s.mu.Unlock()
	l.top.offer(client, cost, allowed, now)
	if sample {
		n.latency.observe(n.now() - now)
	}
	return d
}

// refuse checks what can be judged without the client's state.
func (n *Node) refuse(l *limit, client string, cost, now int64) Reason {
	switch {
	case l == nil:
		return ReasonUnknownLimit
	case client == "":
		return ReasonNoClient
	case len(client) > MaxClientID:
		return ReasonClientTooLong
	case cost < 1:
		return ReasonBadCost
	case cost > l.at(now).policy.Burst:
		return ReasonCostTooHigh
	}
	return ReasonOK
}

func (n *Node) refused(l *limit, why Reason, now int64) Decision {
	n.refusals[why].Add(1)
	d := Decision{Reason: why, Degraded: n.degraded.Load()}
	if l != nil {
		p := l.at(now).policy
		d.Limit, d.Quota, d.Window, d.Burst = l.name, p.Limit, p.Window, p.Burst
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
	if n.table.count.Load() < n.table.max {
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
	e.old = &life{stamp: e.stamp(), rev: e.rev, reset: e.reset, state: e.state}
	e.rev, e.state = r, crdt.New(r.frame.Start(max(now, r.stamp.At)))
	n.recarry(e)
}

// recarry raises the origin to what the old life carries over; again whenever late
// deltas raise that.
func (n *Node) recarry(e *entry) {
	if e.old.state.Base() == crdt.Never || e.reset.Compare(e.rev.stamp) > 0 {
		return
	}
	// Where a folded TAT goes: it may lie in the future, as the origin of a current
	// window may not.
	e.state.RaisePrevious(&e.rev.frame, e.rev.carry(e.old.rev, e.old.state.TAT(&e.old.rev.frame)))
}

// note remembers that the entry has something to send, and calls for a flush if its
// unsent cost reached the quantum: what the target overshoot leaves to each peer,
// less what arrives while a message is under way.
func (n *Node) note(s *shard, e *entry, now int64) {
	if n.alone {
		return
	}
	if !e.dirty {
		s.markDirty(e)
	}
	if s.urgent {
		return
	}
	peers, delay := float64(n.view.peers.Load()), n.view.delay.Load()
	if peers == 0 {
		return
	}
	since := max(now-e.sentAt, delay)
	flight := 1 + float64(delay)/float64(max(since, 1))
	if float64(e.state.Unsent())*flight*peers >= e.rev.slack {
		s.urgent = true
		n.loopUrgent()
	}
}

func (n *Node) explain(d *Decision, e *entry, now, cost int64) {
	r := e.rev
	g := r.gcra.Explain(gcra.Level{Base: e.state.Base(), Count: e.state.Count()}, now, cost, d.Allowed)
	d.Quota, d.Window, d.Burst = r.policy.Limit, r.policy.Window, r.policy.Burst
	d.Remaining, d.RetryAfter, d.ResetAfter = g.Remaining, g.RetryAfter, g.ResetAfter
	if !d.Allowed {
		d.Reason = ReasonOverLimit
	}
	d.Degraded = n.degraded.Load()
}

// peek describes the client's standing and changes nothing.
func (n *Node) peek(l *limit, client string, cost int64) Decision {
	now := n.now()
	if why := n.refuse(l, client, cost, now); why != ReasonOK {
		d := n.refused(l, why, now)
		return d
	}
	k := n.key(l, client)
	s := n.table.shard(k)
	s.mu.Lock()
	defer s.mu.Unlock()
	r := l.at(now)
	look := entry{rev: r, state: crdt.New(r.frame.Start(now))}
	if e := s.find(k); e != nil {
		look = *e
		look.state = e.state.Clone()
	} else if n.table.count.Load() >= n.table.max && n.cfg.OnFull != FullOpen {
		if e := s.find(n.overflowKey(l, k)); e != nil {
			look = *e
			look.state = e.state.Clone()
		}
	}
	if look.rev.stamp.Compare(r.stamp) < 0 {
		n.renew(&look, r, now)
	}
	look.state.Roll(&look.rev.frame, look.rev.frame.Start(now))
	d := Decision{Limit: l.name}
	d.Allowed, _ = look.rev.gcra.Admit(gcra.Level{Base: look.state.Base(), Count: look.state.Count()}, now, cost)
	n.explain(&d, &look, now, cost)
	d.Reason = ReasonPeek
	return d
}

func (s *shard) count(l *limit, cost int64, allowed bool) {
	for l.index >= len(s.tallies) { // a limit that was set after the start
		s.tallies = append(s.tallies, tally{})
	}
	t := &s.tallies[l.index]
	if allowed {
		t.allowed++
		t.allowedUnits += uint64(cost) //nolint:gosec // refuse checked it
	} else {
		t.denied++
		t.deniedUnits += uint64(cost) //nolint:gosec // refuse checked it
	}
}
