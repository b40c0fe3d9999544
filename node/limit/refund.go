package limit

import "github.com/distributed-rate-limiter/distributed-rate-limiter/crdt"

// Refund gives back at most units of what this replica charged, from the last charged on, and
// returns how many it gave. It gives no more than what still counts against the client at t,
// since drained units are free already, and no more than this replica's own net count of each
// window: a sum that was lowered further would be a hidden credit. s is rolled.
func (r *Rule) Refund(s States, t int64, units uint64) (given uint64) {
	units = min(units, r.Used(s, t))
	for st, w := range r.counting(s, t) {
		if given == units {
			break
		}
		given += st.GiveBack(&r.Frame, w.start, min(units-given, w.most))
	}
	return given
}

// Held is how many units each replica could give back at t in a refund, this one as self. It
// calls yield at most once for each, and never for those that could give nothing.
func (r *Rule) Held(s States, t int64, self crdt.Replica, yield func(crdt.Replica, uint64)) {
	held := map[crdt.Replica]uint64{}
	var order []crdt.Replica
	for st, w := range r.counting(s, t) {
		st.Rows(self, func(of crdt.Replica, row crdt.Row) {
			part := row.Cur
			if w.start != st.Start() {
				part = row.Prev
			}
			if n := min(part.Count.Net(), w.most); n > 0 {
				if held[of] == 0 {
					order = append(order, of)
				}
				held[of] += n
			}
		})
	}
	for _, of := range order {
		yield(of, held[of])
	}
}

// counted is a live window of a state: what is given back there counts for the client, as far
// as most units.
type counted struct {
	start int64
	most  uint64
}

// counting yields the windows that count against a client at t, from the newest on. A caller
// may give back in a window as soon as it got it. s is rolled.
func (r *Rule) counting(s States, t int64) func(yield func(*crdt.State, counted) bool) {
	return func(yield func(*crdt.State, counted) bool) {
		const all = crdt.MaxTotal
		first, start := s.First, s.First.Start()
		switch {
		case r.fixed != nil:
			yield(first, counted{start, all})
		case r.sliding != nil:
			_ = yield(first, counted{start, all}) && yield(first, counted{r.Frame.Before(start), all})
		case r.segmented != nil:
			r.countingParts(s, t, yield)
		default:
			// Units of the window before count as far as they outlast the current one's origin.
			_, tat := first.CarriedOver(&r.Frame, start)
			_ = yield(first, counted{start, all}) && yield(first, counted{r.Frame.Before(start), r.GCRA.UnitsOver(max(0, tat-first.Origins()[0]))})
		}
	}
}

// countingParts is counting for a window in parts: see parts.
func (r *Rule) countingParts(s States, t int64, yield func(*crdt.State, counted) bool) {
	now := r.Slot(t)
	for age := range r.Slots {
		slot := (now - age + r.Slots) % r.Slots
		st := s.At(slot)
		if start := st.Start(); slot <= now {
			if !yield(st, counted{start, crdt.MaxTotal}) {
				return
			}
		} else if !yield(st, counted{r.Frame.Before(start), crdt.MaxTotal}) {
			return
		}
	}
}
