package limit

import (
	"math"
	"testing"
	"time"
)

// Whatever is said to have been used, a node charges no more than the burst and the debt cap,
// or twice the limit of a window.
func TestAChargeStopsAtTheDebtCap(t *testing.T) {
	const now = int64(1_900_000_020e9)
	for name, c := range map[string]struct {
		policy Policy
		most   int64
	}{
		"gcra":      {Policy{Limit: 100, Window: time.Minute, Burst: 10}, 110},
		"deep":      {Policy{Limit: 100, Window: time.Minute, Burst: 300}, 600},
		"fixed":     {Policy{Algorithm: FixedWindow, Limit: 100, Window: time.Minute}, 200},
		"estimated": {Policy{Algorithm: SlidingWindow, Limit: 100, Window: time.Minute}, 200},
		"parts":     {Policy{Algorithm: SlidingWindow, Limit: 100, Window: time.Minute, Resolution: 6}, 200},
	} {
		compiled, err := Compile(c.policy)
		if err != nil {
			t.Fatal(err)
		}
		r := &compiled.Rules[0]
		first, rest := r.NewStates(now)
		s := States{First: &first, Rest: rest}
		r.Roll(s, now)
		for _, step := range [][2]int64{{5, 5}, {c.most - 6, c.most - 6}, {3, 1}, {1, 0}, {math.MaxInt64, 0}} {
			if got := r.Charge(s, now, step[0]); got != step[1] {
				t.Errorf("%s: %d of %d charged, want %d", name, got, step[0], step[1])
			}
		}
		if r.Policy.Algorithm == GCRA && first.TAT(&r.Frame) > now+r.DeepestDebt() {
			t.Errorf("%s: the debt reaches %v ahead", name, time.Duration(first.TAT(&r.Frame)-now))
		}
	}
}
