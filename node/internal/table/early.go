package table

import (
	"sync/atomic"

	"github.com/distributed-rate-limiter/distributed-rate-limiter/crdt"
	"github.com/distributed-rate-limiter/distributed-rate-limiter/gcra"
	"github.com/distributed-rate-limiter/distributed-rate-limiter/node/limit"
)

// A node that joins does not know yet what the others counted in the live windows. An origin
// that it raised would charge all of that again, although most of it has drained. So until it
// has joined, it keeps what it admits to clients of GCRA apart, and tells nobody. Their states
// hold what it hears, and nothing else. A decision adds both up. Two limiters that drain side
// by side never leave more to drain than one that saw all requests, so this denies nobody whom
// one limiter would admit. Joined counts what has not drained by then, as if it were admitted
// at that moment. What has drained is in no state: docs/error-bound.md, section 8, counts it.

// early is what this node admitted to a client before it joined.
type early struct {
	rule  *limit.Rule // whose units level counts
	level gcra.Level
}

// under is x as another rule counts it from now on.
func (x early) under(r *limit.Rule, now int64) early {
	if x.rule == r {
		return x
	}
	units := x.rule.GCRA.UnitsOver(max(0, x.rule.GCRA.TAT(x.level)-now))
	return early{r, gcra.Level{Base: now, Count: min(units, uint64(r.Policy.Burst))}} //nolint:gosec // validated
}

// ahead is how long x takes to drain from now on, 0 if it has drained.
func (x early) ahead(now int64) int64 { return max(0, x.rule.GCRA.TAT(x.level)-now) }

// aside is what this node admitted to a shard's clients of GCRA while it was joining, apart from
// their states. of is empty unless joining.
type aside struct {
	joining atomic.Bool // changes under the shard's lock
	of      map[crdt.Key]early
}

// Join says that this node is joining a cluster. Call it before the first decision.
func (t *Table) Join() {
	for i := range t.shards {
		s := &t.shards[i]
		s.Lock()
		s.aside.joining.Store(true)
		s.Unlock()
	}
}

// Joined says that this node has joined, as far as it can: from now on, states hold what it
// admits. It does nothing if the node was not joining. told is whether something had been kept
// apart.
func (t *Table) Joined(now int64) (told bool) {
	for i := range t.shards {
		s := &t.shards[i]
		s.Lock()
		if s.aside.joining.Load() {
			told = told || len(s.aside.of) > 0
			for k, x := range s.aside.of {
				if e := s.Find(k); e != nil {
					s.tell(e, x, now)
				}
				s.closeViews()
			}
			s.aside.of = nil
			s.aside.joining.Store(false)
		}
		s.Unlock()
	}
	return told
}

// tell charges the entry's states what x has left to drain.
func (s *Shard) tell(e *Entry, x early, now int64) {
	e.catchUp(now)
	r := e.rule
	r.Roll(e.States(), now)
	x = x.under(r, now)
	ahead := x.ahead(now)
	if ahead == 0 {
		return
	}
	units := r.GCRA.UnitsOver(ahead)
	st := r.Current(e.States(), now)
	if r.Policy.Algorithm == limit.GCRA && st.TAT(&r.Frame) < now {
		// Its last unit has drained in part.
		st.Raise(now + ahead - r.GCRA.Drain(st.Count()+units))
	}
	st.Admit(units)
	s.Note(e, st, now)
}

// takes reports whether what the entry's client takes is kept out of its states for now.
func (x *aside) takes(e *Entry) bool {
	return x.joining.Load() && e.rule.Policy.Algorithm == limit.GCRA && !e.rule.Silent && !e.unplaced
}

// Level is how the client of an entry under GCRA stands at now, by all that this node knows.
func (s *Shard) Level(e *Entry, now int64) gcra.Level {
	if s.aside.joining.Load() {
		if x, some := s.aside.of[e.key]; some {
			if x = x.under(e.rule, now); x.ahead(now) > 0 {
				x.level.Base += max(0, e.state.TAT(&e.rule.Frame)-now)
				return x.level
			}
		}
	}
	return gcra.Level{Base: e.state.Base(), Count: e.state.Count()}
}

// Early is how many units of an entry's client are kept apart, whether or not they have drained.
func Early(s *Shard, e *Entry) uint64 { return s.aside.of[e.key].level.Count }

// Admits is the rule's Admits for all that this node knows of the client.
func (s *Shard) Admits(e *Entry, now, cost int64) (admitted bool, origin int64) {
	if s.aside.takes(e) {
		return e.rule.GCRA.Admit(s.Level(e, now), now, cost)
	}
	return e.rule.Admits(e.States(), now, cost)
}

// Explain is the rule's Explain for all that this node knows of the client.
func (s *Shard) Explain(e *Entry, now, cost int64, allowed bool) gcra.Decision {
	if s.aside.takes(e) {
		return e.rule.GCRA.Explain(s.Level(e, now), now, cost, allowed)
	}
	return e.rule.Explain(e.States(), now, cost, allowed)
}

// ChargeEarly counts cost units that a decision admitted at now, if they are to be kept apart.
// It reports whether they are.
func (s *Shard) ChargeEarly(e *Entry, now, cost int64) bool {
	if !s.aside.takes(e) {
		return false
	}
	s.aside.charge(e, now, cost)
	return true
}

// charge counts cost units that takes says to keep apart.
func (x *aside) charge(e *Entry, now, cost int64) {
	if x.of == nil {
		x.of = map[crdt.Key]early{}
	}
	held, some := x.of[e.key]
	if some {
		held = held.under(e.rule, now)
	}
	if !some || held.ahead(now) == 0 {
		held = early{e.rule, gcra.Level{Base: now}}
	}
	held.level.Count = min(held.level.Count+uint64(cost), crdt.MaxTotal) //nolint:gosec // positive
	x.of[e.key] = held
}

// giveBack gives back at most cost units that were kept apart and have not drained at now. It
// returns how many. What others hold drains behind them, but is not this node's.
func (x *aside) giveBack(e *Entry, cost uint64, now int64) uint64 {
	held, some := x.of[e.key]
	if !some || held.rule != e.rule {
		return 0
	}
	cost = min(cost, held.level.Count, e.rule.GCRA.UnitsOver(held.ahead(now)))
	held.level.Count -= cost
	x.of[e.key] = held
	return cost
}
