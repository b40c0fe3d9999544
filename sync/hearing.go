package sync

import (
	"cmp"
	"slices"

	"github.com/distributed-rate-limiter/distributed-rate-limiter/crdt"
)

// A beat names peers that its sender hears. Whoever is named knows that it is heard, how late
// its messages come, and by the echo that the sender hears it now. All others learn who hears
// whom. N nodes that name all of each other take in 24·N² bytes a second each. So a beat among
// many names all after a change only, and otherwise a part of the peers, one part after the
// other. What a beat says of a part holds until another beat says otherwise. A digest says for
// all, in each beat, whom its sender hears.

const (
	// mostNamed is how many peers a beat names in turn; fewer are always named all. Raising it
	// makes beats longer. Lowering it lets each peer wait longer for its turn: a beat for each
	// mostNamed peers.
	mostNamed = 32
	// tellsChange is for how many intervals beats name all peers once the members among them
	// changed. Raising it makes changes cost more. Lowering it lets peers that lose that many
	// beats in a row learn of the change in turn only.
	tellsChange = 3
	// lagFell is by how much less late a peer's messages have to come than it was told, to be
	// named out of turn: a clock was set. Raising it lets the peer take our clock for what it
	// was by as much. Lowering it to what links vary by names all peers in each beat.
	lagFell = int64(10e6)
)

// hearing is what beats told last of whom this node hears. The zero value has told nothing.
type hearing struct {
	circle crdt.Digest
	until  int64        // by our clock: beats before that name all
	turn   crdt.Replica // where the next part begins
}

// name puts the peers that this node hears into a beat: all, or those whose turn it is and
// those who need it now.
func (h *hearing) name(now int64, ms *members, m *Message) {
	var heard []*peer
	for _, p := range ms.peers {
		if p.heard() {
			heard = append(heard, p)
		}
	}
	if c := ms.circle(); c != h.circle {
		h.circle, h.until = c, now+tellsChange*int64(ms.cfg.BeatInterval)
	}
	if len(heard) > mostNamed && now >= h.until {
		first, _ := slices.BinarySearchFunc(heard, h.turn, func(p *peer, r crdt.Replica) int { return cmp.Compare(p.replica, r) })
		m.HeardFrom, m.HeardTo, m.Circle = h.turn, heard[(first+mostNamed)%len(heard)].replica, h.circle
		h.turn = m.HeardTo
	}
	for _, p := range heard {
		lag := p.bearing.recent.least()
		if m.within(p.replica) || !p.names(ms.cfg.Replica) || !p.confirmed || lag < p.toldLag-lagFell {
			m.Heard = append(m.Heard, Heard{Replica: p.replica, Beat: p.beat, Member: p.confirmed, Lag: lag})
			p.toldLag = lag
		}
	}
}

// heard reports whether a beat may name the peer.
func (p *peer) heard() bool { return p.state == PeerAlive && p.lag.some }

// names reports whether the peer hears a replica as a member, for all that its beats named. It
// cannot without an echo.
func (p *peer) names(r crdt.Replica) bool {
	_, found := slices.BinarySearch(p.hears, r)
	return found
}

// within reports whether the beat names a replica if its sender hears it. Numbers of
// incarnations are taken as a circle: a part that ends before it begins goes on at 0.
func (m *Message) within(r crdt.Replica) bool {
	return m.HeardFrom == m.HeardTo || r-m.HeardFrom < m.HeardTo-m.HeardFrom
}

// circle is the digest of this node and of the members that it hears: nodes of which each
// hears all others, and nobody else, have the same one.
func (ms *members) circle() crdt.Digest {
	c := circleOf(ms.cfg.Replica)
	for _, p := range ms.peers {
		if p.heard() && p.confirmed {
			c += circleOf(p.replica)
		}
	}
	return c
}

// circleOf is the digest of some incarnations: one unit of each.
func circleOf(of ...crdt.Replica) (d crdt.Digest) {
	for _, r := range of {
		d.Grow(crdt.Key{Lo: uint64(r)}, crdt.Life{}, 0, crdt.Count{P: 1})
	}
	return d
}

// listen takes over whom the peer hears, and how late we reach it.
func (ms *members) listen(now int64, p *peer, m *Message) {
	for i := range m.Heard {
		switch h := &m.Heard[i]; {
		case h.Replica == ms.cfg.Replica:
			p.theirLag = h.Lag
			p.bearing.seen(now, h.Lag)
			ms.confirm(now, p, h.Beat)
		case ms.find(h.Replica) == nil:
			ms.tell(now, h.Replica)
		}
	}
	heardUs, before := p.hearsUs, p.circle
	p.hears, p.strange = m.patch(p.hears, true), m.patch(p.strange, false)
	_, stranger := slices.BinarySearch(p.strange, ms.cfg.Replica)
	p.hearsUs = stranger || p.names(ms.cfg.Replica)
	if p.circle = m.Circle; m.HeardFrom == m.HeardTo {
		p.circle = circleOf(p.hears...) + circleOf(p.replica)
	}
	ms.changed = ms.changed || p.hearsUs != heardUs || p.circle != before
	switch {
	case p.hearsUs:
		p.deafLogged = false
		if !heardUs {
			p.contact()
		}
	case heardUs:
		p.deafAt, p.deafLogged = now, true
		ms.events(EventOneWay, p, "it no longer hears us, but we hear it")
	case !p.deafLogged && ms.deaf(now, p):
		p.deafLogged = true
		ms.events(EventOneWay, p, "it has never heard us, but we hear it")
	}
}

// patch is a sorted list of the members that the beat's sender hears, or of the strangers,
// after what the beat says. It is the same list if the beat says nothing new.
func (m *Message) patch(list []crdt.Replica, member bool) []crdt.Replica {
	news, within := false, 0
	for i := range m.Heard {
		h := &m.Heard[i]
		_, found := slices.BinarySearch(list, h.Replica)
		news = news || found != (h.Member == member)
		if h.Member == member && m.within(h.Replica) {
			within++
		}
	}
	for _, r := range list {
		if m.within(r) {
			within--
		}
	}
	if !news && within == 0 {
		return list
	}
	var named, others []crdt.Replica
	for _, h := range m.Heard {
		if h.Member == member {
			named = append(named, h.Replica)
		} else {
			others = append(others, h.Replica)
		}
	}
	slices.Sort(others)
	for _, r := range list {
		if _, moved := slices.BinarySearch(others, r); !moved && !m.within(r) {
			named = append(named, r)
		}
	}
	slices.Sort(named)
	return slices.Compact(named)
}
