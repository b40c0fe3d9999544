package sync

import (
	"cmp"
	"slices"

	"github.com/distributed-rate-limiter/distributed-rate-limiter/crdt"
)

// Known is what a node knows of a replica that it does not hear.
type Known struct {
	Replica crdt.Replica
	// Merged is the number up to which all deltas of the replica are merged; 0 is not known.
	Merged uint64
	// Bye is the number of its last delta plus 1, as its bye said it; 0 if no bye was heard.
	Bye uint64
}

// Compare orders by replica.
func (k Known) Compare(o Known) int { return cmp.Compare(k.Replica, o.Replica) }

// Whole reports whether all that the replica ever sent is merged: it said how much that is.
func (k Known) Whole() bool { return k.Bye > 0 && k.Merged >= k.Bye-1 }

// merge takes the larger of each number: both only grow.
func (k *Known) merge(o Known) { k.Merged, k.Bye = max(k.Merged, o.Merged), max(k.Bye, o.Bye) }

// knowledge is what this node knows of silent replicas that are no peers of its own: their
// counters came from others, or it has forgotten them. It holds no peer, and at most maxKnown
// replicas, in their order (S14). The zero value holds none.
type knowledge struct{ of []Known }

// find returns the record of a replica, nil if there is none.
func (k *knowledge) find(r crdt.Replica) *Known {
	i, found := slices.BinarySearchFunc(k.of, Known{Replica: r}, Known.Compare)
	if !found {
		return nil
	}
	return &k.of[i]
}

// learn merges o into the record of its replica. A full list takes no further replica.
func (k *knowledge) learn(o Known) {
	i, found := slices.BinarySearchFunc(k.of, o, Known.Compare)
	if !found {
		if len(k.of) >= maxKnown {
			return
		}
		k.of = slices.Insert(k.of, i, Known{Replica: o.Replica})
	}
	k.of[i].merge(o)
}

// retain drops the records of all replicas but those that keep holds for.
func (k *knowledge) retain(keep func(crdt.Replica) bool) {
	k.of = slices.DeleteFunc(k.of, func(o Known) bool { return !keep(o.Replica) })
}

// merged is the number up to which all of the peer's deltas are merged, 0 if that is not
// known: something may be missing from before we listened, or digests differ.
func (p *peer) merged() uint64 {
	switch {
	case !p.sure || p.differs || p.unproven:
		return 0
	case p.gap:
		return p.since
	}
	return p.seq
}

// knows is what we know of a peer.
func (p *peer) knows() Known { return Known{Replica: p.replica, Merged: p.merged(), Bye: p.byeSeq} }

// silents lists what this node knows of every replica that it does not hear: of peers that
// are silent or left, and of others whose counters it holds.
func (e *Engine) silents(now int64) []Known {
	counted := map[crdt.Replica]bool{}
	for _, root := range e.store.Roots(now) {
		counted[root.Replica] = true
	}
	delete(counted, e.cfg.Replica)
	e.knowledge.retain(func(r crdt.Replica) bool { return counted[r] && e.members.find(r) == nil })
	var all []Known
	for _, p := range e.members.peers {
		delete(counted, p.replica)
		if p.state != PeerAlive {
			all = append(all, p.knows())
		}
	}
	for r := range counted {
		k := Known{Replica: r}
		if known := e.knowledge.find(r); known != nil {
			k = *known
		}
		all = append(all, k)
	}
	slices.SortFunc(all, Known.Compare)
	return all
}

// addKnown puts into a beat what this node knows of replicas that it does not hear, as far
// as that fits beside the rest.
func (e *Engine) addKnown(now int64, m *Message) {
	all := slices.DeleteFunc(e.silents(now), func(k Known) bool { return k.Merged == 0 && k.Bye == 0 })
	m.Known = e.knownTurn.take(all, min(maxKnown, m.room()/recordSize(knownRecord)), Known.Compare)
}

// learn takes what the peer knows of replicas that this node does not hear. A bye is a bye,
// whoever heard it. A number is taken over once both hold the same counters of the replica:
// then what the peer has merged is merged here, and a gap up to there is closed.
func (e *Engine) learn(now int64, m *Message) {
	for _, k := range m.Known {
		if k.Replica == e.cfg.Replica || max(k.Merged, k.Bye) > mostSeq || e.members.hears(k.Replica) {
			continue
		}
		same := e.holdsSame(now, k.Replica, m)
		p := e.members.find(k.Replica)
		if p == nil {
			if !same {
				k.Merged = 0
			}
			e.knowledge.learn(k)
			continue
		}
		if k.Bye > 0 && !p.left {
			e.left(now, p, k.Bye-1)
		}
		if same && k.Merged >= p.seq && k.Merged > 0 && p.request.id == 0 {
			p.complete(k.Merged)
		}
	}
}

// left takes a bye, the peer's own or as another tells of it. last is the number of the
// peer's last delta: it is not believed to be whole before all up to there are merged.
func (e *Engine) left(now int64, p *peer, last uint64) {
	if !e.members.bye(now, p) {
		return
	}
	p.byeSeq = last + 1
	switch {
	case !p.known:
		p.first(last)
	case last > p.seq:
		e.missing(now, p, p.seq, last)
		p.seq = last
	}
	e.showPeers(now)
}
