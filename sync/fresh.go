package sync

import "slices"

// Whoever records a message can send it again. Its tag is right then, so the receiver has to
// tell by itself what is a recording. It goes by its own clock: a node numbers its beats, and
// others name in theirs the beat of it that they heard last. A name that comes back while the
// beat is young shows that its sender hears us now. The sender is confirmed then. From there
// on the sending times and numbers of that incarnation only rise, so anything older is a
// recording, or was overtaken.

// echoWithin is how old a beat of ours may be when it comes back. Raising it lets a recording
// confirm its sender for longer. Lowering it below a few intervals and delays leaves peers on
// slow links unconfirmed.
const echoWithin = int64(10e9)

// echoes tells which of our own beats are young. The zero value has sent none.
type echoes struct {
	sent []int64 // when beats were sent, by our clock; the last one has number last
	last uint64
}

// next numbers a beat that is sent now.
func (e *echoes) next(now int64) uint64 {
	old := 0
	for old < len(e.sent) && now-e.sent[old] >= echoWithin {
		old++
	}
	e.sent = append(slices.Delete(e.sent, 0, old), now)
	e.last++
	return e.last
}

// young reports whether the beat of that number was sent lately.
func (e *echoes) young(now int64, number uint64) bool {
	back := e.last - number                                                                             // huge if number is above
	return number > 0 && back < uint64(len(e.sent)) && now-e.sent[len(e.sent)-1-int(back)] < echoWithin //nolint:gosec // below the length
}

// confirm takes the number of a beat of ours that came back from a peer. A stranger becomes a
// member by it.
func (ms *members) confirm(now int64, p *peer, number uint64) {
	if p.confirmed || !ms.echoes.young(now, number) {
		return
	}
	p.confirmed, ms.changed = true, true
	ms.edits++
	ms.replace(now, p)
	if p.node == ms.cfg.Node {
		ms.events(EventTwin, p, "another live node has our name; give each node its own -name")
	}
	if !p.left {
		if p.node != ms.cfg.Node {
			ms.roster.heard(p.node)
		}
		ms.events(EventPeerJoined, p, "")
	}
}

// unmask takes a beat that names a young beat of ours and states a time long before the latest
// one that was heard of its sender. The sender speaks now, so whoever stated that time spoke in
// its name, or its clock was set back. All that hangs on the time begins anew.
func (ms *members) unmask(now int64, p *peer, m *Message) {
	if m.Kind != KindBeat || m.Sent >= p.sent-echoWithin {
		return
	}
	for i := range m.Heard {
		if h := &m.Heard[i]; h.Replica == ms.cfg.Replica && ms.echoes.young(now, h.Beat) {
			p.sent, p.beat = m.Sent-1, 0
			p.lag, p.bearing.recent = lagWindow{}, lagWindow{}
			ms.edits++ // the arrivals believed that time, too
			return
		}
	}
}

// fresh reports whether a message is later than all that were heard of the peer.
func (p *peer) fresh(m *Message) bool {
	switch {
	case m.Sent != p.sent:
		return m.Sent > p.sent
	case m.Kind == KindBeat:
		return m.Beat > p.beat
	case m.Kind == KindDelta:
		return m.Seq > p.seq
	}
	return false
}

// stale is why a message must not take effect, though its tag is right; "" if it may. Rows may
// always: they state totals, and old ones change nothing. So may a bye, which is void as soon
// as its sender speaks again. But what is said of limits and resets would come back after
// everybody forgot it, and a question would bring its answer each time. fresh says that nothing
// later was heard of the peer.
func (p *peer) stale(m *Message, fresh bool) string {
	const stranger = "it has not shown yet that it hears this node"
	switch m.Kind {
	case KindBeat:
		// Other messages may overtake it.
		if m.Beat <= p.beat && !fresh || m.Sent < p.sent-overtaking {
			return "a later one was heard"
		}
		p.beat = max(p.beat, m.Beat)
	case KindLimits, KindReset:
		switch {
		case !p.confirmed:
			return stranger
		case m.Sent < p.sent:
			return "a later message was heard"
		}
	case KindSettled:
		if !p.confirmed {
			return stranger
		}
	case KindRepair, KindSnapshot, KindSettle, KindPull, KindWant:
		switch {
		case !p.confirmed:
			return stranger
		case m.Request <= p.asked:
			return "it asked a later question"
		}
		p.asked = m.Request
	}
	return ""
}

// overtaking is by how much longer than another message a beat may be on its way. Raising it
// lets whoever can hold beats back tell what was true earlier. Lowering it drops beats on a
// network that delays some messages and not others.
const overtaking = int64(1e9)

// jumpSlack is for how long messages may be held up on their way and then come at once.
// Raising it lets a forged number reach further. Lowering it refuses honest messages behind a
// long stall.
const jumpSlack = int64(10e9)

// mostSeq caps the numbers of deltas: at 64,000 a second nobody gets there in a million years.
// Raising it lets sums of numbers wrap around. Lowering it refuses what long runs send.
const mostSeq = 1 << 61

// jumps reports whether a number is further ahead than the peer can have come since it was
// heard, also if all that it published meanwhile was lost.
func (p *peer) jumps(now int64, seq uint64) bool {
	most := mostFlush * ((now-p.heardAt+jumpSlack)/int64(DefaultUrgentGap) + 1)
	return p.known && seq > p.seq && seq-p.seq > uint64(most) //nolint:gosec // not negative
}

const (
	// newcomersPerSecond is how many new incarnations a node takes notice of in a second, on
	// average. Raising it lets whoever invents names cost more. Lowering it makes a large
	// cluster take longer to know itself.
	newcomersPerSecond = 200
	// mostNewcomers is how many it takes at once: as many as a cluster can have, which may start
	// as a whole.
	mostNewcomers = MaxPeers
)
