package sim

import (
	"time"

	"github.com/distributed-rate-limiter/distributed-rate-limiter/node"
)

// settleWindows settles a reservation after a while, and tries to settle it again: for
// less than it took, for nothing, or if one limit is all that it was charged to, for
// more.
func (w *world) settleWindows(m *member, s *Stream, hold *node.Reservation, of []*taken) {
	const longest = 20 * time.Second
	w.after(time.Duration(w.random.Int64N(int64(min(longest, w.sc.Duration)))), func() {
		if !m.alive || !w.loading {
			return
		}
		cost := hold.Cost
		most := cost
		if len(of) == 1 {
			most += cost / 2
		}
		actual := w.random.Int64N(most + 1)
		back := hold.Commit(actual)
		w.note("settle", int64(m.number), back)
		if again := hold.Cancel(); again != 0 {
			w.violate("n%d gave %d back to %s in settling a second time", m.number, again, s.Client)
		}
		w.result.Reserved += uint64(cost)         //nolint:gosec // positive
		w.result.Returned += uint64(max(back, 0)) //nolint:gosec // not negative
		w.oracle.windows.settled(m, s, of, cost-actual, back)
		if m.step.TakeUrgent() && !w.sc.FixedFlush {
			m.urge()
		}
	})
}

// settled takes off the accounts what was given back: of the first limit what the node
// says, if it can be, of the others, of which it says nothing, all that was not used.
func (v *windows) settled(m *member, s *Stream, of []*taken, unused, back int64) {
	for i, limit := range s.limits() {
		e, a := of[i], v.tally(limit, s.Client)
		if e == nil || a == nil {
			continue
		}
		if i > 0 {
			e.back = max(0, unused)
		} else {
			if back > max(0, unused) || -back > max(0, -unused) {
				v.o.w.violate("n%d gave %d back to %s, of which %d were unused", m.number, back, s.Client, unused)
			}
			if back < 0 {
				a.debts[m] -= back
				v.take(a, m, -back)
				continue
			}
			e.back = back
		}
		e.backAt = v.o.w.now
		if g := a.ruler.gcra; g != nil && e.phase == a.phase && !e.void {
			left := g.UnitsOver(max(0, e.tat-v.o.w.now))
			a.level.Count -= min(uint64(e.back), left, a.level.Count) //nolint:gosec // not negative
			if e.blind {
				e.minted = max(0, e.back-int64(left)) //nolint:gosec // at most the burst
			}
		}
	}
}
