package gcra_test

import (
	"math/big"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/distributed-rate-limiter/distributed-rate-limiter/gcra"
)

// Under saturation a busy period never ends, so each window's fold rounds anew. A
// year has half a million windows of a minute, and so may lose half a millisecond;
// it gains nothing. The burst is deep enough to stay saturated with one or two
// requests per window, each for all that remains.
func TestYearOfSaturationDriftsByLessThanANanosecondPerFold(t *testing.T) {
	const year = int64(366 * 24 * time.Hour)
	for i, p := range []gcra.Policy{
		{Limit: 7, Window: time.Second, Burst: 7 * 150},
		{Limit: 11, Window: time.Minute, Burst: 23},
		{Limit: 3, Window: 24 * time.Hour},
		{Limit: 3_333_333_333, Window: time.Second, Burst: 3_333_333_333 * 150},
		{Limit: 999_999_999_989, Window: 7 * time.Second, Burst: gcra.MaxUnits},
	} {
		t.Run(name(p), func(t *testing.T) {
			t.Parallel()
			rnd := seeded(t, uint64(2000+i))
			g := decider(t, p)
			p := g.Policy()
			r, exact := newReplica(g, int64(time.Minute)), newIdeal(p)
			total := new(big.Int)
			for at := int64(epoch); at < epoch+year; at += pause(g, r, at, rnd) {
				r.roll(at)
				cost := g.Explain(r.level(), at, 1, false).Remaining
				if cost == 0 {
					continue
				}
				if !r.take(at, cost) {
					t.Fatalf("cost %d was denied at %d although it remained", cost, at)
				}
				exact.admit(at, cost)
				total.Add(total, big.NewInt(cost))
			}

			// TAT = start + total·T, since the bucket never got full.
			tat := exact.instant(new(big.Int), epoch)
			tat.Add(tat, new(big.Int).Mul(total, big.NewInt(int64(p.Window))))
			if tat.Cmp(&exact.tat) != 0 {
				t.Fatal("the bucket got full: that was no saturation")
			}
			var drift, bound big.Int
			exact.ahead(&drift, g.TAT(r.level()))
			bound.Mul(big.NewInt(int64(r.rounded())), &exact.limit)
			if drift.Sign() < 0 || drift.Cmp(&bound) >= 0 {
				t.Errorf("the TAT drifted by %v/%d ns in %d windows", &drift, p.Limit, r.rounded())
			}
			// Nothing less was admitted than the rate allows, but for the drift and a unit.
			lost := exact.ceil(drift.Add(&drift, bound.Mul(&exact.limit, big.NewInt(2))))
			capacity := g.Units(year - 2*r.width - lost)
			if least := new(big.Int).SetUint64(capacity - 1); total.Cmp(least) < 0 {
				t.Errorf("%v units in a year, want at least %v", total, least)
			}
			t.Logf("%v units in a year, at most %d ns late after %d rounded sums", total, lost, r.rounded())
		})
	}
}

// pause is up to a window, but not so long that the bucket gets full; or until the
// next unit drains if that takes longer.
func pause(g *gcra.GCRA, r *replica, at int64, rnd *rand.Rand) int64 {
	d := g.Explain(r.level(), at, 1, false)
	return max(int64(d.RetryAfter), 1+rnd.Int64N(min(r.width, 1+int64(d.ResetAfter)/2)))
}
