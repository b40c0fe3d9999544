package sync

// registers is when the limits register is published.
type registers struct {
	// next is the earliest time, by our clock, at which all entries may go out again
	// because a peer's differ.
	next int64
}

// registerSize is an upper bound of what an entry takes beside its value: a long name,
// a stamp of two long numbers, and the headers of a long name and a long value.
var registerSize = measure(registerValues).least + maxName + 2*wordSize + 1 + 2

// spreadRegisters broadcasts what changed in the limits register here, and all of it
// where a peer's differs: the last writer wins, so both sides end with the same.
func (e *Engine) spreadRegisters(now int64) {
	if changed := e.store.ChangedRegisters(); len(changed) > 0 {
		e.sendRegisters(now, "", changed)
	}
	if now < e.registers.next {
		return
	}
	mine := e.store.RegistersDigest()
	for _, p := range e.members.peers {
		if p.state == PeerAlive && p.lag.some && p.limits != mine {
			// Once a beat: the peer's next digest says whether it helped.
			e.registers.next = now + int64(e.cfg.BeatInterval) + e.jitter(repairJitter)
			e.sendRegisters(now, "", e.store.Registers())
			return
		}
	}
}

// sendRegisters splits entries into messages, as an answer to the reply subject or, if
// that is "", as a broadcast. One value alone has to fit into a message.
func (e *Engine) sendRegisters(now int64, reply string, regs []Register) {
	for len(regs) > 0 {
		n, size := 0, 0
		for n < len(regs) && n < maxRegisters {
			size += len(regs[n].Value) + registerSize
			if n > 0 && size > batchBudget {
				break
			}
			n++
		}
		if m := (&Message{Kind: KindLimits, Regs: regs[:n]}); reply == "" {
			e.broadcast(now, m, nil)
		} else {
			m.Kind = KindRows
			e.send(now, reply, "", m, nil)
		}
		regs = regs[n:]
	}
}
