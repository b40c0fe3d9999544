package table

import (
	"github.com/distributed-rate-limiter/distributed-rate-limiter/crdt"
)

// Note remembers that e has something to send: what st, the state that counts at now, was
// just charged or given back. It calls for a flush once the unsent cost reached the quantum:
// what the target overshoot leaves to each peer, less what arrives while a message is under
// way. It is for rules that are not silent, on nodes with a network.
func (s *Shard) Note(e *Entry, st *crdt.State, now int64) {
	t := s.table
	if !e.dirty {
		s.markDirty(e)
	}
	if t.urgent.has(s.part) {
		return
	}
	peers, delay := float64(t.peers.Load()), t.delay.Load()
	if peers == 0 {
		return
	}
	since := max(now-e.sentAt, delay)
	flight := 1 + float64(delay)/float64(max(since, 1))
	if float64(st.Unsent())*flight*peers >= e.rule.Slack {
		t.urgent.add(s.part)
		t.cfg.Urgent()
	}
}

// markDirty puts the entry's slot on the list of what is to be sent.
func (s *Shard) markDirty(e *Entry) {
	e.dirty = true
	if !e.listed {
		e.listed = true
		s.table.dirty.add(s.part)
		s.dirty = append(s.dirty, s.slotOf(e))
	}
}

// slotOf is found through the index, so that entries need not hold it: it is needed once per
// flush of an entry.
func (s *Shard) slotOf(e *Entry) uint32 {
	mask := uint64(len(s.index) - 1)
	for i := e.key.Lo & mask; ; i = (i + 1) & mask {
		if p := s.index[i]; p != 0 && s.at(p.slot()) == e {
			return p.slot()
		}
	}
}
