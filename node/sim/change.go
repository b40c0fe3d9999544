package sim

import (
	"math"
	"slices"
	"time"

	"github.com/distributed-rate-limiter/distributed-rate-limiter/gcra"
	"github.com/distributed-rate-limiter/distributed-rate-limiter/node"
)

// change notes a change of a limit that clocks name at, which is true time t by the
// clock of the node that was told.
func (o *oracle) change(c node.LimitChange, t int64) {
	limit := o.tracks[c.Name]
	limit.policies = append(limit.policies, c.Policy)
	phase := len(limit.policies) - 1
	o.altered = true
	o.w.at(t, func() {
		for _, m := range o.w.living() {
			o.clocks.observe(m) // whoever crosses the instant, not only who admits
		}
		limit.now = max(limit.now, phase)
		for _, a := range o.order {
			if a.of.limit == c.Name && a.phase < phase {
				o.turn(a, phase, c.At.UnixNano())
			}
		}
	})
}

// turn brings an account under another policy: what was used stays so, as far as that
// goes. Excused is that clocks cross the instant of change at different times, and that
// units are rounded up; where the limit goes over to another way to count, besides, what
// some node does not know of yet, since it carries that over later or never.
func (o *oracle) turn(a *account, phase int, at int64) {
	t, old := o.w.now, a.yard
	next := policyOf(o.tracks[a.of.limit].policies[phase], a.of.client)
	if next.Access != node.Limited {
		delete(o.accounts, a.of) // everybody passes
		a.phase = phase
		return
	}
	y, err := newYardstick(next)
	if err != nil {
		o.w.violate("change: %v", err)
		return
	}
	if t > a.until && old.gcra == nil {
		a.excused, a.forgotten = 0, 0
	}
	p := &old.policy
	a.excused += 2 + int64(math.Ceil(float64(p.Limit)/float64(p.Window)*float64(o.clocks.sigma())))
	stays := old.gcra != nil && y.gcra != nil
	if !stays {
		missing := int64(0)
		for _, m := range o.w.living() {
			missing = max(missing, o.knows.unseenOfOthers(a, m))
		}
		a.excused += missing
	}
	a.central.change(y, t)
	if y.alike(old) {
		o.recount(a, y, phase)
	} else {
		most, heavy := uint64(y.policy.Burst), uint64(0) //nolint:gosec // validated
		units := min(o.used(a, at), most)
		if old.gcra != nil {
			heavy = min(old.gcra.UnitsOver(max(0, old.gcra.TAT(a.heavy)-t)), most)
		}
		a.carried = []*charge{{at: t, stamp: at, cost: int64(units)}} //nolint:gosec // at most the burst
		a.level = gcra.Level{Base: t, Count: units}
		a.heavy = gcra.Level{Base: t, Count: max(units, heavy)}
		clear(a.charges)
		if !stays {
			a.converted, a.former = t, old
		}
	}
	a.yard, a.phase, a.most, a.narrow, a.until = y, phase, max(a.most, y.policy.Burst), min(a.narrow, y.width), t+y.lasts()
	a.turned = t
	if y.gcra != nil {
		a.until = max(a.until, y.gcra.TAT(a.level)+y.width)
	}
	ahead := a.ahead
	a.ahead = nil
	for _, c := range ahead {
		if c.phase == phase {
			a.add(c)
		} else if c.phase > phase {
			a.ahead = append(a.ahead, c)
		}
	}
}

// used is what counts at an instant by all clocks.
func (o *oracle) used(a *account, at int64) uint64 {
	if g := a.yard.gcra; g != nil {
		return g.UnitsOver(max(0, g.TAT(a.level)-o.w.now))
	}
	return a.yard.used(a.byPart(), at)
}

// byPart sums up what counts by the part of a window that it was charged in.
func (a *account) byPart() map[int64]uint64 {
	counts := map[int64]uint64{}
	for _, all := range a.charges {
		for _, c := range all {
			if a.counts(c) {
				counts[c.part] += uint64(c.net()) //nolint:gosec // not negative
			}
		}
	}
	for _, c := range a.carried {
		counts[a.yard.part(c.stamp)] += uint64(c.cost) //nolint:gosec // not negative
	}
	return counts
}

// recount keeps what was charged in the windows that it was charged in. Of each no more
// than the new limit counts.
func (o *oracle) recount(a *account, y *yardstick, phase int) {
	for _, n := range a.byPart() {
		forgotten := max(0, int64(n)-y.policy.Limit) //nolint:gosec // far below
		a.excused, a.forgotten = a.excused+forgotten, a.forgotten+forgotten
	}
	for _, all := range a.charges {
		for _, c := range all {
			if a.counts(c) {
				c.phase = phase
			}
		}
	}
}

// reset empties a client's account, which m was told to reset. What nodes admit that did
// not hear of it yet belongs to the life that ended.
func (o *oracle) reset(m *member, client string) {
	a := o.account(node.DefaultLimit, client)
	o.altered = true
	if a == nil {
		return
	}
	a.forget(o.w.now)
	a.unheard, a.before = o.mayNotHear(o.w.now), 0
	a.reset, _, _ = m.step.Inside().Standing(node.DefaultLimit, client)
}

// outdated counts a charge under a policy that is over. A node goes on under the old policy until
// it hears of the change, and documented is that all it admits by then may be lost. For under GCRA
// the new life begins with since + D(min(u, B)), where u are the units that the old life still had
// to drain at since, the instant of the change. All that was admitted later pushes u, but the
// minimum cuts it off, and by since + D(B) nothing is left of it. So the oracle excuses all of the
// cost, and not only what E grows by at once: a full bucket may come on top. Between limits that
// count in the same windows nothing is lost but what E grows by. Between others that is so within
// the window of the change.
//
// The other way round, u can be more than the client used: the old life's TAT runs on with the
// clock while nodes admit by it, so what drained since the change is in u as well. The minimum
// caps that too. Until since + D(B) nodes may deny what they have room for (section 6 of the
// error bound leaves changes to a smaller limit out).
func (o *oracle) outdated(a *account, c *charge) {
	before := o.over(a, c)
	c.phase = a.phase
	a.add(c)
	lost := max(0, o.over(a, c)) - max(0, before)
	elsewhere := func(y *yardstick) bool { return y.part(c.at) != y.part(a.converted) }
	if a.yard.gcra != nil || a.converted != 0 && (elsewhere(a.yard) || elsewhere(a.former)) {
		lost = float64(c.cost)
	}
	if lost > 0 {
		a.excused += int64(math.Ceil(lost))
		a.until = max(a.until, c.at+a.yard.lasts())
	}
	if g := a.yard.gcra; g != nil {
		a.fuller = max(a.fuller, a.turned+g.Depth()+a.yard.width)
	}
}

// over is E at c.
func (o *oracle) over(a *account, c *charge) float64 {
	if a.yard.gcra == nil {
		e, _ := o.counted(a, c)
		return e.over
	}
	return float64(max(0, a.yard.gcra.TAT(a.level)-c.at))*a.yard.rate() - float64(a.yard.policy.Burst)
}

// notHeard reports whether the last reset of the account's client may be one that m has still to
// hear of. If all who heard of it are gone, nobody does, and the life before it goes on.
func (o *oracle) notHeard(a *account, m *member) bool {
	return o.w.now < max(a.unheard, o.mayNotHear(m.bornAt)+int64(joinTime))
}

// mayNotHear is until when a node may not have heard of something told at t: as long as one
// fault after the other keeps it from hearing.
func (o *oracle) mayNotHear(t int64) int64 {
	const heard = int64(5 * time.Second)
	until := t + heard
	faults := slices.Clone(o.w.sc.Faults)
	slices.SortStableFunc(faults, func(a, b Fault) int { return int(a.At - b.At) })
	for i := range faults {
		f := &faults[i]
		s, some := f.trouble(&o.w.sc, o.w.start)
		if some && s.from <= until && f.Kind != FaultLimit && f.Kind != FaultReset {
			until = max(until, s.to+heard)
		}
	}
	return until
}
