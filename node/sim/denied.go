package sim

import (
	"slices"

	"github.com/distributed-rate-limiter/distributed-rate-limiter/node"
)

// denied judges a denial under one limit: whether what the nodes had admitted by then left
// room for the cost, and how much more than theorem 2 allows.
func (o *oracle) denied(m *member, limits []string, client string, cost int64) {
	if len(limits) > 1 || o.w.sc.MaxClients > 0 {
		return
	}
	a := o.account(limits[0], client)
	if a == nil || a.yard.policy.OnIsolation == node.IsolationClosed || a.yard.policy.OnIsolation == node.IsolationShare {
		return
	}
	reset, p, held := m.step.Inside().Standing(a.of.limit, client)
	if !held || !a.yard.same(p) || reset.Compare(a.reset) < 0 {
		return // it denies by another policy, or for another life
	}
	t := o.w.now
	o.clocks.observe(m)
	var room, slack float64
	if g := a.yard.gcra; g != nil {
		spare := g.Depth() - max(0, max(g.TAT(a.level), g.TAT(a.heavy))-t) - g.Drain(uint64(cost)) //nolint:gosec // positive
		room = float64(spare) * a.yard.rate()
		behind := min(max(o.knows.staleness, o.knows.promise.delta), a.yard.lasts())
		slack = 1 + a.yard.rate()*float64(behind+o.clocks.sigma())
	} else {
		stamp := m.clock.read(t)
		var used uint64
		used, slack = o.recent(a, stamp)
		room = float64(a.yard.policy.Limit) - float64(used) - float64(cost)
	}
	if room < 0 {
		return
	}
	o.w.result.Overdenied++
	o.w.result.WorstOverdenied = max(o.w.result.WorstOverdenied, room)
	if a.yard.policy.Consistency == node.Bounded {
		return // theorem 2 does not hold: the right to what is left may be elsewhere
	}
	a.pruneRefunds(t)
	back := 0.0
	for _, r := range a.refunds {
		if r.by != m && r.backAt > o.knows.known(a, m, r.by) || r.at > t-a.yard.lasts() && a.yard.gcra != nil {
			back += float64(r.back)
		}
	}
	o.judgeDenied(a, m, room-back)
	if t <= max(a.until, a.fuller) {
		return // what a change carried over is rounded up, and by clocks that differ
	}
	slack += back
	if room > slack+epsilon && a.yard.gcra != nil {
		// Windows begin where the fastest clock says so, though its node admits nothing: a row
		// that it sends brings another node into a window that is still to come there.
		slack += a.yard.rate() * float64(o.clocks.apart(o.w.living())-o.clocks.sigma())
	}
	if room > slack+epsilon {
		o.w.violate("n%d denied %d to %s under %s, though there was room for %.3f more: theorem 2 allows %.3f", m.number, cost, client, a.of.limit, room, slack)
	}
}

// judgeDenied compares the room at a denial with what the node exports. What a reset or a full
// table does is no matter of this number.
func (o *oracle) judgeDenied(a *account, m *member, room float64) {
	y := a.yard
	if y.gcra != nil && room <= 1+y.rate()*float64(y.width) || y.gcra == nil && room <= float64(y.policy.Limit) {
		return // every node of a cluster exports that much
	}
	if worst := m.step.Inside().Denied(a.of.limit); room > worst+epsilon && !m.exports(a.of.limit).degraded {
		o.w.violate("n%d denied %s under %s, though there was room for %.3f: it exports %.3f", m.number, a.of.client, a.of.limit, room, worst)
	}
}

// recent is what counts at u of all charges, and the cost of those whose window is another
// one by some clock.
func (o *oracle) recent(a *account, u int64) (used uint64, edge float64) {
	y, sigma, counts := a.yard, o.clocks.sigma(), map[int64]uint64{}
	atEdge := sigma > 0 && (u < y.part(u)+sigma || u >= y.end(y.part(u))-sigma)
	for _, all := range a.charges {
		part, sum := int64(0), uint64(0) // of charges in a row: mostly many are of one part
		for _, c := range slices.Backward(all) {
			if c.at <= o.w.now-y.lasts()-y.width-sigma {
				break
			}
			if !a.counts(c) {
				continue
			}
			if c.part != part {
				counts[part] += sum
				part, sum = c.part, 0
			}
			sum += uint64(c.net()) //nolint:gosec // not negative
			if atEdge || sigma > 0 && (c.stamp < part+sigma || c.stamp >= y.end(part)-sigma) {
				edge += float64(c.net())
			}
		}
		counts[part] += sum
	}
	for _, c := range a.carried {
		counts[y.part(c.stamp)] += uint64(c.cost) //nolint:gosec // not negative
	}
	return y.used(counts, u), edge
}
