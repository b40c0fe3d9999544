package node

import (
	"github.com/distributed-rate-limiter/distributed-rate-limiter/crdt"
	"github.com/distributed-rate-limiter/distributed-rate-limiter/gcra"
)

// How the algorithms read a client's states. GCRA drains them continuously; the window
// algorithms read counts by window, and what an origin tells of units that were used
// before a change of the limit.

// slot is the slot in which is counted at t.
func (r *rule) slot(t int64) int {
	if r.segmented == nil {
		return 0
	}
	return int((t - r.frame.Start(t)) / r.segmented.Sub())
}

// current is the state in which is counted at t. s is rolled to t's window.
func (r *rule) current(s states, t int64) *crdt.State {
	if r.segmented == nil {
		return s.first
	}
	return s.at(r.slot(t))
}

// roll brings the states to t's window, if they are not there already.
func (r *rule) roll(s states, t int64) {
	f := &r.frame
	if f.Align == nil && len(s.rest) == 0 && t-s.first.Start() < f.Width {
		return
	}
	s.roll(f, f.Start(t))
}

// counted are the units of the current and the previous window, those included that
// were used before a change.
func (r *rule) counted(st *crdt.State) (cur, prev uint64) {
	cur, prev = st.Count(), st.CountPrevious()
	o := st.Origins()
	if before := o[0] - st.Start(); before > 0 {
		cur += r.gcra.UnitsOver(before)
	}
	if o[1] > gcra.Never {
		if before := o[1] - r.frame.Before(st.Start()); before > 0 {
			prev += r.gcra.UnitsOver(before)
		}
	}
	return cur, prev
}

// parts are the counts of the newest parts of a window, newest first, in buf.
func (r *rule) parts(s states, t int64, buf *[MaxResolution + 1]uint64) []uint64 {
	counts := buf[:r.slots]
	start, now := r.frame.Start(t), r.slot(t)
	for slot, st := range s.all {
		cur, prev := r.counted(st)
		age := now - slot // in parts
		switch {
		case age >= 0 && st.Start() <= start:
			counts[age] += cur
		case age >= 0:
			// A peer's clock is ahead: what it counted in the next window, and ours.
			counts[age] += prev
			counts[0] += cur
		default:
			counts[age+r.slots] += prev
			counts[0] += cur
		}
	}
	return counts
}

// admits decides cost at t. origin is what the state's origin is to be raised to on
// admission, gcra.Never for nothing. s is rolled.
func (r *rule) admits(s states, t, cost int64) (admitted bool, origin int64) {
	switch {
	case r.fixed != nil:
		cur, _ := r.counted(s.first)
		return r.fixed.Admit(cur, cost), gcra.Never
	case r.sliding != nil:
		cur, prev := r.counted(s.first)
		return r.sliding.Admit(cur, prev, s.first.Start(), t, cost), gcra.Never
	case r.segmented != nil:
		var buf [MaxResolution + 1]uint64
		return r.segmented.Admit(r.parts(s, t, &buf), cost), gcra.Never
	}
	return r.gcra.Admit(gcra.Level{Base: s.first.Base(), Count: s.first.Count()}, t, cost)
}

// charge counts cost at t, whether it was admitted or not. s is rolled.
func (r *rule) charge(s states, t, cost int64) {
	st := r.current(s, t)
	if r.policy.Algorithm == GCRA {
		if st.TAT(&r.frame) < t {
			st.Raise(t - r.gcra.Drain(st.Count()))
		}
	}
	st.Admit(uint64(cost)) //nolint:gosec // positive
}

// explain tells a client's standing. s is rolled.
func (r *rule) explain(s states, t, cost int64, allowed bool) gcra.Decision {
	switch {
	case r.fixed != nil:
		cur, _ := r.counted(s.first)
		return r.fixed.Explain(cur, t, cost, allowed)
	case r.sliding != nil:
		cur, prev := r.counted(s.first)
		return r.sliding.Explain(cur, prev, s.first.Start(), t, cost, allowed)
	case r.segmented != nil:
		var buf [MaxResolution + 1]uint64
		return r.segmented.Explain(r.parts(s, t, &buf), r.segmented.Start(t), t, cost, allowed)
	}
	return r.gcra.Explain(gcra.Level{Base: s.first.Base(), Count: s.first.Count()}, t, cost, allowed)
}

// used is how many units count against the client at t, rounded up. s is rolled to t's
// window, or further.
func (r *rule) used(s states, t int64) uint64 {
	switch {
	case r.fixed != nil:
		cur, prev := r.counted(s.first)
		if s.first.Start() > t {
			cur += prev // t's window is the previous one
		}
		return cur
	case r.sliding != nil:
		cur, prev := r.counted(s.first)
		return r.sliding.Used(cur, prev, s.first.Start(), t)
	case r.segmented != nil:
		var buf [MaxResolution + 1]uint64
		return r.segmented.Used(r.parts(s, t, &buf))
	}
	return r.gcra.UnitsOver(max(0, s.first.TAT(&r.frame)-t))
}

// excess is by how much the use at t is beyond what the rule ever admits.
func (r *rule) excess(s states, t int64) uint64 {
	if r.policy.Algorithm == GCRA {
		tat := s.first.TAT(&r.frame)
		if tat < gcra.Never/2 || tat <= t+r.gcra.Depth() {
			return 0
		}
		return r.gcra.Units(tat - t - r.gcra.Depth())
	}
	if u, most := r.used(s, t), uint64(r.policy.Limit); u > most { //nolint:gosec // validated
		return u - most
	}
	return 0
}

// alike reports whether both rules count in the same windows, so that what was used in
// each carries over as it is.
func (r *rule) alike(o *rule) bool {
	p, q := &r.policy, &o.policy
	return p.Algorithm != GCRA && p.Algorithm == q.Algorithm && r.slots == o.slots && r.frame.Width == o.frame.Width &&
		p.Calendar == q.Calendar && p.TimeZone == q.TimeZone
}

// carry raises the origins of s, a client's life under r, to what it had used under the
// rule before, by the states that it had then. It is a pure function of those, so every
// node computes the same, and it is monotone in them: late messages raise it further.
// Units are rounded up, so a change mints nothing; and no more is carried over than r
// ever admits, so nobody is locked out for longer than by r's own limit.
func (r *rule) carry(s states, before *rule, old states) {
	since, f := r.rev.stamp.At, &r.frame
	if r.alike(before) {
		for slot, st := range old.all {
			into := s.at(slot)
			cur, prev := before.counted(st)
			r.recallAt(into, st.Start(), cur)
			r.recallAt(into, f.Before(st.Start()), prev)
		}
		return
	}
	if before.policy.Algorithm == GCRA && old.first.Base() == crdt.Never {
		return
	}
	rolled := old.clone()
	rolled.roll(&before.frame, before.frame.Start(since))
	units := min(before.used(rolled, since), uint64(r.policy.Burst)) //nolint:gosec // validated
	if r.policy.Algorithm == GCRA {
		// Where a folded TAT goes: it may lie in the future, as the origin of a current
		// window may not.
		s.first.RaisePrevious(f, since+r.gcra.Drain(units))
		return
	}
	r.recallAt(s.at(r.slot(since)), f.Start(since), units)
}

// recallAt notes that units were used before a change in the window that starts at start,
// if the state still holds it.
func (r *rule) recallAt(st *crdt.State, start int64, units uint64) {
	if units == 0 {
		return
	}
	o := start + r.gcra.Drain(min(units, uint64(r.policy.Limit))) //nolint:gosec // validated
	switch start {
	case st.Start():
		st.Raise(o)
	case r.frame.Before(st.Start()):
		st.RaisePrevious(&r.frame, o)
	}
}
