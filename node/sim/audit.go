package sim

import (
	"maps"
	"slices"
	"time"

	"github.com/distributed-rate-limiter/distributed-rate-limiter/crdt"
	"github.com/distributed-rate-limiter/distributed-rate-limiter/node"
	"github.com/distributed-rate-limiter/distributed-rate-limiter/node/internal/inside"
)

// entryKey names what one incarnation counted under a limit in one replicated window, of
// all clients and in all parts of the window.
type entryKey struct {
	limit   string
	replica crdt.Replica
	start   int64
}

// auditable reports whether the audit can compare counters to the unit. Every client must have
// one life under every limit, each limit must keep its algorithm and window, and nodes must
// merge all rows. Clocks must agree, or the audit would have to know in which of two windows
// each node counted.
func (sc *Scenario) auditable() bool {
	for _, f := range sc.Faults {
		if f.Kind == FaultLimit || f.Kind == FaultReset || f.Kind == FaultClock {
			return false
		}
	}
	for p := range sc.policies() {
		if p.OnIsolation == node.IsolationOpen {
			return false // what passes without being counted
		}
		for _, o := range p.Overrides {
			if o.Window != 0 {
				return false
			}
		}
	}
	return sc.Skew == 0 && sc.Drift == 0 && sc.apartBy() == 0 && sc.MaxClients == 0
}

// ledger holds what each incarnation charged and gave back in each replicated window, to be
// compared with what nodes hold of it: see audit. It is empty if the scenario is not auditable.
type ledger struct {
	w      *world
	tracks map[string]*track // the oracle's
	totals map[entryKey]crdt.Count
	early  map[entryKey]crdt.Count // of those that had not joined, whatever the window
}

func newLedger(w *world, tracks map[string]*track) *ledger {
	l := &ledger{w: w, tracks: tracks}
	if w.sc.auditable() {
		l.totals, l.early = map[entryKey]crdt.Count{}, map[entryKey]crdt.Count{}
	}
	return l
}

// add adds to what c's node charged and gave back in the window of c.
func (l *ledger) add(a *account, c *charge, of crdt.Count) {
	if l.totals == nil {
		return
	}
	k, totals := entryKey{a.of.limit, crdt.Replica(c.by.replica), a.yard.frame(c.stamp)}, l.totals
	if c.early {
		k.start, totals = 0, l.early
	}
	sum := totals[k]
	totals[k] = crdt.Count{P: sum.P + of.P, N: sum.N + of.N}
}

// gave adds what a node gave back in one part of a window without a reservation.
func (l *ledger) gave(a *account, m *member, p inside.OwnPart) {
	if l.totals != nil {
		k := entryKey{a.of.limit, crdt.Replica(m.replica), p.Window}
		sum := l.totals[k]
		l.totals[k] = crdt.Count{P: sum.P, N: sum.N + p.Count.N}
	}
}

// gaveEarly is gave for a node that had not joined.
func (l *ledger) gaveEarly(a *account, m *member, units int64) {
	if l.totals != nil {
		k := entryKey{a.of.limit, crdt.Replica(m.replica), 0}
		sum := l.early[k]
		l.early[k] = crdt.Count{P: sum.P, N: sum.N + uint64(units)} //nolint:gosec // positive
	}
}

// audit compares, after the quiet, what each node holds of every incarnation's counters
// in the live windows with what that charged and gave back: all of it if it lives, else
// as much as others had heard. Of what a node charged before it had joined, it counts what
// has not drained, in the window in which it joins.
func (l *ledger) audit() {
	if l.totals == nil {
		return
	}
	for _, m := range l.w.living() {
		at := m.clock.read(l.w.now)
		held := map[entryKey]crdt.Count{}
		for _, h := range m.step.Inside().Held(at) {
			for _, cell := range h.Cells {
				for i, c := range cell.Count {
					k := entryKey{h.Limit, cell.Replica, h.Starts[i]}
					sum := held[k]
					held[k] = crdt.Count{P: sum.P + c.P, N: sum.N + c.N}
				}
			}
		}
		l.compare(m, at, held)
	}
}

func (l *ledger) compare(m *member, at int64, held map[entryKey]crdt.Count) {
	for _, limit := range slices.Sorted(maps.Keys(l.tracks)) {
		y := l.tracks[limit].yardstick()
		cur := y.frame(at)
		for _, start := range []int64{cur, y.frame(cur - 1)} {
			for _, of := range l.w.members {
				k := entryKey{limit, crdt.Replica(of.replica), start}
				want, got := l.totals[k], held[k]
				if limit != node.DefaultLimit && y.gcra != nil {
					want.N = min(want.N, got.N) // what had drained by then nobody said
				}
				if y.frame(of.joinedAt) == start {
					early := l.early[entryKey{limit, k.replica, 0}]
					want.P, want.N = max(want.P, min(got.P, want.P+early.P)), max(want.N, min(got.N, want.N+early.N))
				}
				silent := of.diedAt != 0 // even its bye may have been lost
				if got != want && !silent || got.P > want.P || got.N > want.N || got.N > got.P {
					l.w.violate("n%d holds %+v of n%d under %s for the window at %v, which took and gave back %+v",
						m.number, got, of.number, limit, time.Unix(0, start).UTC(), want)
				}
				l.w.result.Audited++
			}
		}
	}
}
