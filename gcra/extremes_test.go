package gcra_test

import (
	"fmt"
	"math/big"
	"testing"
	"time"

	"github.com/distributed-rate-limiter/distributed-rate-limiter/gcra"
)

const day = 24 * time.Hour

// extremes are policies at the ends of every range, and far from a whole number of
// nanoseconds per unit.
var extremes = []gcra.Policy{
	{Limit: 1, Window: day},
	{Limit: 1, Window: day, Burst: 3},
	{Limit: 1, Window: gcra.MaxWindow, Burst: 10}, // MaxDepth
	{Limit: 3, Window: gcra.MaxWindow, Burst: 30},
	{Limit: 1, Window: gcra.MinWindow},
	{Limit: 7, Window: gcra.MinWindow, Burst: gcra.MaxUnits >> 20},
	{Limit: 999_999_937, Window: time.Second},
	{Limit: 1_000_000_007, Window: time.Second, Burst: 1},
	{Limit: 3_000_000_019, Window: time.Second, Burst: gcra.MaxUnits},
	{Limit: gcra.MaxRate, Window: time.Second},
	{Limit: gcra.MaxRate / 1000, Window: gcra.MinWindow, Burst: gcra.MaxUnits},
	{Limit: gcra.MaxUnits, Window: 16 * time.Second},
	{Limit: gcra.MaxUnits, Window: time.Minute, Burst: 1},
	{Limit: gcra.MaxUnits, Window: gcra.MaxWindow},
	{Limit: gcra.MaxUnits - 1, Window: gcra.MaxWindow - 1, Burst: gcra.MaxUnits},
}

func name(p gcra.Policy) string {
	return fmt.Sprintf("%d per %v burst %d", p.Limit, p.Window, p.Burst)
}

func TestExtremePoliciesAreOffByLessThanANanosecondPerWindow(t *testing.T) {
	for i, p := range extremes {
		t.Run(name(p), func(t *testing.T) {
			rnd := seeded(t, uint64(1000+i))
			var c tally
			for range 10 {
				c.follow(t, trialOf(t, rnd, p), 1000)
			}
		})
	}
}

func TestExtremePoliciesAdmitABurstAndThenTheRate(t *testing.T) {
	for _, p := range extremes {
		t.Run(name(p), func(t *testing.T) {
			g := decider(t, p)
			p := g.Policy()
			r, exact := newReplica(g, int64(time.Minute)), newIdeal(p)
			for _, at := range []int64{epoch, doomsday} {
				if !r.take(at, p.Burst) {
					t.Fatalf("a full burst was denied at %d", at)
				}
				exact.admit(at, p.Burst)
				// Beyond 1e9 per second, units drain within the nanosecond that a
				// decision may be early.
				if more := 1 + int64(g.Units(1)); more <= p.Burst && r.take(at, more) {
					t.Fatalf("%d units more than the burst were admitted", more)
				}
				for _, cost := range []int64{1, p.Burst} {
					next := exact.whenConforms(cost)
					if before := min(next-2, at); before > at && r.take(before, cost) {
						t.Fatalf("cost %d was admitted 2 ns early", cost)
					}
					if !r.take(next+int64(r.folded), cost) {
						t.Fatalf("cost %d was denied %d ns after it conforms", cost, r.folded)
					}
					exact.admit(next+int64(r.folded), cost)
				}
			}
		})
	}
}

// A burst that is admitted in one instant conforms whether it comes at once or in
// parts. Adding the drain time of a part to a rounded TAT, that is rounding twice,
// would deny the last part for many pairs of limit and burst.
func TestBurstPassesWholeOrInParts(t *testing.T) {
	pairs, trapped := 0, 0
	for _, window := range []time.Duration{time.Second, time.Minute, time.Hour + 1} {
		for limit := int64(1); limit <= 60; limit++ {
			for burst := int64(1); burst <= 61; burst++ {
				pairs++
				g := decider(t, gcra.Policy{Limit: limit, Window: window, Burst: burst})
				if int64(g.Drain(uint64(burst-1)))+g.Drain(1) > g.Depth() {
					trapped++
				}
				for _, part := range []int64{burst, (burst + 1) / 2, 1} {
					passBurst(t, g, part)
				}
			}
		}
	}
	if trapped == 0 {
		t.Error("no pair would have been denied by rounding twice")
	}
	t.Logf("%d policies, %d of which would deny a burst if they rounded twice", pairs, trapped)
}

// passBurst sends bursts in parts: to an unknown client, at the very instant at
// which the bucket is full again, 1 ns later, and in later windows.
func passBurst(t *testing.T, g *gcra.GCRA, part int64) {
	t.Helper()
	burst := g.Policy().Burst
	r := newReplica(g, int64(15*time.Second))
	at := int64(epoch)
	for _, pause := range []int64{0, 0, 1, 0, r.width, 0, 0, 3 * r.width} {
		at += pause
		for left := burst; left > 0; left -= min(part, left) {
			if !r.take(at, min(part, left)) {
				t.Fatalf("%s: denied with %d units left, in parts of %d, with %+v", name(g.Policy()), left, part, r.level())
			}
		}
		if r.take(at, 1) {
			t.Fatalf("%s: more than a burst was admitted at once, in parts of %d", name(g.Policy()), part)
		}
		at = g.TAT(r.level())
	}
}

// What a replica admits in one window must fit in its counters, whose totals end at
// 1<<54, for the window widths that GCRA is counted in.
func TestWhatOneWindowAdmitsFitsInACounter(t *testing.T) {
	for _, p := range extremes {
		g := decider(t, p)
		width := min(max(g.Policy().Window, 15*time.Second), time.Minute)
		if most := g.Units(g.Depth() + int64(width)); most > 1<<54 {
			t.Errorf("%s: %d units in one window of %v", name(p), most, width)
		}
	}
}

// Origins saturate at Forever, so the deepest bucket has to end before.
func TestDeepestBucketEndsBeforeForever(t *testing.T) {
	if end := new(big.Int).Add(big.NewInt(doomsday), big.NewInt(int64(gcra.MaxDepth))); end.Cmp(big.NewInt(gcra.Forever)) >= 0 {
		t.Errorf("a bucket filled in 2105 is empty at %v, after Forever", end)
	}
}
