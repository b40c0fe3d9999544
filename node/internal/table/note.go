package table

import (
	"github.com/distributed-rate-limiter/distributed-rate-limiter/crdt"
	"github.com/distributed-rate-limiter/distributed-rate-limiter/node/limit"
)

// Note remembers that e has something to send: what st, the state that counts at now, was
// just charged or given back. It calls for a flush once the unsent cost reached the quantum:
// what the target overshoot leaves to each peer, less what arrives while a message is under
// way. It is for rules that are not silent, on nodes with a network.
func (s *Shard) Note(e *Entry, st *crdt.State, now int64) {
	t := s.table
	if e.unplaced {
		return // peers do not hear of it
	}
	if !e.dirty {
		s.markDirty(e)
	}
	if t.urgent.has(s.part) {
		return
	}
	if unsent := st.Unsent(); s.isDue(unsent, e.sentAt, e.rule, now) && (!s.canWait(unsent, e.rule) || st.TAT(&e.rule.Frame)-now >= e.rule.Drained) {
		s.urge()
	}
}

// noteAgain is Note after a peer's row was merged: what could wait before may be due now.
func (s *Shard) noteAgain(e *Entry, now int64) {
	if e.dirty && e.rule.Plain && e.state.Unsent() > 0 {
		s.Note(e, &e.state, now)
	}
}

// isDue reports whether unsent units of a client, under a rule, reached the quantum. sentAt is when
// a message last carried the client, 0 for never.
func (s *Shard) isDue(unsent uint64, sentAt int64, r *limit.Rule, now int64) bool {
	peers, delay := float64(s.table.peers.Load()), s.table.delay.Load()
	if peers == 0 {
		return false
	}
	since := max(now-sentAt, delay)
	flight := 1 + float64(delay)/float64(max(since, 1))
	return float64(unsent)*flight*peers >= r.Slack
}

// canWait reports whether unsent units that are due may wait for the flush all the same, as long
// as the client uses less than the slack: a single one, if one at each node leaves the burst's
// rest free. Among many nodes one unit is a quantum, and each request of each client would be a
// message. Corollary 2 of docs/error-bound.md has the proof.
func (s *Shard) canWait(unsent uint64, r *limit.Rule) bool {
	return r.Plain && unsent == 1 && float64(s.table.peers.Load())+1 <= float64(r.Policy.Burst)-r.Slack
}

// urge calls for a flush of the shard.
func (s *Shard) urge() {
	s.table.urgent.add(s.part)
	s.table.cfg.Urgent()
}

// markDirty puts the entry's slot on the list of what is to be sent.
func (s *Shard) markDirty(e *Entry) {
	e.dirty = true
	if !e.listed {
		e.listed = true
		s.list(e.slot)
	}
}

// list puts a slot on the list of what is to be sent.
func (s *Shard) list(slot uint32) {
	s.table.dirty.add(s.part)
	s.dirty = append(s.dirty, slot)
}
