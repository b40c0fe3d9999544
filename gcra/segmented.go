package gcra

import "time"

// Segmented counts the use in the last Window by n + 1 sub-windows, each in full: the
// current one and the n before it. Together they cover the last Window, wherever in the
// current one it ends. So no trailing Window ever holds more than Limit. Segmented may deny
// a request for use up to one sub-window older than Window. It is immutable and safe for
// concurrent use. Make one with NewSegmented; the zero value is not usable.
//
// In its methods, counts is the client's use by sub-window, newest first. The methods
// ignore counts beyond n + 1.
type Segmented struct {
	limit int64
	n     int
	sub   int64 // ceil(Window/n) nanoseconds
}

// NewSegmented returns the decider of p, a valid policy, on n sub-windows, n >= 1. It uses
// only p.Limit and p.Window.
func NewSegmented(p Policy, n int) *Segmented {
	return &Segmented{limit: p.Limit, n: n, sub: (int64(p.Window) + int64(n) - 1) / int64(n)}
}

// Sub is the length of a sub-window: ceil(Window/n) nanoseconds.
func (s *Segmented) Sub() int64 { return s.sub }

// Start is the start of the sub-window that contains t: a multiple of Sub.
func (s *Segmented) Start(t int64) int64 { return floor(t, s.sub) }

// Admit decides cost units. On true the caller adds cost to counts[0]. Admit never admits a
// cost below 1 or above the limit.
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

// Explain describes the client's standing at time t, after the decision if there was one.
// start is the start of the newest sub-window; t lies in it, or a little before. Explain
// copies allowed into the answer; cost is the requested cost.
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
