package sync

import (
	"cmp"
	"math"
	"slices"
)

// Offsets is between which bounds one clock's difference to ours lay, over time: a list of
// stretches, each with the least and the largest difference in it. The zero value holds
// nothing. Not safe for concurrent use.
type Offsets struct {
	past []offsetStretch // by time, oldest first; the last one is still being extended
}

// offsetStretch says that the difference lay in [lo, hi] from from until until, by our clock.
type offsetStretch struct{ from, until, lo, hi int64 }

const (
	// offsetStretchLasts is how long one stretch is extended. Raising it takes drift within a
	// stretch for an error of measurement. Lowering it reaches maxOffsetStretches sooner.
	offsetStretchLasts = int64(30e9)
	// maxOffsetStretches is how many stretches are kept. Above it the two oldest become one,
	// which ends when the later ends: that counts an old difference for too long, never for
	// too short. Raising it takes memory for each peer.
	maxOffsetStretches = 64
)

// Note takes that the difference lies in [lo, hi] at now. It is a better measurement of the
// same difference as before, unless anew says that the difference is another one. Calls are
// in the order of now.
func (o *Offsets) Note(now, lo, hi int64, anew bool) {
	if n := len(o.past); n > 0 && !anew && now-o.past[n-1].from < offsetStretchLasts {
		last := &o.past[n-1]
		last.until, last.lo, last.hi = now, lo, hi
		return
	}
	o.past = append(o.past, offsetStretch{now, now, lo, hi})
	o.trim()
}

// trim makes one of the two oldest while there are too many.
func (o *Offsets) trim() {
	for len(o.past) > maxOffsetStretches {
		first, second := o.past[0], o.past[1]
		o.past[1] = offsetStretch{first.from, second.until, min(first.lo, second.lo), max(first.hi, second.hi)}
		o.past = slices.Delete(o.past, 0, 1)
	}
}

// absorb takes over what another list says.
func (o *Offsets) absorb(other *Offsets) {
	o.past = append(o.past, other.past...)
	slices.SortStableFunc(o.past, func(a, b offsetStretch) int { return cmp.Compare(a.until, b.until) })
	o.trim()
}

// Clone is a copy that shares nothing.
func (o *Offsets) Clone() Offsets { return Offsets{slices.Clone(o.past)} }

// Within is the least and the largest difference since an instant; some is false if none was
// noted since. A difference counts as long as the stretch that it lies in.
func (o *Offsets) Within(since int64) (lo, hi int64, some bool) {
	lo, hi = math.MaxInt64, math.MinInt64
	for i := len(o.past) - 1; i >= 0 && o.past[i].until >= since; i-- {
		lo, hi, some = min(lo, o.past[i].lo), max(hi, o.past[i].hi), true
	}
	return lo, hi, some
}
