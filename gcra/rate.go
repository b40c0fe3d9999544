package gcra

import (
	"math"
	"math/bits"
)

// Forever is the largest time that this package computes with, in nanoseconds. Larger
// results become Forever, so that a sum of two of them cannot overflow.
const Forever = math.MaxInt64 / 2

// rate converts between units of cost and nanoseconds, exactly, on 128 bits.
type rate struct {
	limit, window uint64 // window in nanoseconds, both > 0
	// emission is window/limit if that is whole, 0 otherwise. It saves nearly all decisions
	// their divisions, since limits are mostly round.
	emission uint64
}

func newRate(limit, window uint64) rate {
	r := rate{limit: limit, window: window}
	if window%limit == 0 {
		r.emission = window / limit
	}
	return r
}

// drain is D(c) = ceil(c·window/limit), saturating at Forever.
func (r rate) drain(c uint64) int64 {
	if r.emission > 0 {
		if hi, lo := bits.Mul64(c, r.emission); hi == 0 && lo < Forever {
			return int64(lo)
		}
		return Forever
	}
	hi, lo := bits.Mul64(c, r.window)
	if hi >= r.limit {
		return Forever
	}
	q, rem := bits.Div64(hi, lo, r.limit)
	if q >= Forever {
		return Forever
	}
	if rem > 0 {
		q++
	}
	return int64(q)
}

// units is floor(d·limit/window): how many units drain in d nanoseconds. It is
// drain's adjoint: drain(c) <= d if and only if c <= units(d). Saturates at
// math.MaxInt64; a negative d holds no units.
func (r rate) units(d int64) uint64 {
	if d <= 0 {
		return 0
	}
	hi, lo := bits.Mul64(uint64(d), r.limit)
	if hi >= r.window {
		return math.MaxInt64
	}
	q, _ := bits.Div64(hi, lo, r.window)
	return min(q, math.MaxInt64)
}
