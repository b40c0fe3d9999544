package sync

// joining is how a new node comes to know what the others know, before it reports
// ready. It decides all the while; what it does not know yet it can over-admit.
//
// Ready when a snapshot was merged from a peer that is itself ready; or every peer
// heard is itself joining, after some patience; or settle after the transport was
// connected nobody was heard; at the latest joinCap after the start, also without
// a network.
//
// A node that expects no peers reports ready at once, but joins all the same: peers
// may be there, and know what its last incarnation admitted.
type joining struct {
	ready       bool
	told        bool // that the node is ready
	partial     bool // ready without a snapshot from a ready peer, though there were peers
	startedAt   int64
	connectedAt int64
	up          bool
}

const (
	settle  = int64(2e9)
	joinCap = int64(5e9)
	// together is how long a node that hears only joining peers waits for others
	// before it takes it that the whole cluster starts.
	together = int64(300e6)
)

func (j *joining) start(now int64) {
	j.startedAt = now
}

func (j *joining) connected(now int64) {
	if !j.up {
		j.up, j.connectedAt = true, now
	}
}

// beat starts the transfer when a peer is heard that can give a snapshot.
func (j *joining) beat(e *Engine, now int64, p *peer) {
	if !j.ready && !p.joining && p.request.id == 0 && now >= p.request.notBefore && !j.under(e) {
		e.ask(now, p, KindSnapshot, 0, 0, Cursor{})
	}
}

// under reports whether a transfer is under way.
func (j *joining) under(e *Engine) bool {
	for _, p := range e.peers.list {
		if p.request.id != 0 && p.request.kind == KindSnapshot {
			return true
		}
	}
	return false
}

// done is called when a snapshot was merged to its end.
func (j *joining) done(e *Engine, now int64, p *peer, peerJoining bool) {
	p.joining = peerJoining
	if !peerJoining {
		j.finish(e, now, p, "snapshot merged")
	}
}

func (j *joining) tick(e *Engine, now int64) {
	if e.cfg.Alone && !j.told {
		j.tell(e, nil, "no peers are expected")
	}
	if j.ready {
		return
	}
	heard, joiningPeers := 0, 0
	for _, p := range e.peers.list {
		if p.state == PeerAlive {
			heard++
			if p.joining {
				joiningPeers++
			}
		}
	}
	switch {
	case now-j.startedAt >= joinCap:
		j.partial = heard > 0
		j.finish(e, now, nil, "no snapshot within the time for it")
	case heard > 0 && heard == joiningPeers && j.up && now-j.connectedAt >= together:
		j.finish(e, now, nil, "all peers are starting too")
	case heard == 0 && j.up && now-j.connectedAt >= settle:
		j.finish(e, now, nil, "no peer heard")
	case heard > joiningPeers && !j.under(e):
		// The one that was asked fell silent, or answered nothing: ask another.
		for _, p := range e.peers.list {
			if p.state == PeerAlive {
				j.beat(e, now, p)
			}
		}
	}
}

func (j *joining) finish(e *Engine, now int64, from *peer, why string) {
	j.ready = true
	e.nextBeat = min(e.nextBeat, now)
	if !j.told {
		j.tell(e, from, why)
	}
}

func (j *joining) tell(e *Engine, from *peer, why string) {
	j.told = true
	e.event(EventReady, from, why)
}
