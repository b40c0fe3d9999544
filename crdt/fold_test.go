package crdt_test

import (
	"fmt"
	"math/big"
	"math/rand/v2"
	"os"
	"slices"
	"testing"

	"pgregory.net/rapid"

	"github.com/distributed-rate-limiter/distributed-rate-limiter/crdt"
)

// event is cost that was admitted at an instant.
type event struct{ t, cost int64 }

// unfolded keeps every event for ever and computes, in 1/units nanoseconds,
// TAT = max over s of (s + D(admitted since s)).
type unfolded struct {
	*limit
	events []event
}

func (u *unfolded) tat() *big.Int {
	latest, since := u.scaled(crdt.Never), uint64(0)
	for _, e := range slices.Backward(u.events) {
		since += uint64(e.cost)
		if x := new(big.Int).Add(u.scaled(e.t), u.drained(since)); x.Cmp(latest) > 0 {
			latest = x
		}
	}
	return latest
}

// running is the same maximum, kept up to date.
type running struct {
	*limit
	tat     big.Int
	x, y, z big.Int // scratch
}

func newRunning(l *limit) *running {
	r := &running{limit: l}
	r.at(&r.tat, 0)
	return r
}

func (r *running) at(z *big.Int, t int64) *big.Int {
	r.z.SetInt64(t)
	r.y.SetInt64(r.units)
	return z.Mul(&r.z, &r.y)
}

// finish sets x to the TAT that an admission would leave behind.
func (r *running) finish(t, cost int64) *big.Int {
	r.at(&r.x, t)
	if r.tat.Cmp(&r.x) > 0 {
		r.x.Set(&r.tat)
	}
	var inc big.Int
	r.z.SetInt64(cost)
	r.y.SetInt64(r.window)
	return r.x.Add(&r.x, inc.Mul(&r.z, &r.y))
}

func (r *running) admit(t, cost int64) { r.tat.Set(r.finish(t, cost)) }

// conforms is GCRA by the exact TAT: the bucket does not exceed the burst.
func (r *running) conforms(t, cost int64) bool {
	level := r.finish(t, cost)
	var now, depth big.Int
	level.Sub(level, r.at(&now, t))
	r.z.SetInt64(r.burst)
	r.y.SetInt64(r.window)
	return level.Cmp(depth.Mul(&r.z, &r.y)) <= 0
}

func TestFoldedHistoryIsTheMaximumOverAllEvents(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		units := rapid.SampledFrom([]int64{1, 10, 3, 7, 12_345_679}).Draw(t, "units")
		l := newLimit(units, rapid.SampledFrom([]int64{10, 1000}).Draw(t, "per"), 40, rapid.Int64Range(1, 2000).Draw(t, "width"))
		s := crdt.New(0)
		u, r := unfolded{limit: l}, newRunning(l)
		for at := int64(now); len(u.events) < 60; {
			at += rapid.OneOf(rapid.Just[int64](0), rapid.Int64Range(0, 50), rapid.Int64Range(0, 5000)).Draw(t, "pause")
			e := event{t: at, cost: rapid.Int64Range(1, 40).Draw(t, "cost")}
			s.Roll(&l.frame, l.frame.Start(at))
			l.charge(&s, e.t, e.cost)
			r.admit(e.t, e.cost)
			u.events = append(u.events, e)

			exact := u.tat()
			if exact.Cmp(&r.tat) != 0 {
				t.Fatalf("the oracles differ: %v and %v", exact, &r.tat)
			}
			ahead := exact.Sub(l.scaled(s.TAT(&l.frame)), exact)
			if !l.rounds() && ahead.Sign() != 0 {
				t.Fatalf("after %d events TAT is %v/%d ns ahead", len(u.events), ahead, units)
			}
			if ahead.Cmp(l.scaled(-1)) <= 0 || ahead.Cmp(l.scaled(int64(len(u.events)))) >= 0 {
				t.Fatalf("after %d events TAT is %v/%d ns ahead", len(u.events), ahead, units)
			}
		}
	})
}

// decide makes n decisions on one replica, in windows of a width that is random from
// a thousandth of the time in which the burst drains to twice that, and compares
// each with a GCRA that has an exact TAT of its own.
func decide(t *testing.T, seed uint64, n int) {
	t.Helper()
	rnd := rand.New(rand.NewPCG(seed, seed))
	allowed := 0
	for done := 0; done < n; {
		emission, units := 1+rnd.Int64N(1_000_000), 1+rnd.Int64N(1000)
		burst := 1 + rnd.Int64N(200)
		l := newLimit(units, units*emission, burst, 1+emission*burst/1000+rnd.Int64N(2*emission*burst)/(1+rnd.Int64N(1000)))
		s, exact := crdt.New(0), newRunning(l)
		about := fmt.Sprintf("seed %d: %d per %d ns, burst %d, windows of %d ns", seed, units, l.window, burst, l.frame.Width)
		at := epoch + rnd.Int64N(1e15)
		kinds := 6 + 2*rnd.IntN(2) // is the bucket ever full?
		for range min(2000, n-done) {
			cost := 1 + rnd.Int64N(burst)/(1+rnd.Int64N(3))
			tat := new(big.Int).Div(&exact.tat, big.NewInt(units)).Int64()
			switch rnd.IntN(kinds) {
			case 0, 1:
			case 2:
				at += rnd.Int64N(emission)
			case 3, 4, 5: // around the instant at which the cost begins to conform
				at = max(at, tat-(burst-cost)*emission-1+rnd.Int64N(3))
			case 6: // around the instant at which the bucket is full
				at = max(at, tat-1+rnd.Int64N(3))
			case 7: // around a change of windows, one or a few later
				at += l.frame.Width*(1+rnd.Int64N(3)) - at%l.frame.Width - 1 + rnd.Int64N(3)
			}
			want := exact.conforms(at, cost)
			if got := l.take(&s, at, cost); got != want {
				t.Fatalf("%s, decision %d: cost %d at %d: got %t, want %t", about, done, cost, at, got, want)
			}
			if want {
				exact.admit(at, cost)
				allowed++
			}
			done++
		}
	}
	if allowed < n/4 || allowed > n-n/4 {
		t.Errorf("seed %d: %d of %d requests were allowed: too one-sided to prove much", seed, allowed, n)
	}
	t.Logf("%d decisions, %d of them allowed", n, allowed)
}

func TestDecisionsFromFoldedWindowsAreExact(t *testing.T) { decide(t, 1, 1_000_000) }

// The long comparison is on only if the environment asks for it, so that it is
// neither run nor skipped otherwise.
func TestLongDecisionsFromFoldedWindowsAreExact(t *testing.T) {
	if os.Getenv("RATELIMIT_LONG") != "1" {
		t.Log("set RATELIMIT_LONG=1 for ten million decisions")
		return
	}
	for seed := range uint64(10) {
		decide(t, 100+seed, 1_000_000)
	}
}
