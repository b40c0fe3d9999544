package table

import "github.com/distributed-rate-limiter/distributed-rate-limiter/crdt"

// Note remembers that e has something to send: what st, the state that counts at now, was
// just charged or given back. It calls for a flush once the unsent cost reached the quantum:
// what the target overshoot leaves to each peer, less what arrives while a message is under
// way. It is for rules that are not silent, on nodes with a network.
func (s *Shard) Note(e *Entry, st *crdt.State, now int64) {
	if e.unplaced {
		return // peers do not hear of it
	}
	if !e.dirty {
		s.out.mark(e)
	}
	if s.out.urgent() {
		return
	}
	a := &s.table.audience
	if unsent := st.Unsent(); a.due(unsent, e.sentAt, e.rule, now) && (!a.canWait(unsent, e.rule) || st.TAT(&e.rule.Frame)-now >= e.rule.Drained) {
		s.out.urge()
	}
}

// noteAgain is Note after a peer's row was merged: what could wait before may be due now.
func (s *Shard) noteAgain(e *Entry, now int64) {
	if e.dirty && e.rule.Plain && e.state.Unsent() > 0 {
		s.Note(e, &e.state, now)
	}
}
