package limit

import "github.com/distributed-rate-limiter/distributed-rate-limiter/crdt"

// How a client's use survives a change of its limit. A state counts by replica, and no node
// may write another's counters. So the new life of a client begins with empty counters, and
// origins that the old life lends it encode what was used: every node computes the same ones.

// alike reports whether both rules count in the same windows, so that each window's units
// carry over into that window.
func (r *Rule) alike(o *Rule) bool {
	p, q := &r.Policy, &o.Policy
	return p.Algorithm != GCRA && p.Algorithm == q.Algorithm && r.Slots == o.Slots && r.Frame.Width == o.Frame.Width &&
		p.Calendar == q.Calendar && p.TimeZone == q.TimeZone
}

// Past tells which revisions a limit had. It is safe for concurrent use, and wait-free.
type Past interface {
	// Version changes with every revision of the limit that the node hears of.
	Version() uint64
	// Between lists the rules that the limit had after one revision and before another, oldest
	// first: of the same index, or the limit's own where there is none of that index.
	Between(after, before crdt.Stamp, index uint16) []*Rule
	// InForce is the rule at an instant: of the same index, or the limit's own where there is
	// none of that index; nil if the limit is deleted then.
	InForce(now int64, index uint16) *Rule
}

// Carry carries a client's use over a change of the limit. It lends s, the client's life under
// r, the use in old, the life under the rule before. What s was lent before, it takes back. r
// came into force at since, or the client was reset then, whichever is later. Carry does not
// change old.
//
// It is a pure function of old, so every node computes the same. It is monotone in old, so
// a late message lends more and never less. It rounds units up, so a change mints nothing. It
// carries at most what r ever admits, so it locks no client out for longer than r's own limit
// does.
func (r *Rule) Carry(s States, before *Rule, old States, since int64) {
	f := &r.Frame
	for _, st := range s.All {
		st.Unlend(f)
		st.Roll(f, f.Start(since))
	}
	if r.alike(before) {
		for slot, st := range old.All {
			into := s.At(slot)
			into.Roll(f, st.Start())
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
		s.First.LendPrevious(f, since+r.GCRA.Drain(units))
		return
	}
	r.carryInto(s.At(r.Slot(since)), f.Start(since), units)
}

// CarryAll carries a client's use from the life before to s, over all revisions of the limit
// in between that the client did not use. reset is the instant of the reset that both lives
// began after.
func (r *Rule) CarryAll(s States, before *Rule, old States, reset int64) {
	if r.Past != nil {
		for _, v := range r.Past.Between(before.Revision, r.Revision, r.Index) {
			if v.Policy.Access != Limited {
				continue // everybody passes, or nobody: it counts nothing
			}
			since := max(v.Revision.At, reset)
			first, rest := v.NewStates(since)
			idle := States{First: &first, Rest: rest}
			v.Carry(idle, before, old, since)
			before, old = v, idle
		}
	}
	r.Carry(s, before, old, max(r.Revision.At, reset))
}

// carryInto lends units to st's window that starts at start, encoded as an origin. It does
// nothing if st has rolled past that window, because its units count no longer.
func (r *Rule) carryInto(st *crdt.State, start int64, units uint64) {
	if units == 0 {
		return
	}
	o := start + r.GCRA.Drain(min(units, uint64(r.Policy.Limit))) //nolint:gosec // validated
	switch start {
	case st.Start():
		st.Lend(o)
	case r.Frame.Before(st.Start()):
		st.LendPrevious(&r.Frame, o)
	}
}
