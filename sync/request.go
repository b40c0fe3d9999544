package sync

import "github.com/distributed-rate-limiter/distributed-rate-limiter/crdt"

const (
	// requestTimeout is how long each message of an answer may take. Raising it delays
	// the next attempt, or another peer's snapshot. Lowering it asks a busy peer twice.
	requestTimeout = int64(500e6)
	// requestPause is the first pause after a request without an answer. Raising it
	// delays the repair of one lost message. Lowering it loads a link that loses much.
	requestPause = int64(100e6)
)

// request is a question to a peer, and how far its answer has come. The zero value is
// no question; all fields but pace mean nothing while id is 0 (S7).
type request struct {
	// id is the number that we chose, 0 for no question. No two questions share one.
	id uint64
	// givenUp is the id of the last repair if nobody answered it in time and none was asked
	// since: rows are facts, so a late answer still counts. It is 0 while id is not (S7).
	givenUp uint64
	kind    Kind         // KindRepair or KindSnapshot
	of      crdt.Replica // whose rows, 0 is everybody's
	// since is the message after which the rows left their replica; 0 is all rows.
	since uint64
	// compared: the answer is about partitions whose digests differ, and accounts for no
	// number. It stays over all rounds.
	compared bool
	// start is where this round of the answer begins, from where the page that is due
	// does. A round that ends with from at start has brought nothing.
	start, from Cursor
	// page is the answer's page that is due; pages before it have come, in order.
	page uint64
	// unknown: some rows were counted under a revision of a limit not known here yet.
	unknown bool
	// deadline is when the question is given up, by our clock.
	deadline int64
	// seq is the peer's last message when it began to answer, sent its clock then: what
	// has left since can lie before the place where the answer goes on. They mean nothing
	// before begun, and stay over all rounds.
	begun bool
	seq   uint64
	sent  int64
	// pace says when the peer may be asked next.
	pace backoff
}

// giveUp ends a request that nobody answered.
func (r *request) giveUp(now int64) {
	if r.kind == KindRepair { // a snapshot is asked of another peer instead
		r.givenUp = r.id
	}
	r.id = 0
	r.pace.failed(now + r.pace.pause(requestPause))
}

// ask requests rows of one replica (0: of all) from a peer.
func (e *Engine) ask(now int64, p *peer, kind Kind, of crdt.Replica, since uint64, from Cursor) {
	if !e.connected {
		return
	}
	r := &p.request
	r.givenUp, r.kind, r.of, r.since = 0, kind, of, since
	r.page, r.start, r.from = 0, from, from
	r.begun, r.unknown = r.begun && from != Cursor{}, false
	r.deadline = now + requestTimeout
	m := &Message{Kind: kind, Of: of, Since: since, Cursor: from}
	if from == (Cursor{}) {
		r.compared = kind == KindRepair && since == 0 && (of != p.replica || !p.gap)
	}
	if kind == KindRepair {
		e.stats.Repairs++
		if r.compared { // else the peer sends all that left since a message, whatever we hold
			m.Have = e.have(now, of, p.mismatch.failures+p.silent.failures+p.origins.failures)
		}
	}
	e.request(now, p, m)
	r.id, e.owed = m.Request, true
}

// have is what we hold of replica of's counters, or of everybody's origins (0). One
// request may not list all windows; the next one after some failures lists others.
func (e *Engine) have(now int64, of crdt.Replica, failures int) []Partitioned {
	windows := e.store.Windows(now)
	if of == 0 {
		windows = e.origins.windows(now)
	}
	var out []Partitioned
	for i := range min(len(windows), maxWindows) {
		have := Partitioned{Window: windows[(i+failures*maxWindows)%len(windows)]}
		if of != 0 {
			e.store.Digests(of, have.Window, &have.Digests)
		} else {
			for p := range have.Digests {
				have.Digests[p] = e.origins.of(now, have.Window, p)
			}
		}
		out = append(out, have)
	}
	return out
}

// onRows takes one message of an answer.
func (e *Engine) onRows(now int64, p *peer, m *Message) {
	r := &p.request
	switch {
	case m.Request == 0 || m.Request != r.id && m.Request != r.givenUp:
		return // unasked, or asked anew
	case r.id == 0:
		r.id, r.givenUp, e.owed = r.givenUp, 0, true
	}
	r.deadline = now + requestTimeout
	r.unknown = !e.merge(now, m) || r.unknown
	if r.kind == KindSnapshot {
		e.join.rows += m.rowsOf()
	}
	if !r.begun {
		r.begun, r.seq, r.sent = true, m.Seq, m.Sent
	}
	if m.Page == r.page {
		r.page, r.from = r.page+1, m.Next
	}
	if !m.Last {
		return
	}
	whole := m.Done && m.Page+1 == r.page
	if !whole && r.from == r.start || r.unknown {
		// An answer that does not move on counts as none, and so does one that cannot be
		// read before the limits' latest revisions are here.
		r.deadline = now
		return
	}
	r.id = 0
	r.pace.helped()
	if !whole { // there is more, or a page before this one was lost
		e.ask(now, p, r.kind, r.of, r.since, r.from)
		return
	}
	r.pace.hold(now + repairPause)
	switch {
	case r.kind == KindSnapshot:
		if !p.known {
			p.first(r.seq)
		}
		e.join.merged(e, now, p, m.Joining)
	case r.of == p.replica:
		e.members.repaired(now, p)
	case r.of != 0 && e.held(now, r.of) != p.silentHad:
		p.silent = backoff{} // it helped
		e.askSilent(now, p)
	}
}
