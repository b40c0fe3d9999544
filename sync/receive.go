package sync

import "fmt"

// receive checks a packet and passes it on by kind. Bytes from outside can do no more
// than be merged, or dropped and counted (N11).
func (e *Engine) receive(now int64, packet Packet) {
	m := e.open(now, packet)
	if m == nil {
		return
	}
	if p := e.members.find(m.Replica); m.Seq > mostSeq || p != nil && p.jumps(now, m.Seq) {
		e.drop(now, DropSequence, "the sequence is further than "+m.Node+" can have come since it was heard")
		return
	}
	p, fresh, appeared := e.members.hear(now, m)
	if p == nil {
		e.drop(now, DropPeers, "more peers than fit, or more new ones than come within a second: "+m.Node)
		return
	}
	if m.Kind.addressed() && !p.confirmed {
		e.members.confirm(now, p, m.Beat)
		e.showPeers(now)
	}
	if appeared {
		e.beatSoon(now)
		e.showPeers(now)
	}
	if stale := p.stale(m, fresh); stale != "" {
		e.drop(now, DropStale, m.Kind.String()+" of "+m.Node+": "+stale)
		return
	}
	e.stats.Received[m.Kind].add(len(packet.Data))
	e.stats.RowsReceived += uint64(m.rowsOf())
	switch m.Kind {
	case KindDelta:
		e.onDelta(now, p, m)
	case KindBeat:
		e.onBeat(now, p, m)
	case KindRepair, KindSnapshot:
		e.onRequest(now, p, m)
	case KindRows:
		e.onRows(now, p, m)
	case KindSettle:
		e.settlements.asked(now, p, m)
	case KindSettled:
		e.settlements.answered(now, m)
	case KindPull:
		e.registers.asked(now, p, m)
	case KindPulled:
		e.registers.answered(now, p, m)
	case KindWant:
		e.loans.asked(now, p, m)
	case KindLoan:
		e.loans.answered(now, p, m)
	case KindLimits:
		e.registers.told(now, m)
	case KindReset:
		e.store.MergeResets(now, m.Resets)
	case KindBye:
		e.left(now, p, m.Seq)
	}
}

// receiveLast answers a repair after the bye. What was counted meanwhile is in no message
// that has a number, so the answer's number is still that of the bye.
func (e *Engine) receiveLast(now int64, packet Packet) {
	m := e.open(now, packet)
	if m == nil || m.Kind != KindRepair {
		return
	}
	if p := e.members.find(m.Replica); p != nil && p.stale(m, true) == "" {
		e.onRequest(now, p, m)
	}
}

// open returns the message in a packet, nil if it is our own or is to be dropped. A server
// that restricts subjects by node vouches for the subject only, so the message has to agree
// with it. That it is addressed to us its tag says.
func (e *Engine) open(now int64, packet Packet) *Message {
	kind, node, replica, ours := e.subjects.parse(packet.Subject)
	switch {
	case !ours:
		e.drop(now, DropSubject, packet.Subject)
		return nil
	case replica == e.cfg.Replica:
		return nil // our own
	}
	m, err := e.reader.decode(packet.Data)
	if err == nil && !packet.verified {
		err = e.verifier.verify(node, m.To, packet.Data)
	}
	if err != nil {
		e.drop(now, dropOf(err), fmt.Sprintf("%v on %s", err, packet.Subject))
		return nil
	}
	switch {
	case m.Node != node || m.Replica != replica:
		e.drop(now, DropSender, "subject "+packet.Subject+" does not belong to "+m.Node)
		return nil
	case !e.members.owns(m.Node, m.Replica):
		e.drop(now, DropSender, "incarnation "+incarnation(m.Replica)+" is none of "+m.Node+"'s")
		return nil
	case m.Kind != kind:
		e.drop(now, DropMalformed, "kind does not fit subject "+packet.Subject)
		return nil
	}
	return m
}
