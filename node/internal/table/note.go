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
	s.urge(st.Unsent(), e.sentAt, e.rule, now)
}

// urge calls for a flush if unsent units of a client, under a rule, reached the quantum. sentAt
// is when a message last carried the client, 0 for never.
func (s *Shard) urge(unsent uint64, sentAt int64, r *limit.Rule, now int64) {
	t := s.table
	peers, delay := float64(t.peers.Load()), t.delay.Load()
	if peers == 0 {
		return
	}
	since := max(now-sentAt, delay)
	flight := 1 + float64(delay)/float64(max(since, 1))
	if float64(unsent)*flight*peers >= r.Slack {
		t.urgent.add(s.part)
		t.cfg.Urgent()
	}
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
