package node

import "github.com/distributed-rate-limiter/distributed-rate-limiter/crdt"

// sweepSlots is how many entries are looked at under one hold of a shard's lock:
// a decision may wait that long.
const sweepSlots = 1024

// sweepParts is in how many calls of sweep the whole table is visited.
const sweepParts = 8

// sweep forgets what is no longer needed in one part of the table. It is called
// about once a second.
func (n *Node) sweep(now int64) {
	n.sweepTurn = (n.sweepTurn + 1) % sweepParts
	for i := n.sweepTurn; i < crdt.Partitions; i += sweepParts {
		s := &n.table.shards[i]
		for from := uint32(0); ; from += sweepSlots {
			s.mu.Lock()
			n.sweepSome(s, now, from)
			more := from+sweepSlots < s.slots
			if !more {
				sweepDigests(s, now)
			}
			s.mu.Unlock()
			if !more {
				break
			}
		}
	}
}

func (n *Node) sweepSome(s *shard, now int64, from uint32) {
	for slot := from; slot < min(from+sweepSlots, s.slots); slot++ {
		e := s.at(slot)
		if !e.used {
			continue
		}
		if e.old != nil && e.old.state.Start()+2*e.old.rev.frame.Width <= now && e.old.rev.frame.Start(now) > e.rev.stamp.At+2*e.old.rev.frame.Width {
			e.old = nil
		}
		if e.forgettable(now) {
			s.remove(slot)
			n.table.count.Add(-1)
		}
	}
}

// forgettable: a client may be forgotten without loss once its TAT is past, and its
// newest held window is not live any more, here or at a peer. Earlier than that,
// what peers still hold of it would mask what is counted anew.
func (e *entry) forgettable(now int64) bool {
	f := &e.rev.frame
	return e.old == nil && e.state.Start() <= f.Start(now)-2*f.Width && e.state.TAT(f) <= now && e.reset.At+3*f.Width < now
}

// sweepDigests drops the digests of windows that nobody compares any more.
func sweepDigests(s *shard, now int64) {
	for k := range s.digests {
		if k.start+3*k.width < now {
			delete(s.digests, k)
		}
	}
}
