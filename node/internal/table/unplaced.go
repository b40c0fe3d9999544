package table

import (
	"sync/atomic"

	"github.com/distributed-rate-limiter/distributed-rate-limiter/crdt"
	"github.com/distributed-rate-limiter/distributed-rate-limiter/node/internal/sketch"
	"github.com/distributed-rate-limiter/distributed-rate-limiter/node/limit"
)

// A client of GCRA that finds the table full is decided by a sketch of TATs, which never says less
// than it used. It has an entry only while somebody works on it. Peers do not hear of it. When the
// table has room, the client begins there with what the sketch says.

// unplaced is the sketch, nil while nothing is in it that has not drained.
type unplaced struct{ tats atomic.Pointer[sketch.TATs] }

// get makes the sketch if there is none. That allocates, once in a flood.
func (u *unplaced) get(clients int) *sketch.TATs {
	for {
		if t := u.tats.Load(); t != nil {
			return t
		}
		u.tats.CompareAndSwap(nil, sketch.New(clients))
	}
}

// ahead is how long the client has to drain by the sketch, 0 for nothing. It is wait-free.
func (u *unplaced) ahead(k crdt.Key, now int64) int64 {
	t := u.tats.Load()
	if t == nil {
		return 0
	}
	return max(0, t.Estimate(k.Hi, k.Lo)-now)
}

// sweep drops the sketch once all that is in it has drained.
func (u *unplaced) sweep(now int64) {
	if t := u.tats.Load(); t != nil && t.Latest() < now-keepSketch {
		u.tats.CompareAndSwap(t, nil)
	}
}

// keepSketch is for how long an empty sketch stays. A decision may hold on to it that began before
// it was empty. Raising it keeps the memory for longer; lowering it makes it anew in every lull of a
// flood.
const keepSketch = int64(60e9)

// OpenUnplaced makes an entry for a client that is unknown while the shard is full, under a rule of
// GCRA. Unlock keeps what the client has to drain, and forgets the rest.
func (s *Shard) OpenUnplaced(k crdt.Key, r *limit.Rule, now int64) *Entry {
	e := s.clients.takeSpare()
	*e = Entry{key: k, used: true, unplaced: true}
	s.table.Recall(e, r, now)
	s.homeless = append(s.homeless, e)
	return e
}

// Recall makes e what a decision on a client that found no room starts from. e belongs to no slot.
func (t *Table) Recall(e *Entry, r *limit.Rule, now int64) {
	e.begin(r, now)
	if ahead := t.unplaced.ahead(e.key, now); ahead > 0 {
		e.state.Raise(now + ahead)
	}
}

// closeHomeless keeps what the clients without a slot have to drain.
func (s *Shard) closeHomeless() {
	for _, e := range s.homeless {
		if tat := e.state.TAT(&e.rule.Frame); tat > 0 {
			s.table.unplaced.get(s.table.cfg.Size).Raise(e.key.Hi, e.key.Lo, tat)
		}
		*e = Entry{}
		s.clients.keepSpare(e)
	}
	s.homeless = s.homeless[:0]
}

// place charges a new client of the table what the sketch says that it has to drain, rounded up to
// a unit. Its next message tells peers of that.
func (t *Table) place(e *Entry, now int64) {
	if e.rule.Policy.Algorithm != limit.GCRA {
		return
	}
	if ahead := t.unplaced.ahead(e.key, now); ahead > 0 {
		e.state.Raise(now)
		e.state.Admit(e.rule.GCRA.UnitsOver(ahead))
	}
}
