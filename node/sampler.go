package node

// sampler picks decisions to be looked at more closely: every one of a quiet shard,
// ever fewer of a busy one, some twenty and a few for every doubling in a second.
// Each comes with the number of decisions that it stands for, which was settled
// before it was made, so sums over samples are unbiased. The zero sampler is ready.
type sampler struct {
	second int64
	seen   uint64 // this second
	shift  uint8  // one of 1<<shift is picked
	random uint64
}

const (
	samplerSlice  = 30 // a second is 1<<samplerSlice ns
	samplerSparse = 16 // decisions before the first halving
)

// pick returns 0, or how many decisions this one stands for.
func (s *sampler) pick(now int64) uint64 {
	if second := now >> samplerSlice; second != s.second {
		s.second, s.seen, s.shift = second, 0, 0
	}
	if s.seen>>s.shift >= samplerSparse {
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

// one reports whether the decision that was passed to pick last is one of n, which
// is a power of two, at random.
func (s *sampler) one(n uint64) bool { return s.random>>32&(n-1) == 0 }
