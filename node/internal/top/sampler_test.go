package top

import "testing"

func TestSamplesStandForAllDecisions(t *testing.T) {
	s := NewSampler(1)
	const decisions, second = 3_000_000, int64(1) << secondBits
	picked, stood := 0, 0.0
	for i := range decisions {
		if share := s.Pick(int64(i) * second / (decisions / 3)); share > 0 {
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
		if share := s.Pick(5*second + i); share != 1 {
			t.Fatalf("decision %d of a quiet second stands for %d", i, share)
		}
	}
}
