package gcra_test

import (
	"math"
	"math/big"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/distributed-rate-limiter/distributed-rate-limiter/gcra"
)

// policies draws valid policies of every size, the extremes among them.
var policies = rapid.Custom(func(t *rapid.T) gcra.Policy {
	units := rapid.OneOf(
		rapid.Int64Range(1, 100),
		rapid.Int64Range(1, gcra.MaxUnits),
		rapid.Just(int64(gcra.MaxUnits)),
		rapid.Map(rapid.IntRange(0, 53), func(n int) int64 { return 1 << n }),
	)
	windows := rapid.OneOf(
		rapid.SampledFrom([]time.Duration{gcra.MinWindow, time.Second, time.Minute, time.Hour, 24 * time.Hour, gcra.MaxWindow}),
		rapid.Map(rapid.Int64Range(int64(gcra.MinWindow), int64(gcra.MaxWindow)), func(n int64) time.Duration { return time.Duration(n) }),
		rapid.Map(rapid.Int64Range(int64(gcra.MinWindow), int64(time.Minute)), func(n int64) time.Duration { return time.Duration(n) }),
	)
	p := gcra.Policy{Limit: units.Draw(t, "limit"), Window: windows.Draw(t, "window"), Burst: units.Draw(t, "burst")}
	if p.Validate() != nil {
		p.Burst = rapid.Int64Range(1, p.Limit).Draw(t, "smaller burst") // drains within one window
	}
	if p.Validate() != nil {
		p.Window = max(p.Window, 16*time.Second) // MaxUnits in 16 s is MaxRate
	}
	return p
})

func deciders(t *rapid.T) *gcra.GCRA {
	g, err := gcra.New(policies.Draw(t, "policy"))
	if err != nil {
		t.Fatal(err)
	}
	return g
}

// exactly is num/den, rounded down, and whether something was lost.
func exactly(a, b, den int64) (q *big.Int, rounded bool) {
	num := new(big.Int).Mul(new(big.Int).SetUint64(uint64(a)), big.NewInt(b))
	q, rem := new(big.Int).QuoRem(num, big.NewInt(den), new(big.Int))
	return q, rem.Sign() > 0
}

func TestDrainIsTheExactTimeRoundedUp(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		g := deciders(t)
		c := rapid.Int64Min(0).Draw(t, "cost")
		want, rounded := exactly(c, int64(g.Policy().Window), g.Policy().Limit)
		if rounded {
			want.Add(want, big.NewInt(1))
		}
		if forever := big.NewInt(gcra.Forever); want.Cmp(forever) > 0 {
			want = forever
		}
		if got := g.Drain(uint64(c)); big.NewInt(got).Cmp(want) != 0 {
			t.Fatalf("Drain(%d) = %d, want %v", c, got, want)
		}
	})
}

func TestUnitsAreTheExactNumberRoundedDown(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		g := deciders(t)
		d := rapid.Int64().Draw(t, "nanoseconds")
		want, _ := exactly(max(0, d), g.Policy().Limit, int64(g.Policy().Window))
		if most := big.NewInt(math.MaxInt64); want.Cmp(most) > 0 {
			want = most
		}
		if got := g.Units(d); new(big.Int).SetUint64(got).Cmp(want) != 0 {
			t.Fatalf("Units(%d) = %d, want %v", d, got, want)
		}
	})
}

// Below saturation, c units drain within d if and only if they are among the units
// that drain in d.
func TestUnitsAndDrainAreAdjoint(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		g := deciders(t)
		d := rapid.Int64Range(0, gcra.Forever-1).Draw(t, "nanoseconds")
		c := g.Units(d)
		if c == math.MaxInt64 {
			return
		}
		c += uint64(rapid.IntRange(0, 2).Draw(t, "more"))
		if c > 0 && rapid.Bool().Draw(t, "fewer") {
			c = rapid.Uint64Range(0, c).Draw(t, "cost")
		}
		if drains, among := g.Drain(c) <= d, c <= g.Units(d); drains != among {
			t.Fatalf("%d units in %d ns: drained %t, counted %t", c, d, drains, among)
		}
	})
}

// Two ceilings cost at most one nanosecond, which is what a fold may lose.
func TestDrainIsSubadditiveWithinANanosecond(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		g := deciders(t)
		a := rapid.Uint64Range(0, gcra.MaxUnits).Draw(t, "a")
		b := rapid.Uint64Range(0, gcra.MaxUnits).Draw(t, "b")
		whole, parts := g.Drain(a+b), g.Drain(a)+g.Drain(b)
		if whole == gcra.Forever {
			return
		}
		if whole > parts || parts > whole+1 {
			t.Fatalf("Drain(%d+%d) = %d, but the parts drain in %d", a, b, whole, parts)
		}
		if a > 0 && g.Drain(a) < 1 {
			t.Fatalf("Drain(%d) = %d: a cost that takes no time", a, g.Drain(a))
		}
	})
}

func TestDrainSaturatesAtForever(t *testing.T) {
	g := decider(t, gcra.Policy{Limit: 1, Window: gcra.MaxWindow})
	for _, c := range []uint64{146, 1 << 32, gcra.MaxUnits, math.MaxInt64, math.MaxUint64} {
		if got := g.Drain(c); got != gcra.Forever {
			t.Errorf("Drain(%d) = %d, want Forever", c, got)
		}
	}
	if got := g.Drain(145); got != 145*int64(gcra.MaxWindow) {
		t.Errorf("Drain(145) = %d, want the exact time", got)
	}
	fast := decider(t, gcra.Policy{Limit: gcra.MaxUnits, Window: 16 * time.Second})
	if got := fast.Units(math.MaxInt64); got != math.MaxInt64 {
		t.Errorf("Units of all time = %d, want saturation", got)
	}
	for _, d := range []int64{0, -1, math.MinInt64} {
		if got := fast.Units(d); got != 0 {
			t.Errorf("Units(%d) = %d, want 0", d, got)
		}
	}
}
