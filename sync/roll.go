package sync

import (
	"cmp"

	"github.com/distributed-rate-limiter/distributed-rate-limiter/crdt"
)

// Nodes that share bounded limits agree on who they are by their beats: see docs/bounded.md. The
// engine carries what each of them says, and names the nodes only while some peer may not know them.

// Roll is what a node says of the roster of bounded limits.
type Roll struct {
	// Digest stands for the names: nodes that state the same one have the same roster. 0 is none.
	Digest crdt.Digest
	// Open says that the node uses its shares.
	Open bool
	// Names are all of the roster and all that were struck off it, in their order. Of a peer they
	// may be some of them, or missing.
	Names []Enrolled
}

// Enrolled is a name that is or was on a roster. Gone says that it was struck off.
type Enrolled struct {
	Name string
	Gone bool
}

// Compare orders by name.
func (r Enrolled) Compare(o Enrolled) int { return cmp.Compare(r.Name, o.Name) }

// Roller agrees with others on a roster.
type Roller interface {
	// Roll is what this node has put into force, and kept for its next run if it can. Its names are not
	// changed.
	Roll() Roll
	// HeardRoll takes what the node of a name says.
	HeardRoll(node string, r Roll)
}

// addRoll puts into a beat what this node says of the roster.
func (e *Engine) addRoll(m *Message) {
	if e.store.Roller == nil {
		return
	}
	r := e.store.Roll()
	m.Roll, m.Opened = r.Digest, r.Open
	for _, p := range e.members.peers {
		if p.state == PeerAlive && p.roll != 0 && p.roll != r.Digest {
			m.Enrolled = e.rollTurn.take(r.Names, maxEnrolled, Enrolled.Compare)
			return
		}
	}
}

// hearRoll takes what a member's beat says of the roster.
func (e *Engine) hearRoll(p *peer, m *Message) {
	if p.roll = m.Roll; e.store.Roller != nil && m.Roll != 0 {
		e.store.HeardRoll(p.node, Roll{Digest: m.Roll, Open: m.Opened, Names: m.Enrolled})
	}
}
