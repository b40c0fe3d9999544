package sync

const (
	// repairJitter spreads the requests of many nodes that miss the same message, and
	// gives a message that was overtaken time to come. Raising it delays every repair.
	// Lowering it asks for messages that were under way.
	repairJitter = int64(50e6)
	// repairPause is the least time between two repairs of one peer, and the first pause
	// after one that did not help. Raising it delays what a loss in the meantime needs.
	// Lowering it lets a lossy link cost a repair for each message.
	repairPause = int64(500e6)
)

// repairs gives up requests that nobody answered, and sends the repairs that are due (N6).
func (e *Engine) repairs(now int64) {
	if !e.owed {
		return
	}
	e.owed = false
	for _, p := range e.members.peers {
		if r := &p.request; r.id != 0 && now >= r.deadline {
			r.giveUp(now)
			e.stats.Timeouts++
		}
		switch {
		case !e.join.ready:
			// A snapshot comes first: it brings all that repairs would.
		case !p.answers(now) || p.request.id != 0 || !p.request.pace.due(now):
		case p.gap:
			e.ask(now, p, KindRepair, p.replica, p.since, Cursor{})
		case p.differs && p.mismatch.due(now):
			e.ask(now, p, KindRepair, p.replica, 0, Cursor{})
		}
		e.owed = e.owed || p.owes()
	}
}

// owes reports whether the peer owes rows, or an answer.
func (p *peer) owes() bool { return p.gap || p.differs || p.request.id != 0 }

// answers reports whether the peer can be asked: it is a member that is alive, or lingers
// after its bye (N6).
func (p *peer) answers(now int64) bool {
	return p.confirmed && (p.state == PeerAlive || p.left && now-p.goneAt < lingerFor)
}

// repaired takes a whole answer about the peer's own rows, and closes the gap if the
// answer accounts for all that was missing.
func (ms *members) repaired(now int64, p *peer) {
	if p.request.compared {
		// Rows may have been refused: the next beat's digests tell.
		p.differs, p.unproven = false, true
		return
	}
	if p.filled(p.request.seq) {
		ms.refresh(now, p, p.request.sent)
	}
}
