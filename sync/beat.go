package sync

// beatSoonWithin is the jitter of the beat that answers a new or returning peer. Raising
// it makes both sides know each other later. Lowering it makes all nodes of a large
// cluster answer a new one at the same moment.
const beatSoonWithin = int64(20e6)

// lookRation is how many beats of one peer are compared with what this node holds. A node beats
// once a second, and once more whenever others come. Raising it lets a peer take more of our time.
// Lowering it finds losses later while many nodes come.
var lookRation = ration{perSecond: 4, most: 40}

// beat tells everybody that this node lives, what it has sent and whom it hears. publish
// has flushed all that is due, so the digests hold what deltas up to Seq have carried.
func (e *Engine) beat(now int64) {
	e.nextBeat = now + int64(e.cfg.BeatInterval)
	m := &Message{Kind: KindBeat, Beat: e.members.echoes.next(now), Seq: e.seq, Joining: !e.join.ready, Members: uint64(1 + len(e.members.roster.valid())), Unsure: e.members.unsure(), Limits: e.store.RegistersDigest(), Base: e.store.BaseDigest()}
	e.hearing.name(now, &e.members, m)
	if e.join.ready {
		m.Missing = e.members.missing(now)
		m.Founded, m.Before = e.members.founding.ages(now)
	}
	e.addRoll(m)
	e.addRoots(now, m)
	e.addKnown(now, m)
	if e.join.ready {
		e.origins.add(now, m)
	}
	e.broadcast(now, m, nil)
	e.sendResets(now, e.store.Resets(now, false))
}

// beatSoon brings the next beat forward, so that a peer that appeared knows this node
// within a moment and not within a beat.
func (e *Engine) beatSoon(now int64) {
	e.nextBeat = min(e.nextBeat, now+e.jitter(beatSoonWithin))
}

// onBeat takes a peer's beat. The order matters: the number shows gaps first, and digests
// are compared only if it shows none, since a gap explains any difference (N3).
func (e *Engine) onBeat(now int64, p *peer, m *Message) {
	e.members.listen(now, p, m)
	if !p.confirmed { // it may be a recording, so its beat says nothing of now
		return
	}
	p.joining, p.limits, p.base, p.beaten = m.Joining, m.Limits, m.Base, true
	e.hearRoll(p, m)
	e.members.reckon(p, m)
	if m.Limits == e.store.RegistersDigest() { // otherwise a change is on its way to one of the two
		e.compareLimits(p, m.Base != e.store.BaseDigest())
	} else {
		e.registers.alike = false
	}
	if !m.Joining {
		e.members.inherit(now, p, m.Missing)
		p.foundedAt = now - m.Founded
		e.members.founding.hear(now, p.foundedAt, m.Before)
		e.join.outran(e, now, p)
	}
	if m.Joining && !p.sure {
		p.from = max(p.from, p.metAt-joinLimit)
	}
	e.showPeers(now)
	switch {
	case !p.known:
		p.first(m.Seq)
	case m.Seq > p.seq:
		e.missing(now, p, p.seq, m.Seq)
		p.seq = m.Seq
	case m.Seq < p.seq && m.Sent >= p.sent:
		p.restate(m.Seq) // somebody else named a higher one for it
		p.unproven = true
	}
	if m.Seq == p.seq {
		e.members.refresh(now, p, m.Sent)
	}
	if !e.join.ready || e.join.alone {
		e.join.beat(e, now, p) // a snapshot first: it answers all comparisons at once
		return
	}
	if !p.looks.take(now, 1, lookRation) {
		return // whoever beats faster is compared no more often
	}
	if !p.gap && m.Seq == p.seq {
		e.compare(now, p, m)
	}
	e.learn(now, m)
	e.compareSilent(now, p, m)
	e.compareOrigins(now, p, m)
}

// compareLimits notes whether a peer decides by other limits. A peer that started anew comes
// in the place of its earlier incarnations.
func (e *Engine) compareLimits(p *peer, other bool) {
	was := false
	for _, q := range e.members.peers {
		if q.otherLimits && q.node == p.node {
			was, q.otherLimits = true, false
		}
	}
	p.otherLimits = other
	switch {
	case other && !was:
		e.event(EventOtherLimits, p, "its configuration differs from this node's, and so do the limits in force: the two count together, but disagree on what is too much")
	case was && !other:
		e.event(EventSameLimits, p, "the limits in force are the same again")
	}
}
