package gcra

import (
	"math/bits"
	"time"
)

// Fixed allows Limit units in each calendar window, at any time within it. It is immutable
// and safe for concurrent use. Make one with NewFixed; the zero value is not usable.
type Fixed struct {
	limit   int64
	periods *Periods
}

// NewFixed returns the decider of p, a valid policy, on the windows of periods. It uses
// only p.Limit.
func NewFixed(p Policy, periods *Periods) *Fixed {
	return &Fixed{limit: p.Limit, periods: periods}
}

// Periods returns the windows in which f counts.
func (f *Fixed) Periods() *Periods { return f.periods }

// Admit decides cost units for a client that has used that much in the current window. On
// true the caller adds cost. Admit never admits a cost below 1 or above the limit.
func (f *Fixed) Admit(used uint64, cost int64) bool {
	return fits(f.limit, used, cost)
}

// Explain describes the standing at time t of a client that has used that much in the
// window that contains t: after the decision, if there was one. It copies allowed into the
// answer; cost is the requested cost. ResetAfter ends with the window.
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
