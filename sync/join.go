package sync

import "fmt"

// joining is how a new node comes to know what the others know, before it reports
// ready. It decides all the while; what it does not know yet it can over-admit.
//
// It is ready when a peer that is itself ready has given a whole snapshot; or when all
// peers heard are joining too, startPatience after the connection; or when nobody was
// heard for alonePatience after it; at the latest joinLimit after the start, also
// without a network.
//
// A node that expects no peers announces that it is ready at once, but joins all the
// same: peers may be there, and know what its last incarnation admitted.
type joining struct {
	// ready: this node has joined. It stays true (S12).
	ready bool
	// announced: EventReady went out, once. ready implies it (S12).
	announced bool
	// alone: ready though nobody was heard. A peer that is heard then and has joined long ago
	// makes the join a partial one.
	alone bool
	// settled: see Status. It stays true.
	settled   bool
	startedAt int64 // own clock
	// restoring: counts of a file are to come, and were not given up. whole: they came.
	restoring, whole bool
	// waiting: nobody who is ready is there, so this node waits for them.
	waiting bool
	// founder: it joined without a snapshot, and nobody was ready who could have given one.
	founder bool
	// connectedAt is when the first connection was made, by our clock, once up is true.
	connectedAt int64
	up          bool
	// chooseAt is when to choose who gives the snapshot, by our clock; 0 before a peer is heard
	// that can.
	chooseAt int64
	// rows is how many rows of snapshots have come.
	rows int
}

const (
	// alonePatience is how long a connected node that hears nobody waits. Raising it
	// delays every node that starts alone. Lowering it below a beat's interval lets a node
	// be ready, and admit anew what its peers know, after one lost beat.
	alonePatience = int64(2e9)
	// joinLimit is when a node is ready whatever happened. Raising it keeps a node out of
	// service while its peers cannot answer. Lowering it ends large snapshots early.
	joinLimit = int64(5e9)
	// startPatience is how long a node that hears only joining peers waits for others
	// before it concludes that the whole cluster starts. Raising it delays every start of
	// a whole cluster. Lowering it misses a ready peer whose first beat is under way.
	startPatience = int64(300e6)
	// choosePatience is how long a node waits for other peers to show that they can give a
	// snapshot. Raising it delays every start. Lowering it below beatSoonWithin and a delivery
	// lets all nodes that start together ask the one that beats first.
	choosePatience = int64(30e6)
)

func (j *joining) connected(now int64) {
	if !j.up {
		j.up, j.connectedAt = true, now
	}
}

// beat starts the transfer when a peer is heard that can give a snapshot.
func (j *joining) beat(e *Engine, now int64, p *peer) {
	if j.alone && !p.joining && !p.served && !e.members.recalled {
		e.members.founding.ran(min(p.foundedAt, e.members.founding.at-1))
	}
	j.alone = false
	if j.ready || p.joining {
		return
	}
	if j.chooseAt == 0 {
		if j.chooseAt = now; p.members > 2 { // it knows of others than us
			j.chooseAt += choosePatience
		}
	}
	j.choose(e, now)
}

// choose asks some peer that is ready for a snapshot, at random, so that nodes that start
// together do not all ask one. Who has given a part already goes on from there.
func (j *joining) choose(e *Engine, now int64) {
	if j.chooseAt == 0 || now < j.chooseAt || j.transferring(e) {
		return
	}
	var able []*peer
	for _, p := range e.members.peers {
		if p.state != PeerAlive || !p.confirmed || p.joining || p.request.id != 0 || !p.request.pace.due(now) {
			continue
		}
		if r := &p.request; r.kind == KindSnapshot && r.begun && r.from != (Cursor{}) {
			e.ask(now, p, KindSnapshot, 0, 0, r.from)
			return
		}
		able = append(able, p)
	}
	if len(able) > 0 {
		e.ask(now, able[e.random.IntN(len(able))], KindSnapshot, 0, 0, Cursor{})
	}
}

// transferring reports whether some peer was asked for a snapshot and may still answer.
func (j *joining) transferring(e *Engine) bool {
	for _, p := range e.members.peers {
		if p.request.id != 0 && p.request.kind == KindSnapshot {
			return true
		}
	}
	return false
}

// merged is called when a snapshot of p was merged to its end.
func (j *joining) merged(e *Engine, now int64, p *peer, peerJoining bool) {
	p.joining = peerJoining
	if !peerJoining {
		j.finish(e, now, p, "snapshot merged")
	}
}

func (j *joining) tick(e *Engine, now int64) {
	if e.cfg.Alone && !j.announced && (!j.restoring || now-j.startedAt >= joinLimit) {
		j.announce(e, nil, "no peers are expected")
	}
	if j.ready {
		if !j.settled && e.members.settled() {
			j.settled = true
			e.members.succeed(now)
			e.members.coming = false
		}
		return
	}
	heard, starting := 0, 0
	for _, p := range e.members.peers {
		if p.state == PeerAlive && p.confirmed {
			heard++
			if p.joining {
				starting++
			}
		}
	}
	starts := heard > 0 && heard == starting && j.up && now-j.connectedAt >= startPatience
	lonely := heard == 0 && j.up && now-j.connectedAt >= alonePatience
	j.waiting = j.restoring && (starts || lonely || e.cfg.Alone && heard == 0)
	switch {
	case now-j.startedAt >= joinLimit:
		why := "no snapshot came in time"
		if j.rows > 0 {
			why = fmt.Sprintf("%d rows of a snapshot came in time, and not all: what its giver holds is too much for its link or for this node; repairs bring the rest", j.rows)
		}
		j.founder = heard == starting
		j.finish(e, now, nil, why)
		if heard > 0 {
			e.members.founding.ran(j.startedAt - 1)
		}
	case j.waiting:
	case starts:
		j.founder = true
		j.finish(e, now, nil, "all peers are starting too")
	case lonely:
		j.alone, j.founder = true, true
		j.finish(e, now, nil, "no peer was heard")
	case heard > starting:
		j.choose(e, now) // also if the peer that was asked fell silent, or answered nothing
	}
}

func (j *joining) finish(e *Engine, now int64, from *peer, why string) {
	j.ready = true
	j.waiting = false
	e.members.founding.join(j.startedAt, from, e.cfg.Last)
	s := e.cfg.Saved
	if s != nil && from == nil {
		e.members.founding.ran(s.At)
	}
	if j.founder && j.whole {
		e.members.recall(now)
		e.members.founding.recall(s)
	}
	e.nextBeat = min(e.nextBeat, now)
	if !j.announced {
		j.announce(e, from, why)
	}
}

func (j *joining) announce(e *Engine, from *peer, why string) {
	j.announced = true
	e.event(EventReady, from, why)
}
