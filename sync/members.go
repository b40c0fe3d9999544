package sync

import (
	"cmp"
	"fmt"
	"slices"

	"github.com/distributed-rate-limiter/distributed-rate-limiter/crdt"
)

// MaxPeers caps how many other incarnations are known at once; messages of further
// ones are dropped and counted. Each takes a cell of a client's windows and 24 bytes of
// a beat, so raising it needs larger messages and more memory. Lowering it makes nodes
// of a large cluster count apart.
const MaxPeers = crdt.MaxCells - 1

// forgetAfter is how long a peer that is gone is remembered. What it counted is held and
// repaired without it. Raising it lists departed peers in the status for longer. Lowering
// it takes a peer of which a message is still under way for a new one.
const forgetAfter = int64(120e9)

// members is who else is in the cluster, for all that this node has heard. It sends
// nothing: it takes what was heard and how much time has passed.
type members struct {
	cfg    Config
	events func(EventKind, *peer, string)
	// peers is in the order of their incarnations' numbers, so that equal runs walk it
	// equally: without duplicates, without ourselves, at most MaxPeers (S1).
	peers []*peer
	// roster is the nodes that count as members, by name (S9).
	roster roster
	// coming: this node does not know yet what its peers know.
	coming bool
	// started is when we began to listen, by our clock.
	started int64
	// heard: some other incarnation was heard. It stays true.
	heard bool
	// echoes is which of our beats are young, newcomers how many more peers may come.
	echoes    echoes
	newcomers bucket
	// pages is how many messages of rows all peers together may have now.
	pages bucket
	// changed: who is there or who hears whom is not what group saw last.
	changed bool
	sight   groupSight
	// edits counts the changes of who is confirmed, and of whose time was false.
	edits int
	// spans are the stretches of the unknown that are over.
	spans spans
	// departed is how far the clocks of peers that were forgotten were from ours.
	departed Offsets
	// inherited is the silent incarnations that peers tell of and that were never heard here.
	inherited map[crdt.Replica]inherited
	// founding is of what time this node knows.
	founding founding
	// recalled: what is known of the time before is from Config.Saved.
	recalled bool
	// told is since when beats name incarnations that were never heard, by our clock.
	told map[crdt.Replica]int64
	// nextForget is when to look again for peers to forget, and nextAge for peers whose state
	// silence changes: none changes sooner.
	nextForget, nextAge int64
}

// find returns the peer of an incarnation, nil if it is not known.
func (ms *members) find(r crdt.Replica) *peer {
	i, ok := ms.search(r)
	if !ok {
		return nil
	}
	return ms.peers[i]
}

// owns reports whether an incarnation can be that node's. Whoever may publish under one name
// could speak for the incarnations of all others otherwise.
func (ms *members) owns(node string, r crdt.Replica) bool {
	if p := ms.find(r); p != nil {
		return p.node == node
	}
	return !ms.cfg.Marked || bears(r, node)
}

// hears reports whether the replica is a peer that is alive.
func (ms *members) hears(r crdt.Replica) bool {
	p := ms.find(r)
	return p != nil && p.state == PeerAlive
}

func (ms *members) search(r crdt.Replica) (int, bool) {
	return slices.BinarySearchFunc(ms.peers, r, func(p *peer, r crdt.Replica) int { return cmp.Compare(p.replica, r) })
}

// add makes a peer, or returns nil if there are too many. One that is gone makes room, or
// else a stranger: the one that has been silent longest.
func (ms *members) add(node string, r crdt.Replica) *peer {
	if len(ms.peers) >= MaxPeers {
		oldest := -1
		for i, p := range ms.peers {
			if (p.state == PeerGone || !p.confirmed) && (oldest < 0 || p.heardAt < ms.peers[oldest].heardAt) {
				oldest = i
			}
		}
		if oldest < 0 {
			return nil
		}
		ms.drop(ms.peers[oldest])
		ms.edits++
		ms.peers = slices.Delete(ms.peers, oldest, oldest+1)
	}
	p := &peer{node: node, replica: r, from: ms.started}
	delete(ms.told, r)
	if was, some := ms.inherited[r]; some {
		p.from = min(p.from, was.began)
		delete(ms.inherited, r)
	}
	ms.heard = true
	i, _ := ms.search(r)
	ms.peers = slices.Insert(ms.peers, i, p)
	return p
}

// hear notes a message and makes the peer if it is new; nil if there are too many. fresh says
// that nothing later was heard of it, and only then is the message a sign of life. appeared
// says that the peer is new or was silent, so that both sides should exchange beats soon.
func (ms *members) hear(now int64, m *Message) (p *peer, fresh, appeared bool) {
	if p = ms.find(m.Replica); p == nil {
		if !ms.newcomers.take(now, 1, ration{newcomersPerSecond, mostNewcomers}) {
			return nil, false, false
		}
		if p = ms.add(m.Node, m.Replica); p == nil {
			return nil, false, false
		}
		p.heardAt, p.deafAt, p.metAt, p.sent = now, now, now, m.Sent-1
		p.joining = true // until it says otherwise
		appeared = m.Kind != KindBye
	}
	ms.unmask(now, p, m)
	if fresh = p.fresh(m); !fresh {
		return p, false, appeared
	}
	if p.left && (m.Kind == KindBeat || m.Kind == KindDelta) {
		ms.rejoin(p)
	}
	p.sent = m.Sent
	if m.Kind == KindBeat {
		p.beat = m.Beat
	}
	if p.confirmed && p.node != ms.cfg.Node && !p.left && m.Kind != KindBye {
		ms.roster.heard(p.node) // also if another incarnation of that name said bye
	}
	if p.state != PeerAlive && !p.left {
		appeared = true
		p.contact()
		ms.events(EventPeerBack, p, fmt.Sprintf("after %.1f s of silence", float64(now-p.heardAt)/1e9))
		p.state, ms.changed = PeerAlive, true
	}
	p.heardAt = now
	p.lag.add(now, now-m.Sent, lagSpan)
	late := now-m.Sent-p.lag.least() > lateAfter
	if p.late && !late {
		p.contact()
	}
	p.late = late
	p.replacedAt = 0
	p.bearing.recent.add(now, now-m.Sent, recentSpan)
	p.bearing.sent(now, m.Sent)
	return p, true, appeared
}

// rejoin takes back a bye whose sender goes on speaking: somebody else said it.
func (ms *members) rejoin(p *peer) {
	p.left, p.byeSeq, ms.changed = false, 0, true
	if p.confirmed && p.node != ms.cfg.Node {
		ms.roster.add(p.node)
	}
}

// age moves peers along by silence and forgets those that matter no more. It reports
// whether a state changed. A pass over all peers each step would cost most of a step.
func (ms *members) age(now int64) (changed bool) {
	if now >= ms.nextForget {
		ms.nextForget = now + int64(ms.cfg.BeatInterval)
		ms.disinherit(now)
		ms.forget(now)
	}
	if now < ms.nextAge {
		return false
	}
	ms.nextAge = now + int64(ms.cfg.SuspectAfter) // of whoever is heard from now on
	for _, p := range ms.peers {
		silence := now - p.heardAt
		switch {
		case p.state == PeerAlive && silence >= int64(ms.cfg.SuspectAfter):
			p.state, changed, ms.changed = PeerSuspect, true, true
			ms.events(EventPeerSuspect, p, fmt.Sprintf("not heard for %.1f s", float64(silence)/1e9))
			if ms.succeeded(p) { // it came back so soon that nobody had missed it: see replace
				ms.end(now, p)
			}
		case p.state == PeerSuspect && silence >= int64(ms.cfg.GoneAfter):
			p.state, p.goneAt, changed, ms.changed = PeerGone, now, true, true
			ms.events(EventPeerGone, p, fmt.Sprintf("not heard for %.1f s", float64(silence)/1e9))
		}
		switch p.state {
		case PeerAlive:
			ms.nextAge = min(ms.nextAge, p.heardAt+int64(ms.cfg.SuspectAfter))
		case PeerSuspect:
			ms.nextAge = min(ms.nextAge, p.heardAt+int64(ms.cfg.GoneAfter))
		case PeerGone:
		}
	}
	return changed
}

// forget drops peers that matter no more.
func (ms *members) forget(now int64) {
	ms.peers = slices.DeleteFunc(ms.peers, func(p *peer) bool {
		forget := p.state == PeerGone && now-p.goneAt > forgetAfter && !ms.admits(p)
		if forget {
			ms.drop(p)
			ms.edits++
		}
		return forget
	})
}

// bye takes the peer's word that it stops. It reports whether that was news.
func (ms *members) bye(now int64, p *peer) bool {
	if p.left {
		return false
	}
	if from := p.unknown(); p.replacedAt == 0 && now-from >= healedAfter {
		ms.spans.close(p.replica, from, now, SpanHealed) // what was too old by then nobody repairs
	}
	p.left, p.state, p.goneAt, ms.changed = true, PeerGone, now, true
	if !p.confirmed { // a recording strikes nobody off
		return true
	}
	if !slices.ContainsFunc(ms.peers, func(other *peer) bool { return other.twin(p) }) {
		ms.roster.remove(p.node)
	}
	ms.events(EventPeerLeft, p, "said bye")
	return true
}

// admits reports whether the peer may be admitting, for all that is known. A silent one
// may, until a later incarnation of its node is heard or the roster loses its name (N5).
func (ms *members) admits(p *peer) bool {
	if p.left || p.replacedAt != 0 {
		return false
	}
	return p.state != PeerGone || ms.roster.has(p.node) && !ms.succeeded(p)
}

// succeeded reports whether another incarnation of the peer's node came after it was last heard.
func (ms *members) succeeded(p *peer) bool {
	return slices.ContainsFunc(ms.peers, func(other *peer) bool {
		return other != p && other.confirmed && other.node == p.node && !p.twin(other)
	})
}

// deaf reports whether the peer's beats have not named us for so long that it is no
// matter of messages under way.
func (ms *members) deaf(now int64, p *peer) bool {
	return !p.hearsUs && now-p.deafAt >= int64(ms.cfg.SuspectAfter)
}

// count is how many peers are in a state.
func (ms *members) count(state PeerState) int {
	n := 0
	for _, p := range ms.peers {
		if p.state == state {
			n++
		}
	}
	return n
}

// reach is how many peers can admit, and the largest estimated delay to one of them.
func (ms *members) reach() (peers int, delay int64) {
	for _, p := range ms.peers {
		if p.state != PeerGone && p.confirmed {
			_, d := p.offset()
			peers, delay = peers+1, max(delay, d)
		}
	}
	return peers, delay
}
