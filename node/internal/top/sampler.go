package top

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
	if second := now >> secondBits; second != s.second {
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

// One reports, with a chance of one in n, that the decision given to Pick last is to be
// looked at. n is a power of two.
func (s *Sampler) One(n uint64) bool { return s.random>>32&(n-1) == 0 }
