package inside

import (
	"cmp"
	"slices"

	"github.com/distributed-rate-limiter/distributed-rate-limiter/crdt"
	"github.com/distributed-rate-limiter/distributed-rate-limiter/node/internal/table"
	"github.com/distributed-rate-limiter/distributed-rate-limiter/node/limit"
)

// heldBy is what an entry of the node self holds at an instant, by slot, if it is decided by rule.
// Whoever asks by name is not known here, so a client of an override is taken for one of the override
// of that number.
func heldBy(e *table.Entry, rule *limit.Rule, self crdt.Replica, at int64) []Held {
	var look table.Entry
	look.Imitate(e, e.Key(), rule, at)
	var out []Held
	f := &look.Rule().Frame
	for slot, st := range look.States().All {
		h := Held{
			Key: e.Key().Slot(slot), Limit: look.Rule().Limit, Life: look.Life(),
			Starts: [2]int64{st.Start(), f.Before(st.Start())}, Origin: st.Origins(), TAT: st.TAT(f),
		}
		if _, carried := st.CarriedOver(f, st.Start()); look.Rule().Policy.Algorithm == limit.GCRA && carried <= st.Start() {
			// What had drained by the end of its window matters to nobody, and nobody repairs it.
			h.Origin[1], h.TAT = 0, max(h.TAT, st.Start())
		}
		st.Rows(self, func(r crdt.Replica, row crdt.Row) {
			if row.Cur.Count != (crdt.Count{}) || row.Prev.Count != (crdt.Count{}) {
				h.Cells = append(h.Cells, Cell{Replica: r, Count: [2]crdt.Count{row.Cur.Count, row.Prev.Count}})
			}
		})
		if look.Rule().Policy.Algorithm != limit.GCRA {
			h.Units[0], h.Units[1] = look.Rule().Counted(st)
		}
		if len(h.Cells) == 0 && h.TAT <= at && h.Units == [2]uint64{} {
			continue // as good as forgotten
		}
		slices.SortFunc(h.Cells, func(a, b Cell) int { return cmp.Compare(a.Replica, b.Replica) })
		out = append(out, h)
	}
	return out
}
