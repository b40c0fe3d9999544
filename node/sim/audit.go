package sim

import (
	"maps"
	"slices"
	"time"

	"github.com/distributed-rate-limiter/distributed-rate-limiter/crdt"
	"github.com/distributed-rate-limiter/distributed-rate-limiter/node"
)

// entryKey names what one incarnation counted under a limit in one replicated window:
// of all clients, and all parts of the window.
type entryKey struct {
	limit   string
	replica crdt.Replica
	start   int64
}

// audit compares, after the quiet, what each node holds of every incarnation's counters
// in the live windows with what that took and gave back: all of it if it lives, else as
// much as others had heard. It needs clocks that agree, or it would have to
// know in which of two windows each node counted, and one life of every client.
func (v *windows) audit() {
	w := v.o.w
	if v.o.sigma() != 0 || w.sc.Drift != 0 || !v.simple() {
		return
	}
	ledger := map[entryKey]crdt.Count{}
	for _, a := range v.order {
		for m, all := range a.taken {
			for _, e := range all {
				k := entryKey{a.of.limit, crdt.Replica(m.replica), a.ruler.frame(e.stamp)}
				c := ledger[k]
				c.P, c.N = c.P+uint64(e.cost), c.N+uint64(e.back) //nolint:gosec // not negative
				ledger[k] = c
			}
		}
	}
	for _, m := range w.living() {
		at := m.clock.read(w.now)
		held := map[entryKey]crdt.Count{}
		for _, h := range m.step.Held(at) {
			for _, cell := range h.Cells {
				for i, c := range cell.Count {
					k := entryKey{h.Limit, cell.Replica, h.Start}
					if i == 1 {
						k.start = v.ruler(h.Limit).frame(h.Start - 1)
					}
					sum := held[k]
					sum.P, sum.N = sum.P+c.P, sum.N+c.N
					held[k] = sum
				}
			}
		}
		v.compare(m, at, ledger, held)
	}
}

// simple reports whether every client has one life under every limit, and each limit
// one way to count.
func (v *windows) simple() bool {
	for _, f := range v.o.w.sc.Faults {
		if f.Kind == FaultLimit || f.Kind == FaultReset || f.Kind == FaultClock {
			return false
		}
	}
	for _, t := range v.tracks {
		for _, o := range t.policies[0].Overrides {
			if o.Window != 0 {
				return false
			}
		}
	}
	return true
}

// ruler is a limit's own.
func (v *windows) ruler(limit string) *ruler {
	r, err := newRuler(v.tracks[limit].policies[0])
	if err != nil {
		panic(err) // the scenario was validated
	}
	return r
}

// frame is the start of the replicated window that u lies in.
func (r *ruler) frame(u int64) int64 {
	if r.fixed != nil {
		return r.part(u)
	}
	return u - u%r.width
}

func (v *windows) compare(m *member, at int64, ledger, held map[entryKey]crdt.Count) {
	for _, limit := range slices.Sorted(maps.Keys(v.tracks)) {
		r := v.ruler(limit)
		cur := r.frame(at)
		for _, start := range []int64{cur, r.frame(cur - 1)} {
			for _, of := range v.o.w.members {
				k := entryKey{limit, crdt.Replica(of.replica), start}
				want, got := ledger[k], held[k]
				if limit != node.DefaultLimit && r.gcra != nil {
					want.N = min(want.N, got.N) // what had drained by then nobody said
				}
				silent := of.diedAt != 0 // even its bye may have been lost
				if got != want && !silent || got.P > want.P || got.N > want.N || got.N > got.P {
					v.o.w.violate("n%d holds %+v of n%d under %s for the window at %v, which took and gave back %+v",
						m.number, got, of.number, limit, time.Unix(0, start).UTC(), want)
				}
				v.o.w.result.Audited++
			}
		}
	}
}
