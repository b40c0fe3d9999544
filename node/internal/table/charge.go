package table

import (
	"github.com/distributed-rate-limiter/distributed-rate-limiter/crdt"
	"github.com/distributed-rate-limiter/distributed-rate-limiter/gcra"
	"github.com/distributed-rate-limiter/distributed-rate-limiter/node/limit"
)

// Charge is what a decision charged one client, as far as settling it later needs to know.
// The zero Charge charged nothing.
type Charge struct {
	Cost int64 // units
	At   int64 // when

	key   crdt.Key
	stamp crdt.Stamp // the life that was charged
	slot  int        // which of the client's states
	start int64      // the window that was charged
	// tat is the TAT that the decision left behind. By a TAT that others have raised since,
	// drained cost could be given back.
	tat int64
}

// Charged is the charge of cost units at now, right after they were counted.
func (e *Entry) Charged(now, cost int64) Charge {
	st := e.rule.Current(e.States(), now)
	return Charge{
		Cost: cost, At: now,
		key: e.key, stamp: e.Stamp(), slot: e.rule.Slot(now), start: st.Start(), tat: st.TAT(&e.rule.Frame),
	}
}

// Settle corrects a charge to the units that were really used. It gives back what has not
// drained, or charges the rest even beyond the limit, and returns what it gave back; negative
// is what it charged on top. A charge of an earlier life of the client changes nothing. send
// says that there are peers to hear of it.
func (t *Table) Settle(c *Charge, actual, now int64, send bool) (back int64) {
	s := t.Shard(c.key)
	s.Lock()
	defer s.Unlock()
	e := s.Find(c.key)
	if e == nil || e.Stamp() != c.stamp {
		return 0
	}
	r := e.rule
	r.Roll(e.States(), now)
	switch {
	case actual < c.Cost:
		left := uint64(c.Cost - actual) //nolint:gosec // positive
		if r.Policy.Algorithm == limit.GCRA {
			left = min(left, r.GCRA.Units(c.tat-now))
		}
		back = int64(e.States().At(c.slot).GiveBack(&r.Frame, c.start, left)) //nolint:gosec // at most Cost
	case actual > c.Cost:
		more := min(actual-c.Cost, gcra.MaxUnits)
		r.Charge(e.States(), now, more)
		back = -more
	}
	if back != 0 && send && !r.Silent {
		s.Note(e, r.Current(e.States(), now), now)
	}
	return back
}
