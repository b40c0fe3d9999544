package sync

import (
	"cmp"
	"slices"

	"github.com/distributed-rate-limiter/distributed-rate-limiter/crdt"
)

// Settlement asks a replica to settle what it charged: a reservation, or a refund of a
// client. Only that replica can give back, since what is given back is a total of its own.
type Settlement struct {
	Of crdt.Replica // that charged; on the wire the message says it for all of its settlements
	By crdt.Replica // that asks, 0 for this node itself; it is not sent
	// ID is the reservation's, as that replica counts them, or a number that the asker made up
	// for the refund.
	ID uint64
	// Actual is the cost that was really used, or how many units to give back at most: 0 to
	// crdt.MaxTotal.
	Actual int64
	// Life is whose units to give back. The zero Life is nobody's: it settles a reservation.
	// On the wire it is a Refund of its own.
	Life Life
}

// Life names what is counted of one client in one life.
type Life struct {
	Key crdt.Key
	crdt.Life
}

// Refund says that the settlement of the same ID is a refund.
type Refund struct {
	ID uint64
	Life
}

// Settled is the answer to a Settlement.
type Settled struct {
	ID uint64
	// Back is what was given back; a negative number is what was charged on top.
	Back int64
	// NotCharged is what was to be charged on top and was not, because it is above the debt
	// cap. On the wire it is a Beyond of its own, which older receivers skip.
	NotCharged int64
	// Known is false if there is no such reservation, or none any more.
	Known bool
	// Short says why less came back than was asked for. It is 0 if all did, and if not Known.
	Short Shortfall
}

// Shortfall says why less came back than was asked for. The zero Shortfall says that nothing
// is missing. The numbers belong to the wire.
type Shortfall uint8

// The shortfalls.
const (
	_            Shortfall = iota
	ShortDrained           // it has drained: the client could use it again already
	ShortWindow            // nobody can tell it from other units: its window is over
	ShortRenewed           // the client was reset since, or its limit changed
	ShortBack              // it came back before
	ShortSettled           // the reservation was settled before
	ShortExpired           // the time to settle is over
	ShortAway              // nodes hold it that cannot be reached, or that did not answer
	shortfallEnd
)

var shortfallNames = [shortfallEnd]string{
	"", "drained", "window_over", "reset_or_changed", "returned_before", "settled_before", "expired", "out_of_reach",
}

// String is the shortfall's name, "" for none.
func (s Shortfall) String() string {
	if s < shortfallEnd {
		return shortfallNames[s]
	}
	return "unknown"
}

// Beyond is what a settlement did not charge.
type Beyond struct {
	ID    uint64 // of the reservation
	Units int64  // 0 to crdt.MaxTotal
}

// settleRation is how many settlements of one peer are looked at. A peer may have maxSettlements in
// a message, and asks again what nobody answered. Raising it lets a peer take more of our time: at
// full rate about a twentieth of a core. Lowering it makes reservations that clients settle at
// another node than they made them wait.
var settleRation = ration{perSecond: 20_000, most: 40_000}

// settlements go between this node's store and the replicas that charged.
type settlements struct {
	*outbound
	store   Settler
	members *members
}

// ask asks other replicas for the settlements that are due. A peer that is gone
// is asked nothing: the store repeats a settlement without an answer, and gives it up.
func (t *settlements) ask(now int64) {
	due := t.store.Settlements(now, maxSettlements)
	slices.SortStableFunc(due, func(a, b Settlement) int { return cmp.Compare(a.Of, b.Of) })
	for len(due) > 0 {
		m := &Message{Kind: KindSettle, Of: due[0].Of}
		n := 0
		for n < len(due) && due[n].Of == m.Of && len(m.Refunds) < maxRefunds {
			if due[n].Life != (Life{}) {
				m.Refunds = append(m.Refunds, Refund{due[n].ID, due[n].Life})
			}
			n++
		}
		m.Settlements, due = due[:n], due[n:]
		if p := t.members.find(m.Of); p != nil && p.state != PeerGone {
			t.request(now, p, m)
		}
	}
}

// asked settles what we charged and answers. A repeated request needs no care: the
// store gives the first answer again.
func (t *settlements) asked(now int64, p *peer, m *Message) {
	switch {
	case m.Of != t.cfg.Replica:
		// Each replica numbers its reservations for itself.
		t.drop(now, DropSubject, "request to settle another replica's reservations from "+m.Node)
		return
	case !t.connected, !p.settles.take(now, int64(len(m.Settlements)), settleRation):
		return // the requester asks again
	}
	answer := &Message{Kind: KindSettled, Request: m.Request, Settled: make([]Settled, len(m.Settlements))}
	refunds := m.Refunds
	for i, s := range m.Settlements {
		s.Of, s.By = m.Of, m.Replica
		if len(refunds) > 0 && refunds[0].ID == s.ID { // they come in the order of the settlements
			s.Life, refunds = refunds[0].Life, refunds[1:]
		}
		answer.Settled[i] = t.store.Settle(now, s)
		if beyond := answer.Settled[i].NotCharged; beyond > 0 {
			answer.Beyond = append(answer.Beyond, Beyond{ID: s.ID, Units: beyond})
		}
	}
	t.tell(now, p, answer, nil)
}

// answered passes answers on, asked for or not: the store knows what it waits for.
func (t *settlements) answered(now int64, m *Message) {
	beyond := m.Beyond
	for _, s := range m.Settled {
		if len(beyond) > 0 && beyond[0].ID == s.ID { // they come in the order of the answers
			s.NotCharged, beyond = beyond[0].Units, beyond[1:]
		}
		t.store.SettlementAnswered(now, m.Replica, s)
	}
}
