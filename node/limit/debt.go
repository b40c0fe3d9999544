package limit

import (
	"github.com/distributed-rate-limiter/distributed-rate-limiter/crdt"
	"github.com/distributed-rate-limiter/distributed-rate-limiter/gcra"
)

// What is charged after the work is done may be beyond the limit: a debt, which drains
// before anything else passes. Without a cap, one wrong number would lock a client out for
// years.

// DebtCap is how many units beyond an empty bucket, or beyond the limit of a window, a
// client can owe by one node's view: the larger of one burst and one window's limit.
func (r *Rule) DebtCap() uint64 {
	return uint64(max(r.Policy.Burst, r.Policy.Limit)) //nolint:gosec // validated
}

// DeepestDebt is how far ahead of the clock one node's charges can push a TAT, in
// nanoseconds: the whole bucket and the debt cap. It is for GCRA.
func (r *Rule) DeepestDebt() int64 {
	return r.GCRA.Drain(uint64(r.Policy.Burst) + r.DebtCap()) //nolint:gosec // validated
}

// Charge counts cost at t, whether Admits would let it pass or not, and returns the part
// that it counted. The rest would put the client further into debt than DebtCap. Only the
// node that makes a charge caps it, by its own view: a cap in merges would forget units that
// were used. s is rolled, and cost is positive.
func (r *Rule) Charge(s States, t, cost int64) (charged int64) {
	st := r.Current(s, t)
	if r.Policy.Algorithm == GCRA && st.TAT(&r.Frame) < t {
		st.Raise(t - r.GCRA.Drain(st.Count())) // the state was drained: from t on it drains anew
	}
	before := st.Count()
	st.Admit(min(uint64(cost), r.room(s, st, t))) //nolint:gosec // positive
	return int64(st.Count() - before)             //nolint:gosec // at most cost
}

// room is how many units Charge may still count at t in st, the current state of s.
func (r *Rule) room(s States, st *crdt.State, t int64) uint64 {
	if r.Policy.Algorithm == GCRA {
		return r.Room(gcra.Level{Base: st.Base(), Count: st.Count()}, t)
	}
	most := uint64(r.Policy.Limit) + r.DebtCap() //nolint:gosec // validated
	return most - min(most, r.Used(s, t))
}

// Room is how many units a client at level l may still be charged at t under GCRA: the
// largest c with Base + D(Count+c) - t <= D(Burst+DebtCap).
func (r *Rule) Room(l gcra.Level, t int64) uint64 {
	if r.GCRA.TAT(l) < t {
		l = gcra.Level{Base: t}
	}
	most := r.GCRA.Units(t + r.DeepestDebt() - l.Base)
	return most - min(most, l.Count)
}
