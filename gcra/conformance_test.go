package gcra_test

import (
	"fmt"
	"math/big"
	"os"
	"testing"
)

// steps is how many requests one random policy gets.
const steps = 2000

// sameAsTextbook makes decisions until there are n, under policies whose emission
// interval is a whole number of nanoseconds, and compares each of them with both
// formulations, which have histories of their own.
func sameAsTextbook(t *testing.T, seed uint64, n int) {
	t.Helper()
	rnd := seeded(t, seed)
	allowed := 0
	for done := 0; done < n; {
		trial := newTrial(t, rnd, true)
		scheduling, bucket := newVirtualScheduling(trial.policy), newLeakyBucket(trial.policy)
		for left := min(steps, n-done); left > 0 && trial.now < doomsday; left-- {
			at, cost := trial.next(trial.exact)
			got, virtual, leaky := trial.replica.take(at, cost), scheduling.arrive(at, cost), bucket.arrive(at, cost)
			if got != virtual || got != leaky {
				t.Fatalf("%v, decision %d: cost %d at %d: got %t, virtual scheduling %t, leaky bucket %t",
					trial, done, cost, at, got, virtual, leaky)
			}
			if got {
				trial.exact.admit(at, cost)
				allowed++
			}
			done++
		}
	}
	mixed(t, allowed, n)
}

// mixed checks that a comparison was worth something: both answers occurred often.
func mixed(t *testing.T, allowed, n int) {
	t.Helper()
	if allowed < n/4 || allowed > n-n/4 {
		t.Errorf("%d of %d requests were allowed: too one-sided to prove much", allowed, n)
	}
	t.Logf("%d decisions, %d of them allowed", n, allowed)
}

func TestDecisionsAreThoseOfTheTextbook(t *testing.T) {
	sameAsTextbook(t, 1, 1_000_000)
}

// tally is what following an exact GCRA has seen.
type tally struct {
	decisions, allowed     int
	early, beyondOne, late int // decisions that the exact GCRA would have made otherwise
	rounded                int // the most rounded sums in one TAT
}

// follow makes n decisions and holds each against an exact GCRA with the same
// history. With m rounded sums in the TAT (one per window of the busy period in
// which something was admitted):
//
//	the TAT is less than 1 ns before the exact one, and less than m ns after;
//	what is admitted conforms with less than 2 ns more of tolerance: 1 for that
//	TAT, 1 for D(Burst), which is rounded as well;
//	what is denied would not conform with m ns less of tolerance, that is with
//	1 ns less as long as the busy period stays in one window.
func (c *tally) follow(t *testing.T, trial *trial, n int) {
	t.Helper()
	r, exact := trial.replica, trial.exact
	var x, two, before, after big.Int
	one := &exact.limit // 1 ns
	two.Lsh(one, 1)
	before.Neg(one)
	for ; n > 0 && trial.now < doomsday; n-- {
		at, cost := trial.next(exact)
		got := r.take(at, cost)
		exact.excess(&x, at, cost)
		after.Mul(one, big.NewInt(int64(r.rounded())))
		switch conforms := x.Sign() <= 0; {
		case got && x.Cmp(&two) >= 0:
			t.Fatalf("%v: cost %d at %d was admitted %v/%v ns early", trial, cost, at, &x, one)
		case !got && x.Neg(&x).Cmp(&after) >= 0:
			t.Fatalf("%v: cost %d at %d was denied %v/%v ns late after %d rounded sums", trial, cost, at, &x, one, r.rounded())
		case got && !conforms:
			c.early++
			if x.Cmp(one) >= 0 {
				c.beyondOne++
			}
		case !got && conforms:
			c.late++
		}
		c.decisions++
		if got {
			exact.admit(at, cost)
			c.allowed++
		}
		if !exact.started {
			continue
		}
		c.rounded = max(c.rounded, r.rounded())
		exact.ahead(&x, r.g.TAT(r.level()))
		if x.Cmp(&before) <= 0 || x.Sign() > 0 && x.Cmp(&after) >= 0 {
			t.Fatalf("%v: at %d the TAT is off by %v/%v ns after %d rounded sums", trial, at, &x, one, r.rounded())
		}
	}
}

func (c *tally) log(t *testing.T) {
	t.Helper()
	t.Logf("%d decisions, %d admitted early (%d of them by 1 to 2 ns), %d denied late, at most %d rounded sums in one TAT",
		c.decisions, c.early, c.beyondOne, c.late, c.rounded)
}

// withinANanosecond makes decisions until there are n, under policies whose
// emission interval is not a whole number of nanoseconds.
func withinANanosecond(t *testing.T, seed uint64, n int) {
	t.Helper()
	rnd := seeded(t, seed)
	var c tally
	for c.decisions < n {
		c.follow(t, newTrial(t, rnd, false), min(steps, n-c.decisions))
	}
	mixed(t, c.allowed, n)
	c.log(t)
	if c.early == 0 || c.late == 0 {
		t.Error("the requests never came close enough to the exact boundary")
	}
}

func TestDecisionsAreOffByLessThanANanosecondPerWindow(t *testing.T) {
	withinANanosecond(t, 2, 500_000)
}

// The long comparison is on only if the environment asks for it, so that it is
// neither run nor skipped otherwise.
func TestLongDecisionsAreThoseOfTheTextbook(t *testing.T) {
	if os.Getenv("RATELIMIT_LONG") != "1" {
		t.Log("set RATELIMIT_LONG=1 for ten million decisions")
		return
	}
	for seed := range uint64(10) {
		t.Run(fmt.Sprintf("seed%d", seed), func(t *testing.T) {
			sameAsTextbook(t, 100+seed, 1_000_000)
			withinANanosecond(t, 200+seed, 1_000_000)
		})
	}
}
