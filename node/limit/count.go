package limit

import (
	"github.com/distributed-rate-limiter/distributed-rate-limiter/crdt"
	"github.com/distributed-rate-limiter/distributed-rate-limiter/gcra"
)

// How a rule reads and charges a client's states. GCRA drains them continuously. Window
// algorithms read the count of each window, and add the units that an origin encodes: those
// that the client carried over a change of the limit.
//
// "s is rolled" below means that s is in t's window: see Roll. Every method is wait-free
// and allocates nothing. The caller holds whatever lock guards s.

// Slot is the slot that counts at t.
func (r *Rule) Slot(t int64) int {
	if r.segmented == nil {
		return 0
	}
	return int((t - r.Frame.Start(t)) / r.segmented.Sub())
}

// Current is the state that counts at t. s is rolled.
func (r *Rule) Current(s States, t int64) *crdt.State {
	if r.segmented == nil {
		return s.First
	}
	return s.At(r.Slot(t))
}

// Roll brings s into t's window, if it is not there already. States that are further ahead
// stay there: time never steps back in them.
func (r *Rule) Roll(s States, t int64) {
	f := &r.Frame
	if f.Align == nil && len(s.Rest) == 0 && t-s.First.Start() < f.Width {
		return
	}
	s.Roll(f, f.Start(t))
}

// Counted returns the units of the current and the previous window of a window algorithm's
// state. They include units that a change of the limit carried over.
func (r *Rule) Counted(st *crdt.State) (cur, prev uint64) {
	cur, prev = st.Count(), st.CountPrevious()
	o := st.Origins()
	if before := o[0] - st.Start(); before > 0 {
		cur += r.GCRA.UnitsOver(before)
	}
	if o[1] > gcra.Never {
		if before := o[1] - r.Frame.Before(st.Start()); before > 0 {
			prev += r.GCRA.UnitsOver(before)
		}
	}
	return cur, prev
}

// parts are the counts of the newest parts of a window at t, newest first, in buf.
func (r *Rule) parts(s States, t int64, buf *[MaxResolution + 1]uint64) []uint64 {
	counts := buf[:r.Slots]
	start, now := r.Frame.Start(t), r.Slot(t)
	for slot := range counts { // without an iterator, since a decision runs it
		st := s.At(slot)
		cur, prev := st.Count(), st.CountPrevious()
		if !st.OnTime(r.Frame.Width) { // somebody carried units over
			cur, prev = r.Counted(st)
		}
		age := now - slot // in parts; negative: the slot was last used a whole turn ago
		switch {
		case age >= 0 && st.Start() <= start:
			counts[age] += cur
		case age >= 0:
			// A peer's clock is ahead and has rolled this slot on. Its count belongs to the
			// next window, and goes to the newest part, so that it counts for longest.
			counts[age] += prev
			counts[0] += cur
		default:
			counts[age+r.Slots] += prev
			counts[0] += cur
		}
	}
	return counts
}

// Admits reports whether cost units may pass at t. It charges nothing: on admission the
// caller raises the current state's origin to origin, unless that is gcra.Never, and adds
// cost to the state. s is rolled.
func (r *Rule) Admits(s States, t, cost int64) (admitted bool, origin int64) {
	switch {
	case r.fixed != nil:
		cur, _ := r.Counted(s.First)
		return r.fixed.Admit(cur, cost), gcra.Never
	case r.sliding != nil:
		cur, prev := r.Counted(s.First)
		return r.sliding.Admit(cur, prev, s.First.Start(), t, cost), gcra.Never
	case r.segmented != nil:
		var buf [MaxResolution + 1]uint64
		return r.segmented.Admit(r.parts(s, t, &buf), cost), gcra.Never
	}
	return r.GCRA.Admit(gcra.Level{Base: s.First.Base(), Count: s.First.Count()}, t, cost)
}

// Explain describes a client's standing at t, after a decision on cost units that was
// allowed or not. s is rolled.
func (r *Rule) Explain(s States, t, cost int64, allowed bool) gcra.Decision {
	switch {
	case r.fixed != nil:
		cur, _ := r.Counted(s.First)
		return r.fixed.Explain(cur, t, cost, allowed)
	case r.sliding != nil:
		cur, prev := r.Counted(s.First)
		return r.sliding.Explain(cur, prev, s.First.Start(), t, cost, allowed)
	case r.segmented != nil:
		var buf [MaxResolution + 1]uint64
		return r.segmented.Explain(r.parts(s, t, &buf), r.segmented.Start(t), t, cost, allowed)
	}
	return r.GCRA.Explain(gcra.Level{Base: s.First.Base(), Count: s.First.Count()}, t, cost, allowed)
}

// Used is the number of units that count against the client at t, rounded up. s is rolled,
// or further ahead than t.
func (r *Rule) Used(s States, t int64) uint64 {
	switch {
	case r.fixed != nil:
		cur, prev := r.Counted(s.First)
		if s.First.Start() > t {
			cur += prev // s is ahead: t's window is its previous one
		}
		return cur
	case r.sliding != nil:
		cur, prev := r.Counted(s.First)
		return r.sliding.Used(cur, prev, s.First.Start(), t)
	case r.segmented != nil:
		var buf [MaxResolution + 1]uint64
		return r.segmented.Used(r.parts(s, t, &buf))
	}
	return r.GCRA.UnitsOver(max(0, s.First.TAT(&r.Frame)-t))
}

// Excess is the number of units by which the use at t is beyond the most that the rule ever
// admits. Nodes that did not hear of each other admitted them. s is rolled, or further
// ahead.
func (r *Rule) Excess(s States, t int64) uint64 {
	if r.Policy.Algorithm == GCRA {
		tat := s.First.TAT(&r.Frame)
		if tat < gcra.Never/2 || tat <= t+r.GCRA.Depth() {
			return 0
		}
		return r.GCRA.Units(tat - t - r.GCRA.Depth())
	}
	if u, most := r.Used(s, t), uint64(r.Policy.Limit); u > most { //nolint:gosec // validated
		return u - most
	}
	return 0
}
