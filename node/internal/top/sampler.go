package top

import (
	"math"
	"math/bits"
)

// Sampler picks the decisions that are looked at more closely: every one while they are
// few, ever fewer of many, some twenty a second and a few for every doubling. Each comes
// with the number of decisions that it stands for. That number is fixed before the decision
// is picked, so sums over samples are unbiased. It also picks those whose time is measured, one of
// TimedEvery. It draws how many decisions it passes over, so that it costs those next to nothing. The
// zero value is ready. Not safe for concurrent use: a shard's lock guards its sampler.
type Sampler struct {
	second int64  // the second that seen counts, in units of 1<<secondBits ns
	seen   uint64 // decisions in it
	look   uint64 // below this number of decisions there is nothing to do; 0 at the start
	next   uint64 // the decision of this number is picked, unless shift grows before
	timed  uint64 // the decision of this number is timed
	shift  uint8  // one of 1<<shift is picked; grows within a second, (seen-1)>>shift < sparse
	random uint64 // state of the generator
}

const (
	secondBits = 30 // a second is 1<<secondBits ns, so that it costs a shift and no division
	// sparse is after how many decisions of a second the first halving comes, and how many
	// come between later ones. Raising it makes counts more exact and costs the lock of
	// Clients as much more often.
	sparse = 16
	// TimedEvery says how many decisions there are to one whose time is measured; a power of
	// two. Lowering it reads the clock twice for more decisions, which costs each of them a
	// fifth of a decision. Raising it needs more traffic until the histogram says something.
	TimedEvery = 64
)

// NewSampler makes a sampler with random numbers of its own.
func NewSampler(seed uint64) Sampler { return Sampler{random: seed} }

// Pick returns 0, or how many decisions this one stands for, and whether its time is to be measured.
// now is unix nanoseconds.
func (s *Sampler) Pick(now int64) (share uint64, timed bool) {
	if s.Passes(now) {
		return 0, false
	}
	return s.Look(now)
}

// Passes counts a decision, and reports whether it is neither picked nor timed. Otherwise Look tells. It
// is the part of Pick that the compiler inlines.
func (s *Sampler) Passes(now int64) bool {
	s.seen++
	return s.seen < s.look && now>>secondBits == s.second
}

// Look is Pick for a decision that Passes counted: it may be picked or timed, or be the first one of a
// second or of a shift. A gap that is drawn once is distributed as if each decision had its chance. It has
// no memory, so it may be drawn again when the chance changes.
func (s *Sampler) Look(now int64) (share uint64, timed bool) {
	if s.look == 0 { // somewhere within a gap, and rather within a long one
		s.timed = s.seen + min(s.wait(), s.wait())
	}
	if second := Second(now); s.look == 0 || second != s.second {
		s.timed -= s.seen - 1 // looked at by then, so it is not below
		s.second, s.seen, s.shift, s.next = second, 1, 0, 1
	}
	if (s.seen-1)>>s.shift >= sparse {
		s.shift++
		s.next = s.seen + s.gap()
	}
	if s.seen == s.next {
		share = 1 << s.shift
		s.next = s.seen + 1 + s.gap()
	}
	if timed = s.seen >= s.timed; timed {
		s.timed = s.seen + 1 + s.wait()
	}
	s.look = min(s.next, s.timed, sparse<<s.shift+1)
	return share, timed
}

// gap draws how many decisions in a row are not picked. Each of them has a chance of one in 1<<shift.
func (s *Sampler) gap() uint64 {
	if s.shift == 0 {
		return 0
	}
	u := float64(s.draw()+1) / (1 << 32) // above 0, at most 1
	return uint64(math.Log(u) / math.Log1p(-1/float64(uint64(1)<<s.shift)))
}

// wait draws how many decisions in a row are not timed: TimedEvery-1 on average.
func (s *Sampler) wait() uint64 { return s.draw() % (2*TimedEvery - 1) }

// draw is a random number of 32 bits.
func (s *Sampler) draw() uint64 {
	// Knuth's linear congruential generator (MMIX); its high bits are good enough.
	s.random = s.random*6364136223846793005 + 1442695040888963407
	return s.random >> 32
}

// Second is the second that now is in, as samplers count.
func Second(now int64) int64 { return now >> secondBits }

// Share is Pick for those who count without a Sampler: by how many decisions were seen in this
// second before, and by a number that no two decisions have in common. It also returns a
// random number that Timed may be asked of.
func Share(seen, n uint64) (share, random uint64) {
	n *= 0x9e3779b97f4a7c15 // spreads it, as Fibonacci hashing does (Knuth, TAOCP 3, 6.4)
	n = (n ^ n>>32) * 0x9e3779b97f4a7c15
	shift := bits.Len64(seen / sparse)
	if n>>(64-shift) != 0 {
		return 0, n
	}
	return 1 << shift, n
}

// Timed reports, with a chance of one in TimedEvery, that the time of a decision is to be measured. random
// is its random number.
func Timed(random uint64) bool { return random>>32&(TimedEvery-1) == 0 }
