package sim

import (
	"math"
	"time"

	"github.com/distributed-rate-limiter/distributed-rate-limiter/crdt"
	"github.com/distributed-rate-limiter/distributed-rate-limiter/gcra"
	"github.com/distributed-rate-limiter/distributed-rate-limiter/node"
)

// change notes a change of a limit that clocks name at, which is true time t by the
// clock of whom it was told to.
func (v *windows) change(c node.LimitChange, t int64) {
	limit := v.tracks[c.Name]
	limit.policies = append(limit.policies, c.Policy)
	phase := len(limit.policies) - 1
	v.o.w.at(t, func() {
		for _, m := range v.o.w.living() {
			v.o.observeClock(m)
		}
		v.loose = true
		limit.now = max(limit.now, phase)
		for _, a := range v.order {
			if a.of.limit == c.Name && a.phase < phase {
				v.turn(a, phase, c.At.UnixNano())
			}
		}
	})
}

// turn brings an account under another policy: what was used stays so, as far as that
// goes. What some node does not know of yet it carries over later or never, and clocks
// that differ cross the instant of change at different times: both are excused, for as
// long as what was carried over counts.
func (v *windows) turn(a *tally, phase int, at int64) {
	t, old := v.o.w.now, a.ruler
	next := policyOf(v.tracks[a.of.limit].policies[phase], a.of.client)
	if next.Access != node.Limited {
		delete(v.accounts, a.of) // everybody passes
		a.phase = phase
		return
	}
	r, err := newRuler(next)
	if err != nil {
		v.o.w.violate("change: %v", err)
		return
	}
	excused := int64(0)
	for _, m := range v.o.w.living() {
		excused = max(excused, v.missing(a, m))
	}
	if t > a.until {
		a.excused = 0
	}
	p := &old.policy
	a.excused += excused + 2 + int64(math.Ceil(float64(p.Limit)/float64(p.Window)*float64(v.o.sigma())))
	a.book.change(r, t)
	if r.alike(old) {
		v.recount(a, r, phase)
	} else {
		units := min(v.used(a, at), uint64(r.policy.Burst))          //nolint:gosec // validated
		a.carried = []*taken{{at: t, stamp: at, cost: int64(units)}} //nolint:gosec // at most the burst
		a.level = gcra.Level{Base: t, Count: units}
	}
	a.ruler, a.phase, a.most, a.until = r, phase, max(a.most, r.policy.Burst), t+r.lasts()
	if r.gcra != nil {
		a.until = max(a.until, r.gcra.TAT(a.level)+r.width)
		for _, all := range a.taken { // whose clocks were ahead
			for _, e := range all {
				a.level.Count += uint64(a.counts(e, 1)) * uint64(e.cost) //nolint:gosec // positive
			}
		}
	}
}

// missing is what m does not know of under the policy that ends now.
func (v *windows) missing(a *tally, m *member) int64 {
	sum := 0.0
	for other, all := range a.taken {
		if other != m {
			sum += unseenOf(all, v.known(m, other), func(e *taken) float64 { return a.counts(e, 1) })
		}
	}
	return int64(sum)
}

// used is what counts at an instant by all clocks.
func (v *windows) used(a *tally, at int64) uint64 {
	if g := a.ruler.gcra; g != nil {
		return g.UnitsOver(max(0, g.TAT(a.level)-v.o.w.now))
	}
	return a.ruler.used(a.byPart(), at)
}

func (a *tally) byPart() map[int64]uint64 {
	counts := map[int64]uint64{}
	for _, all := range a.taken {
		for _, e := range all {
			if a.counts(e, 1) > 0 {
				counts[a.ruler.part(e.stamp)] += uint64(e.net()) //nolint:gosec // not negative
			}
		}
	}
	for _, c := range a.carried {
		counts[a.ruler.part(c.stamp)] += uint64(c.cost) //nolint:gosec // not negative
	}
	return counts
}

// recount keeps what was taken in the windows that it was taken in. Of each no more
// than the new limit counts.
func (v *windows) recount(a *tally, r *ruler, phase int) {
	for _, n := range a.byPart() {
		a.excused += max(0, int64(n)-r.policy.Limit) //nolint:gosec // far below
	}
	for _, all := range a.taken {
		for _, e := range all {
			if a.counts(e, 1) > 0 {
				e.phase = phase
			}
		}
	}
}

// forget empties the account of a client that m was told to reset. What nodes admit
// that did not hear of it yet belongs to the life that ended.
func (v *windows) forget(m *member, client string, heard time.Duration) {
	a := v.tally(node.DefaultLimit, client)
	if a == nil {
		return
	}
	for _, all := range a.taken {
		for _, e := range all {
			e.void = true
		}
	}
	a.carried, a.level, a.excused = nil, gcra.Level{Base: v.o.w.now}, 0
	a.book = newBook(a.ruler)
	a.pardon = v.o.pardon(heard)
	var stamp crdt.Stamp
	stamp, _, _ = m.step.Standing(node.DefaultLimit, client)
	a.reset = stamp
	v.loose = true
}
