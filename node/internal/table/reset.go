package table

import (
	"github.com/distributed-rate-limiter/distributed-rate-limiter/crdt"
	"github.com/distributed-rate-limiter/distributed-rate-limiter/node/limit"
)

// After is now, or a later instant if the client's last reset is not before: it was in the same
// instant, or by a clock ahead of ours.
func (t *Table) After(k crdt.Key, now int64) int64 {
	s := t.Shard(k)
	s.Lock()
	defer s.Unlock()
	if e := s.Find(k); e != nil {
		now = max(now, e.Reset().At+1)
	}
	return now
}

// Reset applies a client's reset, this node's or a peer's, unless a later one is known. r is a rule
// of the client's limit; which one is the client's shows when it asks.
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
	if stamp.Compare(e.Reset()) > 0 {
		s.restart(e, stamp, now)
	}
}

// restart ends all lives of the entry, and begins another one after a reset. What they added to
// digests goes with them.
func (s *Shard) restart(e *Entry, stamp crdt.Stamp, now int64) {
	for r, of := range e.each {
		s.digests.shrink(e, r, of, s.table.cfg.Self)
	}
	s.refunds.kept.remove(e.key)
	s.Shares.Forget(e.key) // what it used of its share as well
	delete(s.aside.of, e.key)
	s.accounts.put(e.slot, 0) // what is lent stays so
	start := e.state.Start()
	e.setMore(stamp, nil, nil)
	e.begin(e.rule, max(now, start))
}
