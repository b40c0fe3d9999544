package table

import (
	"github.com/distributed-rate-limiter/distributed-rate-limiter/crdt"
	"github.com/distributed-rate-limiter/distributed-rate-limiter/node/limit"
)

// After is now, or a later instant if the client's state has a stamp that is ahead: of
// another reset in the same instant, or from a clock ahead of ours.
func (t *Table) After(k crdt.Key, now int64) int64 {
	s := t.Shard(k)
	s.Lock()
	defer s.Unlock()
	if e := s.Find(k); e != nil {
		now = max(now, e.Stamp().At+1)
	}
	return now
}

// Reset applies a client's reset, this node's or a peer's, unless the client's life is newer
// already. r is a rule of the client's limit; which one is the client's shows when it asks.
func (t *Table) Reset(k crdt.Key, r *limit.Rule, stamp crdt.Stamp, now int64) {
	s := t.Shard(k)
	s.Lock()
	defer s.Unlock()
	e := s.Find(k)
	if e == nil {
		// Remember it, so that a late message cannot bring the old life back.
		if e = s.admit(k, r, now); e == nil {
			return
		}
	}
	if stamp.Compare(e.Stamp()) > 0 {
		s.restart(e, stamp, now)
	}
}

// restart begins the entry's life anew under a reset's stamp. What the old one added to
// digests goes with it.
func (s *Shard) restart(e *Entry, stamp crdt.Stamp, now int64) {
	s.shrink(e.key, e.Stamp(), e.rule, e.States())
	if old := e.old(); old != nil {
		s.shrink(e.key, old.stamp, old.rule, old.states())
	}
	delete(s.refunds, e.key)
	s.Shares.Forget(e.key) // what it used of its share as well
	delete(s.early, e.key)
	start := e.state.Start()
	e.setMore(stamp, nil, nil)
	e.begin(e.rule, max(now, start))
}
