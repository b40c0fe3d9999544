package gcra

import (
	"math/bits"
	"time"
)

// Fixed allows Limit units in each calendar window, whenever in it they come. It is
// immutable and safe for concurrent use. Make one with NewFixed; the zero value is
// not usable.
type Fixed struct {
	limit   int64
	periods *Periods
}

// NewFixed returns the decider of p, a valid policy, on the windows of periods. Of p
// only Limit counts.
func NewFixed(p Policy, periods *Periods) *Fixed {
	return &Fixed{limit: p.Limit, periods: periods}
}

// Periods returns the windows that f counts in.
func (f *Fixed) Periods() *Periods { return f.periods }

// Admit decides cost units for a client that has used that much in the current
// window. On true the caller adds cost. A cost below 1 or above the limit is never
// admitted.
func (f *Fixed) Admit(used uint64, cost int64) bool {
	return fits(f.limit, used, cost)
}

// Explain describes the standing at time t of a client that has used that much in the
// window that contains t: after the decision, if there was one. allowed is passed
// through; cost is what was asked for. The client is reset at the window's end.
func (f *Fixed) Explain(used uint64, t, cost int64, allowed bool) Decision {
	d := Decision{Allowed: allowed, Remaining: left(f.limit, used)}
	if used > 0 {
		d.ResetAfter = until(f.periods.End(t), t)
	}
	if !allowed {
		d.RetryAfter = f.retryAfter(used, t, cost)
	}
	return d
}

func (f *Fixed) retryAfter(used uint64, t, cost int64) time.Duration {
	if cost > f.limit {
		return MaxDuration
	}
	if cost < 1 || f.Admit(used, cost) {
		return 0
	}
	return until(f.periods.End(t), t)
}

// fits is whether cost is possible at all and used + cost <= limit.
func fits(limit int64, used uint64, cost int64) bool {
	// The difference is not negative, and the sum could overflow.
	return cost >= 1 && cost <= limit && used <= uint64(limit-cost)
}

// left is limit - used, at least 0.
func left(limit int64, used uint64) int64 {
	if used >= uint64(limit) { //nolint:gosec // a valid limit is positive
		return 0
	}
	return limit - int64(used)
}

// plus is a + b, saturating.
func plus(a, b uint64) uint64 {
	sum, carry := bits.Add64(a, b, 0)
	return sum | -carry
}
