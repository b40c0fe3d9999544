package gcra_test

import (
	"fmt"
	"math"
	"math/bits"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/distributed-rate-limiter/distributed-rate-limiter/gcra"
)

// Simulated time starts on 23 November 2026 and ends with the year 2105, until
// which the deepest policy is safe (MaxDepth), in unix nanoseconds.
const (
	epoch    = 1_795_392_000_000_000_000
	doomsday = 4_291_747_200_000_000_000
)

// replica decides for one client as a node does that hears no other: it counts in
// windows and folds each into the TAT with which it was left.
type replica struct {
	g      *gcra.GCRA
	width  int64
	start  int64
	origin int64
	carry  int64 // TAT at the end of the previous window
	count  uint64
	folded int // windows of this busy period whose sum was rounded when they ended
}

func newReplica(g *gcra.GCRA, width int64) *replica {
	return &replica{g: g, width: width, origin: gcra.Never, carry: gcra.Never}
}

func (r *replica) level() gcra.Level {
	return gcra.Level{Base: max(r.origin, r.carry), Count: r.count}
}

func (r *replica) roll(t int64) {
	if start := t - t%r.width; start > r.start {
		r.carry = r.g.TAT(r.level())
		r.folded = r.rounded()
		r.start, r.origin, r.count = start, gcra.Never, 0
	}
}

func (r *replica) take(t, cost int64) bool {
	r.roll(t)
	admitted, origin := r.g.Admit(r.level(), t, cost)
	if !admitted {
		return false
	}
	if origin != gcra.Never {
		r.folded = 0
	}
	r.origin = max(r.origin, origin, r.start)
	r.count += uint64(cost)
	return true
}

// rounded is how many rounded sums the TAT consists of.
func (r *replica) rounded() int {
	if r.count > 0 {
		return r.folded + 1
	}
	return r.folded
}

// logUniform is a number from lo to hi whose logarithm is uniform.
func logUniform(rnd *rand.Rand, lo, hi int64) int64 {
	x := math.Exp(math.Log(float64(lo)) + rnd.Float64()*(math.Log(float64(hi))-math.Log(float64(lo))))
	return min(hi, max(lo, int64(x)))
}

// randomPolicy has an emission interval of a whole number of nanoseconds, or one
// that is not.
func randomPolicy(rnd *rand.Rand, whole bool) gcra.Policy {
	for {
		var p gcra.Policy
		if whole {
			p.Limit = logUniform(rnd, 1, 1e9)
			p.Window = time.Duration(p.Limit * logUniform(rnd, 1, max(1, min(int64(gcra.MaxWindow)/p.Limit, int64(time.Hour)))))
		} else {
			p.Limit = logUniform(rnd, 3, 1e13)
			p.Window = time.Duration(logUniform(rnd, int64(gcra.MinWindow), int64(gcra.MaxWindow)))
		}
		switch rnd.IntN(4) {
		case 0: // as much as the limit
		case 1:
			p.Burst = 1 + rnd.Int64N(4)
		case 2:
			p.Burst = 1 + rnd.Int64N(p.Limit)
		case 3:
			p.Burst = logUniform(rnd, 1, 10*p.Limit)
		}
		if p.Validate() == nil && (int64(p.Window)%p.Limit == 0) == whole {
			return p
		}
	}
}

// randomWidth is a window as wide as a node would choose it, or so narrow that a
// burst takes a thousand of them to drain.
func randomWidth(rnd *rand.Rand, g *gcra.GCRA) int64 {
	switch rnd.IntN(3) {
	case 0:
		return int64(min(max(g.Policy().Window, 15*time.Second), 60*time.Second))
	case 1:
		return int64(15*time.Second) + rnd.Int64N(int64(45*time.Second))
	default:
		return max(1, g.Depth()/1000)
	}
}

// arrivals makes up requests that are often where a decision is hardest: at the
// very instant at which a request begins to conform or the bucket is full, and
// one nanosecond to either side.
type arrivals struct {
	rnd    *rand.Rand
	policy gcra.Policy
	width  int64
	depth  int64
	unit   bool // every cost is 1
	busy   bool // the bucket hardly ever gets full
	now    int64
}

func (a *arrivals) next(exact *ideal) (t, cost int64) {
	cost = 1
	if !a.unit {
		switch a.rnd.IntN(8) {
		case 0:
			cost = a.policy.Burst
		case 1, 5:
			cost = 1 + a.rnd.Int64N(a.policy.Burst)
		case 2, 3:
			cost = logUniform(a.rnd, 1, a.policy.Burst)
		case 4:
			cost = 1 + a.rnd.Int64N(min(a.policy.Burst, 3))
		}
	}
	emission := int64(a.policy.Window)/a.policy.Limit + 1
	t = a.now
	kinds := 11
	if a.busy {
		kinds = 8
	}
	switch a.rnd.IntN(kinds) {
	case 0, 1: // at the same instant
	case 2, 3:
		t += a.rnd.Int64N(emission + 1)
	case 4:
		t += a.rnd.Int64N(a.depth/50 + 1)
	case 5, 6, 7:
		t = exact.whenConforms(cost) - 1 + a.rnd.Int64N(3)
	case 8:
		t += a.rnd.Int64N(a.width)
	case 9:
		t = exact.whenEmpty() - 1 + a.rnd.Int64N(3)
	case 10:
		if a.rnd.IntN(4) == 0 {
			t += a.rnd.Int64N(2*a.depth + 3*a.width)
		}
		t += a.width - t%a.width - 1 + a.rnd.Int64N(3)
	}
	a.now = max(a.now, t)
	return a.now, cost
}

// trial is one random policy, on one client of one node.
type trial struct {
	replica *replica
	exact   *ideal
	arrivals
}

func newTrial(t *testing.T, rnd *rand.Rand, whole bool) *trial {
	t.Helper()
	return trialOf(t, rnd, randomPolicy(rnd, whole))
}

func trialOf(t *testing.T, rnd *rand.Rand, p gcra.Policy) *trial {
	t.Helper()
	g := decider(t, p)
	p = g.Policy()
	width := randomWidth(rnd, g)
	return &trial{
		replica: newReplica(g, width),
		exact:   newIdeal(p),
		arrivals: arrivals{
			rnd: rnd, policy: p, width: width, depth: g.Depth(), now: epoch + rnd.Int64N(1e15),
			unit: p.Burst < 100 && rnd.IntN(2) == 0, busy: rnd.IntN(2) == 0,
		},
	}
}

func decider(t testing.TB, p gcra.Policy) *gcra.GCRA {
	t.Helper()
	g, err := gcra.New(p)
	if err != nil {
		t.Fatal(err)
	}
	return g
}

func (tr *trial) String() string {
	return fmt.Sprintf("limit %d per %v, burst %d, windows of %v", tr.policy.Limit, tr.policy.Window, tr.policy.Burst, time.Duration(tr.width))
}

// seeded is a random source for seed, which is printed if the test fails.
func seeded(t *testing.T, seed uint64) *rand.Rand {
	t.Helper()
	t.Cleanup(func() {
		if t.Failed() {
			t.Logf("seed %d", seed)
		}
	})
	return rand.New(rand.NewPCG(seed, bits.Reverse64(seed)))
}
