package top

import (
	"math"
	"testing"
)

func TestSamplesStandForAllDecisions(t *testing.T) {
	s := NewSampler(1)
	const decisions, second = 3_000_000, int64(1) << secondBits
	picked, stood := 0, 0.0
	for i := range decisions {
		if share, _ := s.Pick(int64(i) * second / (decisions / 3)); share > 0 {
			picked++
			stood += float64(share)
		}
	}
	if stood < 0.7*decisions || stood > 1.3*decisions {
		t.Errorf("samples stand for %.0f of %d decisions", stood, decisions)
	}
	if picked > 3*(sparse+20*sparse) {
		t.Errorf("%d decisions were picked", picked)
	}
	s = Sampler{}
	for i := range int64(sparse) { // a quiet shard is counted exactly
		if share, _ := s.Pick(5*second + i); share != 1 {
			t.Fatalf("decision %d of a quiet second stands for %d", i, share)
		}
	}
}

// A decision is picked with the chance that its place in the second has, whatever was picked before it,
// and stands for as many.
func TestEachDecisionHasItsChance(t *testing.T) {
	const samplers, second = 20_000, int64(1) << secondBits
	var picked [4 * sparse]int
	for seed := range uint64(samplers) {
		s := NewSampler(seed << 32)
		for i := range int64(3) { // of a second before
			s.Pick(second + i)
		}
		for i := range picked {
			if share, _ := s.Pick(2*second + int64(i)); share > 0 {
				picked[i]++
				if want := uint64(1) << shiftAt(i); share != want {
					t.Fatalf("decision %d stands for %d, want %d", i, share, want)
				}
			}
		}
	}
	for i, n := range picked {
		p := 1 / float64(int(1)<<shiftAt(i))
		if off := math.Abs(float64(n) - samplers*p); off > 5*math.Sqrt(samplers*p*(1-p)) {
			t.Errorf("decision %d was picked by %d of %d samplers, want %.0f", i, n, samplers, samplers*p)
		}
	}
}

// shiftAt is the logarithm of how many decisions decision i of a second stands for.
func shiftAt(i int) (shift int) {
	for i>>shift >= sparse {
		shift++
	}
	return shift
}

// One decision of TimedEvery is timed on average, however many a second has, and not in step with what
// comes in turns.
func TestSomeDecisionsAreTimed(t *testing.T) {
	const decisions, second = 64_000 * TimedEvery, int64(1) << secondBits
	for _, perSecond := range []int64{1, 3, 100, 100_000} {
		s := NewSampler(uint64(perSecond) << 32) //nolint:gosec // positive
		timed, even := 0, 0
		for i := range int64(decisions) {
			if _, ok := s.Pick(i / perSecond * second); ok {
				timed++
				even += int(1 - i%2)
			}
		}
		want := float64(decisions / TimedEvery)
		if math.Abs(float64(timed)-want) > 0.02*want || math.Abs(float64(even)-want/2) > 0.02*want {
			t.Errorf("%d a second: %d of %d decisions were timed, %d of them even ones", perSecond, timed, decisions, even)
		}
	}
}

// From its first decision on, a sampler times one of TimedEvery: nodes start, and most shards see few.
func TestAFreshSamplerTimesAsMany(t *testing.T) {
	const samplers = 40_000
	for _, decisions := range []int{1, 10, 40, 200} {
		timed := 0
		for seed := range uint64(samplers) {
			s := NewSampler(seed << 32)
			for range decisions {
				if _, ok := s.Pick(1 << secondBits); ok {
					timed++
				}
			}
		}
		want := float64(samplers*decisions) / TimedEvery
		if off := math.Abs(float64(timed) - want); off > 5*math.Sqrt(want) {
			t.Errorf("%d of %d times %d decisions were timed, want %.0f", timed, samplers, decisions, want)
		}
	}
}
