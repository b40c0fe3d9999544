package sim

import (
	"bytes"
	"testing"
)

func TestARunIsItsSeed(t *testing.T) {
	t.Parallel()
	for seed := uint64(1); seed <= 40; seed++ {
		var texts [2]bytes.Buffer
		var traces [2]uint64
		for i := range texts {
			r, err := Run(Random(seed), &texts[i])
			if err != nil {
				t.Fatalf("seed %d: %v", seed, err)
			}
			traces[i] = r.Trace
		}
		a, b := texts[0].Bytes(), texts[1].Bytes()
		if len(a) == 0 || !bytes.Equal(a, b) || traces[0] != traces[1] {
			t.Errorf("seed %d: two runs differ, from byte %d of their traces on; hashes %x and %x", seed, differAt(a, b), traces[0], traces[1])
		}
	}
	for i, a := range adversaries() {
		one, _ := Run(a.Runs[0], nil)
		two, _ := Run(a.Runs[0], nil)
		if one.Trace != two.Trace || one.E != two.E || one.Messages != two.Messages {
			t.Errorf("adversary %d, %s: two runs differ", i, a.Name)
		}
	}
}

func differAt(a, b []byte) int {
	for i := range min(len(a), len(b)) {
		if a[i] != b[i] {
			return i
		}
	}
	return min(len(a), len(b))
}
