package sim

import (
	"slices"
	"time"

	"github.com/distributed-rate-limiter/distributed-rate-limiter/crdt"
	"github.com/distributed-rate-limiter/distributed-rate-limiter/gcra"
	"github.com/distributed-rate-limiter/distributed-rate-limiter/node"
)

// longestReservation is how long a reservation stays open at most. Longer ones drain in
// many policies, and then give nothing back.
const longestReservation = 20 * time.Second

// settleLater settles a reservation after a while: for up to what was reserved, or if only
// one limit was charged, sometimes for more.
func (w *world) settleLater(m *member, s *Stream, client string, hold *node.Reservation, of []*charge) {
	w.after(time.Duration(w.random.Int64N(int64(min(longestReservation, w.sc.Duration)))), func() {
		if !m.alive || !w.loading {
			return
		}
		most := hold.Cost
		if len(of) == 1 {
			most += hold.Cost / 2
		}
		w.settle(m, s.limits(), client, hold, of, w.random.Int64N(most+1))
	})
}

// settle settles a reservation, and then tries to settle it again.
func (w *world) settle(m *member, limits []string, client string, hold *node.Reservation, of []*charge, actual int64) {
	back := hold.Commit(actual)
	w.note("settle", int64(m.number), back)
	if again := hold.Cancel(); again != 0 {
		w.violate("n%d gave %d back to %s in settling a second time", m.number, again, client)
	}
	w.result.Reserved += uint64(hold.Cost)    //nolint:gosec // positive
	w.result.Returned += uint64(max(back, 0)) //nolint:gosec // not negative
	w.oracle.settled(m, limits, client, of, hold.Cost-actual, back)
	if m.step.TakeUrgent() && !w.sc.FixedFlush {
		m.urge()
	}
}

// settled takes off the accounts what was given back: under the first limit what the node
// says, under the others, of which it says nothing, all that was not used. The account
// believes the node no more than what has not drained in true time. Whatever a node gives
// back beyond that is minted, and shows as over-admission.
func (o *oracle) settled(m *member, limits []string, client string, of []*charge, unused, back int64) {
	for i, limit := range limits {
		c, a := of[i], o.account(limit, client)
		if c == nil || a == nil {
			continue
		}
		given := max(0, unused)
		if y := a.yard; i > 0 && y.gcra == nil && y.part(c.stamp) < y.oldest(m.clock.read(o.w.now)) {
			given = 0 // nothing of it counts any more, though its replicated window may still be held
		}
		if i == 0 {
			if back > max(0, unused) || -back > max(0, -unused) {
				o.w.violate("n%d gave %d back to %s, of which %d were unused", m.number, back, client, unused)
			}
			if back < 0 {
				a.debts[m] -= back
				o.charge(a, m, -back)
				continue
			}
			given = back
		}
		if given > 0 {
			o.giveBack(a, c, given)
		}
	}
}

func (o *oracle) giveBack(a *account, c *charge, back int64) {
	c.back, c.backAt = c.back+back, o.w.now
	o.ledger.add(a, c, crdt.Count{N: uint64(back)}) //nolint:gosec // positive
	if !a.counts(c) {
		return
	}
	a.refunds = append(a.refunds, c)
	g := a.yard.gcra
	if g == nil {
		return
	}
	left := a.above(c, o.w.now)
	c.off = min(uint64(back), left, a.level.Count) //nolint:gosec // positive
	o.credit(a, c.by, c.off)
	if c.blind {
		c.minted = max(0, back-int64(left)) //nolint:gosec // at most the burst
	}
}

// credit takes units off the level that a node gave back. A node that has not heard of it when the
// window in which they were given back may be folded counts them as taken for good, and its origin
// says so to all.
func (o *oracle) credit(a *account, m *member, units uint64) {
	t, life := o.w.now, a.life
	a.backAt = t
	a.level.Count -= units
	a.heavy.Count -= min(a.heavy.Count, units)
	fold := t - (t+o.clocks.max)%a.yard.width + a.yard.width
	o.w.at(fold, func() {
		unheard := func(k *member) bool { return k != m && o.knows.known(a, k, m) < t }
		if life != a.life || a.yard.gcra == nil || o.w.sc.SaveCounts == 0 && !slices.ContainsFunc(o.w.living(), unheard) {
			return // where files are, one from before may be read later
		}
		if a.yard.gcra.TAT(a.heavy) < o.w.now {
			a.heavy = gcra.Level{Base: o.w.now}
		}
		a.heavy.Count += units
	})
}

// above is how many units of GCRA count at t from the bottom of the bucket to the top of a charge,
// rounded up: the node rounds down, but its clock may be on the other side of a whole unit. What was
// given back of earlier charges, since, lay below this one.
func (a *account) above(c *charge, t int64) uint64 {
	left := a.yard.gcra.UnitsOver(max(0, c.tat-t))
	for _, r := range a.refunds {
		if r != c && r.at < c.at && r.backAt >= c.at && (c.topped == 0 || r.backAt > c.topped) {
			left -= min(left, r.off)
		}
	}
	return left
}
