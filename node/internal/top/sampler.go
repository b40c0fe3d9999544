package top

import "math/bits"

// Sampler picks the decisions that are looked at more closely: every one while they are
// few, ever fewer of many, some twenty a second and a few for every doubling. Each comes
// with the number of decisions that it stands for. That number is fixed before the decision
// is picked, so sums over samples are unbiased. The zero value is ready. Not safe for
// concurrent use: a shard's lock guards its sampler.
type Sampler struct {
	second int64  // the second that seen counts, in units of 1<<secondBits ns
	seen   uint64 // decisions in it
	shift  uint8  // one of 1<<shift is picked; grows within a second, seen>>shift <= sparse
	random uint64 // state of the generator
}

const (
	secondBits = 30 // a second is 1<<secondBits ns, so that it costs a shift and no division
	// sparse is after how many decisions of a second the first halving comes, and how many
	// come between later ones. Raising it makes counts more exact and costs the lock of
	// Clients as much more often.
	sparse = 16
)

// NewSampler makes a sampler with random numbers of its own.
func NewSampler(seed uint64) Sampler { return Sampler{random: seed} }

// Pick returns 0, or how many decisions this one stands for. now is unix nanoseconds.
func (s *Sampler) Pick(now int64) uint64 {
	if second := Second(now); second != s.second {
		s.second, s.seen, s.shift = second, 0, 0
	}
	if s.seen>>s.shift >= sparse {
		s.shift++
	}
	s.seen++
	// Knuth's linear congruential generator (MMIX); its high bits are good enough.
	s.random = s.random*6364136223846793005 + 1442695040888963407
	if s.random>>(64-s.shift) != 0 {
		return 0
	}
	return 1 << s.shift
}

// Second is the second that now is in, as samplers count.
func Second(now int64) int64 { return now >> secondBits }

// Share is Pick for those who count without a Sampler: by how many decisions were seen in this
// second before, and by a number that no two decisions have in common. It also returns a
// random number that One may be asked of.
func Share(seen, n uint64) (share, random uint64) {
	n *= 0x9e3779b97f4a7c15 // spreads it, as Fibonacci hashing does (Knuth, TAOCP 3, 6.4)
	n = (n ^ n>>32) * 0x9e3779b97f4a7c15
	shift := bits.Len64(seen / sparse)
	if n>>(64-shift) != 0 {
		return 0, n
	}
	return 1 << shift, n
}

// One reports, with a chance of one in n, that the decision given to Pick last is to be
// looked at. n is a power of two.
func (s *Sampler) One(n uint64) bool { return One(s.random, n) }

// One is Sampler.One for the random number of a decision.
func One(random, n uint64) bool { return random>>32&(n-1) == 0 }
