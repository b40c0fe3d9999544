package gcra

import (
	"math/bits"
	"time"
)

// Sliding estimates the use in the last Window from two counting windows of that width. It
// counts the current one in full. Of the previous one it counts the share that the last
// Window still covers, as if its use had been even. It denies if the estimate is above
// Limit. It is immutable and safe for concurrent use. Make one with NewSliding; the zero
// value is not usable.
//
// In its methods, cur and prev are the client's use in the two windows, start is the start
// of the current one, and t lies in it. A t before start counts as start, and a t beyond
// the end as the end. So a clock that is a little off gains nobody anything.
type Sliding struct {
	limit  int64
	window uint64 // nanoseconds
}

// NewSliding returns the decider of p, a valid policy. It uses only p.Limit and p.Window.
func NewSliding(p Policy) *Sliding {
	return &Sliding{limit: p.Limit, window: uint64(p.Window)} //nolint:gosec // a valid window is positive
}

// Admit decides cost units. On true the caller adds cost to cur. Admit never admits a cost
// below 1 or above the limit.
func (s *Sliding) Admit(cur, prev uint64, start, t, cost int64) bool {
	return fits(s.limit, s.Used(cur, prev, start, t), cost)
}

// Used is the estimate, rounded up to whole units. It saturates. Rounding decides nothing:
// cur, cost and the limit are whole, so the estimate and its ceiling pass the same costs.
func (s *Sliding) Used(cur, prev uint64, start, t int64) uint64 {
	// ceil(prev·covered/window) <= prev, since covered <= window.
	hi, lo := bits.Mul64(prev, s.window-s.elapsed(start, t))
	q, rem := bits.Div64(hi, lo, s.window)
	if rem > 0 {
		q++
	}
	return plus(cur, q)
}

// elapsed is t - start, from 0 to the window.
func (s *Sliding) elapsed(start, t int64) uint64 {
	return min(uint64(max(0, t-start)), s.window) //nolint:gosec // not negative
}

// Explain describes the client's standing at time t, after the decision if there was one.
// It copies allowed into the answer; cost is the requested cost.
func (s *Sliding) Explain(cur, prev uint64, start, t, cost int64, allowed bool) Decision {
	used := s.Used(cur, prev, start, t)
	d := Decision{Allowed: allowed, Remaining: left(s.limit, used)}
	if used > 0 {
		d.ResetAfter = until(s.falls(cur, prev, start, 0), t)
	}
	if !allowed {
		d.RetryAfter = s.retryAfter(cur, prev, start, t, cost)
	}
	return d
}

func (s *Sliding) retryAfter(cur, prev uint64, start, t, cost int64) time.Duration {
	if cost > s.limit {
		return MaxDuration
	}
	if cost < 1 || s.Admit(cur, prev, start, t, cost) {
		return 0
	}
	return until(s.falls(cur, prev, start, uint64(s.limit-cost)), t)
}

// falls is the first instant from start on at which the estimate is at most room if
// nothing else arrives. The estimate never rises meanwhile: at the end of the window
// prev has no share any more, and cur becomes the previous window in full.
func (s *Sliding) falls(cur, prev uint64, start int64, room uint64) int64 {
	if cur <= room {
		return start + s.fades(prev, room-cur)
	}
	return start + int64(s.window) + s.fades(cur, room) //nolint:gosec // at most MaxWindow
}

// fades is the least elapsed time of a window at which count, used in the window
// before, has a share of at most room: count·(window-elapsed) <= room·window.
func (s *Sliding) fades(count, room uint64) int64 {
	if count <= room {
		return 0
	}
	hi, lo := bits.Mul64(room, s.window)
	covered, _ := bits.Div64(hi, lo, count) // < window, since room < count
	return int64(s.window - covered)        //nolint:gosec // at most MaxWindow
}

// until is at - t, at least 0.
func until(at, t int64) time.Duration { return time.Duration(max(0, at-t)) }
