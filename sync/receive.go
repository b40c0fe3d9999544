package sync

import "fmt"

// badLogPause is the least time between two log lines about refused packets. Raising it
// hides a second cause behind the first. Lowering it lets a stranger fill the log.
const badLogPause = int64(1e9)

// receive checks a packet and passes it on by kind. Bytes from outside can do no more
// than be merged, or dropped and counted (N11).
func (e *Engine) receive(now int64, packet Packet) {
	m := e.open(now, packet)
	if m == nil {
		return
	}
	p, appeared := e.members.hear(now, m)
	if p == nil {
		e.drop(now, DropPeers, "more peers than fit: "+m.Node)
		return
	}
	if appeared {
		e.beatSoon(now)
		e.showPeers(now)
	}
	e.stats.Received[m.Kind].add(len(packet.Data))
	e.stats.RowsReceived += uint64(m.rowsOf())
	switch m.Kind {
	case KindDelta:
		e.onDelta(now, p, m)
	case KindBeat:
		e.onBeat(now, p, m)
	case KindRepair, KindSnapshot:
		e.onRequest(now, m, packet.Reply)
	case KindRows:
		e.onRows(now, p, m)
	case KindSettle:
		e.onSettle(now, m, packet.Reply)
	case KindSettled:
		e.onSettled(now, m)
	case KindLimits:
		e.store.MergeRegisters(now, m.Regs)
	case KindReset:
		e.store.MergeResets(now, m.Resets)
	case KindBye:
		e.left(now, p, m.Seq)
	}
}

// receiveLast answers a repair after the bye. What was counted meanwhile is in no message
// that has a number, so the answer's number is still that of the bye.
func (e *Engine) receiveLast(now int64, packet Packet) {
	if m := e.open(now, packet); m != nil && m.Kind == KindRepair {
		e.onRequest(now, m, packet.Reply)
	}
}

// open returns the message in a packet, nil if it is our own or is to be dropped. A server
// that restricts subjects by node vouches for the subject only, so the message has to agree
// with it: a broadcast with its sender, a request with the kind that was asked for, an
// answer with our inbox.
func (e *Engine) open(now int64, packet Packet) *Message {
	kind, node, replica, ours := e.subjects.parse(packet.Subject)
	inbox := packet.Subject == e.inbox
	switch {
	case inbox:
	case !ours || kind.answers():
		e.drop(now, DropSubject, packet.Subject)
		return nil
	case replica == e.cfg.Replica && !kind.asks():
		return nil // our own broadcast
	}
	m, err := e.reader.decode(packet.Data)
	if err != nil {
		e.drop(now, dropOf(err), fmt.Sprintf("%v on %s", err, packet.Subject))
		return nil
	}
	switch {
	case m.Replica == e.cfg.Replica:
		return nil
	case inbox || kind.asks():
		// Addressed to us, so the subject names us and not the sender.
	case m.Node != node || m.Replica != replica:
		e.drop(now, DropSender, "subject "+packet.Subject+" does not belong to "+m.Node)
		return nil
	}
	if inbox && !m.Kind.answers() || !inbox && m.Kind != kind {
		e.drop(now, DropMalformed, "kind does not fit subject "+packet.Subject)
		return nil
	}
	return m
}

// drop counts every refused packet, and logs one of them in a while.
func (e *Engine) drop(now int64, why Drop, detail string) {
	e.stats.Dropped[why]++
	if now >= e.nextBadLog {
		e.nextBadLog = now + badLogPause
		e.event(EventPacketBad, nil, detail)
	}
}
