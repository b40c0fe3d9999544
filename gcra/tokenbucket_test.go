package gcra_test

import (
	"math/big"
	"testing"
	"time"

	"golang.org/x/time/rate"

	"github.com/distributed-rate-limiter/distributed-rate-limiter/gcra"
)

// GCRA is the token bucket of golang.org/x/time/rate. The latter counts in floats:
// with powers of two for rates and multiples of 1/512 s for times its tokens are
// exact, and so is the comparison.
func TestDecisionsAreThoseOfATokenBucket(t *testing.T) {
	const tick = int64(time.Second / 512)
	rnd := seeded(t, 3)
	decisions, allowed := 0, 0
	for range 100 {
		perSecond := int64(1) << rnd.IntN(10)
		burst := 1 + rnd.Int64N(2*perSecond)
		r := newReplica(decider(t, gcra.Policy{Limit: perSecond, Window: time.Second, Burst: burst}), int64(15*time.Second))
		bucket := rate.NewLimiter(rate.Limit(perSecond), int(burst))
		at := epoch - epoch%tick
		for range 2000 {
			if rnd.IntN(100) == 0 {
				at += rnd.Int64N(20_000) * tick
			}
			at += rnd.Int64N(3) * rnd.Int64N(512/perSecond+1) * tick
			cost := 1 + rnd.Int64N(burst)/(1+rnd.Int64N(burst))
			got, want := r.take(at, cost), bucket.AllowN(time.Unix(0, at), int(cost))
			if got != want {
				t.Fatalf("%d/s, burst %d: cost %d at %d: got %t, the token bucket %t", perSecond, burst, cost, at, got, want)
			}
			decisions++
			if got {
				allowed++
			}
		}
	}
	mixed(t, allowed, decisions)
}

// With any rate, the token bucket's floats are off by less than a microsecond's
// worth of tokens; requests that an exact GCRA places closer than that to the
// boundary are not sent, and are few.
func TestDecisionsAreThoseOfATokenBucketAwayFromTheBoundary(t *testing.T) {
	rnd := seeded(t, 4)
	decisions, allowed, skipped := 0, 0, 0
	for range 200 {
		p := gcra.Policy{Limit: logUniform(rnd, 1, 1e7), Window: time.Hour - time.Duration(rnd.Int64N(int64(time.Minute)))}
		p.Burst = logUniform(rnd, 1, p.Limit)
		r, exact := newReplica(decider(t, p), int64(30*time.Second)), newIdeal(p)
		bucket := rate.NewLimiter(rate.Limit(float64(p.Limit)/p.Window.Seconds()), int(p.Burst))
		emission := int64(p.Window) / p.Limit
		epsilon := new(big.Int).Mul(&exact.limit, big.NewInt(int64(time.Microsecond)))
		var x big.Int
		at := int64(epoch)
		for range 1000 {
			cost := logUniform(rnd, 1, p.Burst)
			at += rnd.Int64N(emission * cost)
			full := exact.whenEmpty() < at-int64(time.Microsecond)
			if exact.excess(&x, at, cost).CmpAbs(epsilon) < 0 && !full {
				skipped++
				continue
			}
			got, want := r.take(at, cost), bucket.AllowN(time.Unix(0, at), int(cost))
			if got != want {
				t.Fatalf("%s: cost %d at %d: got %t, the token bucket %t, the excess is %v/%d ns", name(p), cost, at, got, want, &x, p.Limit)
			}
			decisions++
			if got {
				exact.admit(at, cost)
				allowed++
			}
		}
	}
	mixed(t, allowed, decisions)
	if skipped > decisions/20 {
		t.Errorf("%d of %d requests were too close to the boundary", skipped, decisions)
	}
	t.Logf("%d requests too close to compare", skipped)
}
