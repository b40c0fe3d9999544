package limit

import "github.com/distributed-rate-limiter/distributed-rate-limiter/crdt"

// How a client's use survives a change of its limit. A state counts by replica, and no node
// may write another's counters. So the new life of a client begins with empty counters, and
// its origins encode the use of the old life: every node computes the same origins.

// alike reports whether both rules count in the same windows, so that each window's units
// carry over into that window.
func (r *Rule) alike(o *Rule) bool {
	p, q := &r.Policy, &o.Policy
	return p.Algorithm != GCRA && p.Algorithm == q.Algorithm && r.Slots == o.Slots && r.Frame.Width == o.Frame.Width &&
		p.Calendar == q.Calendar && p.TimeZone == q.TimeZone
}

// Carry carries a client's use over a change of the limit. It raises the origins of s, the
// client's life under r, by its use in old, the life under the rule before. r came into
// force at since. Carry changes s, but not old.
//
// It is a pure function of old, so every node computes the same. It is monotone in old, so
// a late message raises the origins further and never lowers them. It rounds units up, so a
// change mints nothing. It carries at most what r ever admits, so it locks no client out
// for longer than r's own limit does.
func (r *Rule) Carry(s States, before *Rule, old States, since int64) {
	f := &r.Frame
	if r.alike(before) {
		for slot, st := range old.All {
			into := s.At(slot)
			cur, prev := before.Counted(st)
			r.carryInto(into, st.Start(), cur)
			r.carryInto(into, f.Before(st.Start()), prev)
		}
		return
	}
	if before.Policy.Algorithm == GCRA && old.First.Base() == crdt.Never {
		return
	}
	rolled := old.Clone()
	rolled.Roll(&before.Frame, before.Frame.Start(since))
	units := min(before.Used(rolled, since), uint64(r.Policy.Burst)) //nolint:gosec // validated
	if r.Policy.Algorithm == GCRA {
		// It goes where a folded TAT goes, which may lie in the future. Peers refuse such an
		// origin in a current window, because no honest clock makes one there.
		s.First.RaisePrevious(f, since+r.GCRA.Drain(units))
		return
	}
	r.carryInto(s.At(r.Slot(since)), f.Start(since), units)
}

// carryInto encodes units in the origin of st's window that starts at start. It does nothing
// if st has rolled past that window, because its units count no longer.
func (r *Rule) carryInto(st *crdt.State, start int64, units uint64) {
	if units == 0 {
		return
	}
	o := start + r.GCRA.Drain(min(units, uint64(r.Policy.Limit))) //nolint:gosec // validated
	switch start {
	case st.Start():
		st.Raise(o)
	case r.Frame.Before(st.Start()):
		st.RaisePrevious(&r.Frame, o)
	}
}
