package gcra

import "time"

// Segmented counts what was used in the last Window by n sub-windows, each in full:
// the current one and the n before it, which together cover the last Window wherever
// in the current one it ends. So no trailing Window ever holds more than Limit, and a
// request may be denied for what was used up to one sub-window longer ago than that.
// It is immutable and safe for concurrent use. Make one with NewSegmented; the zero
// value is not usable.
//
// In its methods counts is what the client used by sub-window, newest first. What is
// beyond n+1 of them is not looked at.
type Segmented struct {
	limit int64
	n     int
	sub   int64 // ceil(Window/n) nanoseconds
}

// NewSegmented returns the decider of p, a valid policy, on n sub-windows, from 1 on.
// Of p only Limit and Window count.
func NewSegmented(p Policy, n int) *Segmented {
	return &Segmented{limit: p.Limit, n: n, sub: (int64(p.Window) + int64(n) - 1) / int64(n)}
}

// Sub is how long a sub-window is: ceil(Window/n) nanoseconds.
func (s *Segmented) Sub() int64 { return s.sub }

// Start is where the sub-window that contains t starts: a multiple of Sub.
func (s *Segmented) Start(t int64) int64 { return floor(t, s.sub) }

// Admit decides cost units. On true the caller adds cost to counts[0]. A cost below 1
// or above the limit is never admitted.
func (s *Segmented) Admit(counts []uint64, cost int64) bool {
	return fits(s.limit, s.Used(counts), cost)
}

// Used is the sum of the n+1 newest counts, saturating.
func (s *Segmented) Used(counts []uint64) uint64 {
	var used uint64
	for _, c := range s.live(counts) {
		used = plus(used, c)
	}
	return used
}

func (s *Segmented) live(counts []uint64) []uint64 {
	return counts[:min(len(counts), s.n+1)]
}

// Explain describes the client's standing at time t, after the decision, if there was
// one. start is where the newest sub-window starts; t lies in it, or a little before.
// allowed is passed through; cost is what was asked for.
func (s *Segmented) Explain(counts []uint64, start, t, cost int64, allowed bool) Decision {
	d := Decision{Allowed: allowed, Remaining: left(s.limit, s.Used(counts))}
	d.ResetAfter = s.wait(counts, start, t, 0)
	if !allowed {
		d.RetryAfter = s.retryAfter(counts, start, t, cost)
	}
	return d
}

func (s *Segmented) retryAfter(counts []uint64, start, t, cost int64) time.Duration {
	if cost > s.limit {
		return MaxDuration
	}
	if cost < 1 {
		return 0
	}
	return s.wait(counts, start, t, uint64(s.limit-cost))
}

// wait is the time until at most room is counted if nothing else arrives. The oldest
// goes first: the i-th newest sub-window, which starts at start - i·sub, is counted
// until it is n+1 sub-windows old. So it is the newest one with which the sum from the
// newest on exceeds room that has to go.
func (s *Segmented) wait(counts []uint64, start, t int64, room uint64) time.Duration {
	var used uint64
	for i, c := range s.live(counts) {
		used = plus(used, c)
		if used > room {
			return until(start+int64(s.n+1-i)*s.sub, t)
		}
	}
	return 0
}
