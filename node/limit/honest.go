package limit

import "math"

// MostNet is the most units that one node can have admitted to a client in a window of the
// rule, elapsed nanoseconds after the window's start, less what it gave back: what a client
// can take at once and be charged on top, and what drained meanwhile. It is MaxUint64 if
// nothing bounds it: a shadow limit denies nothing, nor does one that is open in isolation.
func (r *Rule) MostNet(elapsed int64) uint64 {
	p := &r.Policy
	if p.Shadow || p.OnIsolation == IsolationOpen {
		return math.MaxUint64
	}
	if p.Algorithm != GCRA {
		// An estimate over two windows lets almost two limits pass: see MostAlone.
		return 2*uint64(p.Limit) + r.DebtCap() //nolint:gosec // validated
	}
	// One more, since what drains is rounded down.
	return uint64(p.Burst) + r.DebtCap() + r.GCRA.Units(max(0, elapsed)) + 1 //nolint:gosec // validated
}
