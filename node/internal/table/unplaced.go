package table

import (
	"sync/atomic"

	"github.com/distributed-rate-limiter/distributed-rate-limiter/crdt"
	"github.com/distributed-rate-limiter/distributed-rate-limiter/node/internal/sketch"
	"github.com/distributed-rate-limiter/distributed-rate-limiter/node/limit"
)

// A client that finds the table full is decided by a sketch of instants, which never says less than
// the client used. It has an entry only while somebody works on it. Peers do not hear of it. When
// the table has room, the client begins there with what the sketch says.
//
// Under GCRA the instant is the client's TAT. Under a window algorithm it is the start of a window,
// and behind it the time in which the units of that window would drain by Rule.GCRA: an instant
// before the start says that nothing was used, and a later one never fewer units. Windows that
// count together, the current one and the one before, are in different sketches, since the later
// window's instants say nothing of the earlier one. A window in parts counts as a whole here, from
// its first part on until the next whole one ends.

// unplaced are the sketches, nil while nothing is in them that still counts. The second one has
// every other window of the algorithms that count two of them.
type unplaced struct {
	sketches [2]atomic.Pointer[sketch.Instants]
}

// of is the sketch that tells of the rule's window at start. GCRA has no windows.
func (u *unplaced) of(r *limit.Rule, start int64) *atomic.Pointer[sketch.Instants] {
	if !remembersTwo(r) {
		return &u.sketches[0]
	}
	return &u.sketches[start/r.Frame.Width&1]
}

// remembersTwo reports whether the rule counts what was used in the window before.
func remembersTwo(r *limit.Rule) bool { return r.Policy.Algorithm == limit.SlidingWindow }

// raise notes the client's instant. It makes the sketch if there is none. That allocates, once in a
// flood.
func (u *unplaced) raise(r *limit.Rule, k crdt.Key, start, instant, until int64, clients int) {
	at := u.of(r, start)
	for {
		if t := at.Load(); t != nil {
			t.Raise(k.Hi, k.Lo, instant, until)
			return
		}
		at.CompareAndSwap(nil, sketch.New(clients))
	}
}

// ahead is how far the client's instant is behind start, 0 for not at all. It is wait-free.
func (u *unplaced) ahead(r *limit.Rule, k crdt.Key, start int64) int64 {
	t := u.of(r, start).Load()
	if t == nil {
		return 0
	}
	return max(0, t.Estimate(k.Hi, k.Lo)-start)
}

// used is how many units the client used in the window at start, as far as they can count. It is
// wait-free.
func (u *unplaced) used(r *limit.Rule, k crdt.Key, start int64) uint64 {
	most := uint64(r.Policy.Burst) + r.DebtCap() //nolint:gosec // validated
	return min(most, r.GCRA.Units(u.ahead(r, k, start)))
}

// sweep drops a sketch once nothing in it counts.
func (u *unplaced) sweep(now int64) {
	for i := range u.sketches {
		if t := u.sketches[i].Load(); t != nil && t.Latest() < now-keepSketch {
			u.sketches[i].CompareAndSwap(t, nil)
		}
	}
}

// keepSketch is for how long an empty sketch stays. A decision may hold on to it that began before
// it was empty. Raising it keeps the memory for longer; lowering it makes it anew in every lull of a
// flood.
const keepSketch = int64(60e9)

// OpenUnplaced makes an entry for a client that is unknown while the shard is full. Unlock keeps what
// the client used, and forgets the rest.
func (s *Shard) OpenUnplaced(k crdt.Key, r *limit.Rule, now int64) *Entry {
	for _, e := range s.homeless { // of one decision, which may name the client twice
		if e.key == k {
			return e
		}
	}
	e := s.clients.takeSpare()
	*e = Entry{key: k, used: true, unplaced: true}
	s.table.Recall(e, r, now)
	s.homeless = append(s.homeless, e)
	return e
}

// Recall makes e what a decision on a client that found no room starts from. e belongs to no slot.
func (t *Table) Recall(e *Entry, r *limit.Rule, now int64) {
	e.begin(r, now)
	if r.Policy.Algorithm != limit.GCRA {
		t.recount(e, now)
	} else if ahead := t.unplaced.ahead(r, e.key, now); ahead > 0 {
		e.state.Raise(now + ahead)
	}
}

// recount charges e, a new entry under a window algorithm, what the sketches say: what was used in the
// window before as late in it as can be, so that it counts for longest.
func (t *Table) recount(e *Entry, now int64) {
	r := e.rule
	start := r.Frame.Start(now)
	if remembersTwo(r) {
		if units := t.unplaced.used(r, e.key, r.Frame.Before(start)); units > 0 {
			e.begin(r, start-1)
			r.Current(e.States(), start-1).Admit(units)
			r.Roll(e.States(), now)
		}
	}
	if units := t.unplaced.used(r, e.key, start); units > 0 {
		r.Current(e.States(), now).Admit(units)
	}
}

// closeHomeless keeps what the clients without a slot used.
func (s *Shard) closeHomeless() {
	for _, e := range s.homeless {
		s.table.keepUsed(e)
		*e = Entry{}
		s.clients.keepSpare(e)
	}
	s.homeless = s.homeless[:0]
}

// keepUsed notes in a sketch what the entry of a client without a slot counts.
func (t *Table) keepUsed(e *Entry) {
	r := e.rule
	if r.Policy.Algorithm == limit.GCRA {
		if tat := e.state.TAT(&r.Frame); tat > 0 {
			t.unplaced.raise(r, e.key, 0, tat, tat, t.cfg.Size)
		}
		return
	}
	start, units := e.state.Start(), uint64(0)
	for _, st := range e.States().All {
		units += st.Count()
	}
	if units > 0 {
		t.unplaced.raise(r, e.key, start, start+r.GCRA.Drain(units), start+2*r.Frame.Width, t.cfg.Size)
	}
}

// place charges a new client of the table what the sketch says that it used. Under GCRA that is
// rounded up to a unit. The client's next message tells peers of it. Bounded limits are never
// decided by a sketch.
func (t *Table) place(e *Entry, now int64) {
	if e.rule.Bounded {
		return
	}
	if e.rule.Policy.Algorithm != limit.GCRA {
		t.recount(e, now)
	} else if ahead := t.unplaced.ahead(e.rule, e.key, now); ahead > 0 {
		e.state.Raise(now)
		e.state.Admit(e.rule.GCRA.UnitsOver(ahead))
	}
}
