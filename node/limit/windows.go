package limit

import (
	"cmp"
	"slices"
	"time"

	"github.com/distributed-rate-limiter/distributed-rate-limiter/crdt"
)

// CountedWindow is what the nodes counted in one window.
type CountedWindow struct {
	Start, End time.Time
	// Before is how many of its units the client used before the limit changed. GCRA keeps
	// those units, and what earlier windows left, as time: see Explanation.FullAt.
	Before uint64
	Shares []CountedShare
}

// CountedShare is the part of one incarnation in a window.
type CountedShare struct {
	Replica   uint64
	Node      string // "" if nobody knows the name any more
	Admitted  uint64 // units
	GivenBack uint64 // units
}

// CountedWindows lists what the states hold, newest first; parts of a window as windows. names
// are those of the incarnations' nodes.
func CountedWindows(r *Rule, s States, self crdt.Replica, names map[crdt.Replica]string) []CountedWindow {
	var out []CountedWindow
	add := func(slot int, st *crdt.State, prev bool) {
		start := st.Start()
		if prev {
			start = r.Frame.Before(start)
		}
		from, to := r.Span(start, slot)
		w := CountedWindow{Start: time.Unix(0, from), End: time.Unix(0, to)}
		all, net := uint64(0), st.Count()
		if cur, before := r.Counted(st); r.Policy.Algorithm != GCRA {
			if all = cur; prev {
				all, net = before, st.CountPrevious()
			}
			w.Before = all - net
		}
		st.Rows(self, func(of crdt.Replica, row crdt.Row) {
			c := row.Cur.Count
			if prev {
				c = row.Prev.Count
			}
			if c != (crdt.Count{}) {
				w.Shares = append(w.Shares, CountedShare{Replica: uint64(of), Node: names[of], Admitted: c.P, GivenBack: c.N})
			}
		})
		if len(w.Shares) > 0 || w.Before > 0 {
			slices.SortFunc(w.Shares, func(a, b CountedShare) int {
				return cmp.Or(cmp.Compare(b.Admitted, a.Admitted), cmp.Compare(a.Replica, b.Replica))
			})
			out = append(out, w)
		}
	}
	for slot, st := range s.All {
		add(slot, st, false)
		add(slot, st, true)
	}
	slices.SortFunc(out, func(a, b CountedWindow) int { return b.Start.Compare(a.Start) })
	return out
}
