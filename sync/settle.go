package sync

import (
	"cmp"
	"slices"

	"github.com/distributed-rate-limiter/distributed-rate-limiter/crdt"
)

// Settlement asks the replica that charged a reservation to settle it. Only that replica
// can give back, since what is given back is a total of its own.
type Settlement struct {
	Of     crdt.Replica // that charged; on the wire the message says it for all of its settlements
	ID     uint64       // of the reservation, as that replica counts them
	Actual int64        // cost that was really used, 0 to crdt.MaxTotal
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
}

// Beyond is what a settlement did not charge.
type Beyond struct {
	ID    uint64 // of the reservation
	Units int64  // 0 to crdt.MaxTotal
}

// settlements asks other replicas for the settlements that are due. A peer that is gone
// is asked nothing: the store repeats a settlement without an answer, and gives it up.
func (e *Engine) settlements(now int64) {
	due := e.store.Settlements(now, maxSettlements)
	slices.SortStableFunc(due, func(a, b Settlement) int { return cmp.Compare(a.Of, b.Of) })
	for len(due) > 0 {
		of, n := due[0].Of, 1
		for n < len(due) && due[n].Of == of {
			n++
		}
		if p := e.members.find(of); p != nil && p.state != PeerGone {
			e.send(now, e.subjects.of(KindSettle, p.node, of), e.inbox, &Message{Kind: KindSettle, Of: of, Settlements: due[:n]}, nil)
		}
		due = due[n:]
	}
}

// onSettle settles reservations of ours and answers. A repeated request needs no care:
// the store gives the first answer again.
func (e *Engine) onSettle(now int64, m *Message, reply string) {
	switch {
	case reply == "":
		e.drop(now, DropMalformed, "request without a reply subject from "+m.Node)
		return
	case m.Of != e.cfg.Replica:
		// Each replica numbers its reservations for itself.
		e.drop(now, DropSubject, "request to settle another replica's reservations from "+m.Node)
		return
	case !e.connected:
		return // the requester asks again
	}
	answer := &Message{Kind: KindSettled, Settled: make([]Settled, len(m.Settlements))}
	for i, s := range m.Settlements {
		s.Of = m.Of
		answer.Settled[i] = e.store.Settle(now, s)
		if beyond := answer.Settled[i].NotCharged; beyond > 0 {
			answer.Beyond = append(answer.Beyond, Beyond{ID: s.ID, Units: beyond})
		}
	}
	e.send(now, reply, "", answer, nil)
}

// onSettled passes answers on, asked for or not: the store knows what it waits for.
func (e *Engine) onSettled(now int64, m *Message) {
	for _, s := range m.Settled {
		if i := slices.IndexFunc(m.Beyond, func(b Beyond) bool { return b.ID == s.ID }); i >= 0 {
			s.NotCharged = m.Beyond[i].Units
		}
		e.store.SettlementAnswered(now, m.Replica, s)
	}
}
