package sim

import (
	"fmt"
	"slices"
	"strings"

	"github.com/distributed-rate-limiter/distributed-rate-limiter/crdt"
	"github.com/distributed-rate-limiter/distributed-rate-limiter/node"
)

// The judgements of a strict run, on top of those of every run:
//
//   - at every admission, take the living nodes that admitted to that client: E is at most the
//     largest number that one of them exports, or one of them says that it is degraded;
//   - totals never run backwards within a life, and vanish with their window only;
//   - what a reservation gives back leaves room only for what its client did not take since.

// judgeLive compares E at an admission with what nodes export at this moment. What commits
// charge beyond their reservations is outside E.
func (o *oracle) judgeLive(a *account, c *charge, e float64) {
	for _, debt := range a.debts {
		e -= float64(debt)
	}
	if e <= epsilon {
		return
	}
	var told strings.Builder
	exports := func(m *member) bool {
		bound, degraded := m.step.Inside().Exported(a.of.limit)
		_, _ = fmt.Fprintf(&told, " %.3f by n%d", bound, m.number)
		return degraded || e <= bound+epsilon
	}
	if exports(c.by) {
		return
	}
	for _, m := range o.w.members {
		if m != c.by && m.alive && a.charged[m] != nil && exports(m) {
			return
		}
	}
	o.w.violate("%s under %s: E is %.3f, but nobody is degraded, and exported is%s", a.of.client, a.of.limit, e, told.String())
}

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
	stamp, p, held := m.step.Inside().Standing(a.of.limit, client)
	if !held || !a.yard.same(p) || stamp.Compare(a.reset) < 0 {
		return // it denies by another policy, or for another life
	}
	t := o.w.now
	o.observeClock(m)
	var room, slack float64
	if g := a.yard.gcra; g != nil {
		spare := g.Depth() - max(0, g.TAT(a.level)-t) - g.Drain(uint64(cost)) //nolint:gosec // positive
		room = float64(spare) * a.yard.rate()
		behind := min(max(o.staleness, o.promise.delta), a.yard.lasts())
		slack = 1 + a.yard.rate()*float64(behind+o.sigma())
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
	if t <= a.until {
		return // what a change carried over is rounded up, and by clocks that differ
	}
	a.pruneRefunds(t)
	for _, r := range a.refunds {
		if r.by != m && r.backAt > o.known(a, m, r.by) || r.at > t-a.yard.lasts() && a.yard.gcra != nil {
			slack += float64(r.back)
		}
	}
	if room > slack+epsilon {
		o.w.violate("n%d denied %d to %s under %s, though there was room for %.3f more: theorem 2 allows %.3f", m.number, cost, client, a.of.limit, room, slack)
	}
}

// recent is what counts at u of all charges, and the cost of those whose window is another
// one by some clock.
func (o *oracle) recent(a *account, u int64) (used uint64, edge float64) {
	y, sigma, counts := a.yard, o.sigma(), map[int64]uint64{}
	for _, all := range a.charges {
		for _, c := range slices.Backward(all) {
			if c.at <= o.w.now-y.lasts()-y.width-sigma {
				break
			}
			if !a.counts(c) {
				continue
			}
			start := y.part(c.stamp)
			counts[start] += uint64(c.net()) //nolint:gosec // not negative
			if sigma > 0 && (c.stamp < start+sigma || c.stamp >= y.end(start)-sigma || u < y.part(u)+sigma || u >= y.end(y.part(u))-sigma) {
				edge += float64(c.net())
			}
		}
	}
	for _, c := range a.carried {
		counts[y.part(c.stamp)] += uint64(c.cost) //nolint:gosec // not negative
	}
	return y.used(counts, u), edge
}

// lifeKey names one counter of one life for good.
type lifeKey struct {
	key     crdt.Key
	life    [2]crdt.Stamp
	start   int64
	replica crdt.Replica
}

// counter is the most that a counter was seen to hold, and when its window is over.
type counter struct {
	count crdt.Count
	over  int64
}

// watchLives checks that no total of a live window ran backwards since any time before,
// and that none vanished.
func (w *world) watchLives(m *member) {
	if m.counters == nil {
		m.counters = map[lifeKey]counter{}
	}
	local := m.clock.read(w.now)
	lives := map[crdt.Key][2]crdt.Stamp{}
	starts := map[crdt.Key]int64{}
	seen := map[lifeKey]bool{}
	for _, h := range m.step.Inside().Held(local) {
		lives[h.Key], starts[h.Key] = h.Life, h.Starts[1]
		for _, c := range h.Cells {
			for i, count := range c.Count {
				k := lifeKey{h.Key, h.Life, h.Starts[i], c.Replica}
				seen[k] = true
				was := m.counters[k]
				if count.P < was.count.P || count.N < was.count.N {
					w.violate("n%d: a total of %x ran backwards, from %+v to %+v", m.number, c.Replica, was.count, count)
				}
				if count != (crdt.Count{}) {
					m.counters[k] = counter{count, h.Starts[i] + 2*(h.Starts[0]-h.Starts[1])}
				}
			}
		}
	}
	for k, c := range m.counters {
		if k.start < starts[k.key] || c.over <= local+int64(node.DefaultClockTolerance) {
			delete(m.counters, k)
			continue
		}
		life, held := lives[k.key]
		// A client that changed its life may have nothing in the new one, and is not listed.
		if !seen[k] && (held && life == k.life || !held && !w.oracle.altered) {
			w.violate("n%d: a total of %x vanished, and was %+v", m.number, k.replica, c.count)
			delete(m.counters, k)
		}
	}
}
