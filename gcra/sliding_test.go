package gcra_test

import (
	"math"
	"math/big"
	"math/rand/v2"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/distributed-rate-limiter/distributed-rate-limiter/gcra"
)

// estimate is prev·(1 - elapsed/window) + cur, exactly.
func estimate(cur, prev uint64, elapsed, window int64) *big.Rat {
	elapsed = min(max(0, elapsed), window)
	share := big.NewRat(window-elapsed, window)
	share.Mul(share, new(big.Rat).SetInt(new(big.Int).SetUint64(prev)))
	return share.Add(share, new(big.Rat).SetInt(new(big.Int).SetUint64(cur)))
}

func TestSlidingWindowDecidesByTheExactEstimate(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		limit, use := limits(t)
		width := widths(t)
		s := gcra.NewSliding(gcra.Policy{Limit: limit, Window: time.Duration(width)})
		cur, prev := use.Draw(t, "cur"), use.Draw(t, "prev")
		elapsed := rapid.OneOf(rapid.Int64Range(-width, 2*width), rapid.SampledFrom([]int64{0, 1, width - 1, width})).Draw(t, "elapsed")
		exact := estimate(cur, prev, elapsed, width)

		used := new(big.Int).SetUint64(s.Used(cur, prev, epoch, epoch+elapsed))
		above := new(big.Rat).Sub(new(big.Rat).SetInt(used), exact)
		saturated := used.Cmp(new(big.Int).SetUint64(math.MaxUint64)) == 0
		if !saturated && (above.Sign() < 0 || above.Cmp(big.NewRat(1, 1)) >= 0) {
			t.Fatalf("%v used, exactly %v", used, exact)
		}

		costs := []*rapid.Generator[int64]{rapid.Int64Range(1, limit)}
		if left := s.Explain(cur, prev, epoch, epoch+elapsed, 1, true).Remaining; left > 0 {
			costs = append(costs, rapid.Int64Range(max(1, left-1), min(limit, left+1)))
		}
		cost := rapid.OneOf(costs...).Draw(t, "cost")
		sum := new(big.Rat).Add(exact, big.NewRat(cost, 1))
		want := sum.Cmp(big.NewRat(limit, 1)) <= 0
		if got := s.Admit(cur, prev, epoch, epoch+elapsed, cost); got != want {
			t.Fatalf("cost %d with %v of %d used: %t", cost, exact, limit, got)
		}
	})
}

// slidingClient counts as a caller of Sliding does.
type slidingClient struct {
	s         *gcra.Sliding
	width     int64
	start     int64
	cur, prev uint64
	log       eventLog
}

func newSlidingClient(limit, width int64) *slidingClient {
	return &slidingClient{s: gcra.NewSliding(gcra.Policy{Limit: limit, Window: time.Duration(width)}), width: width}
}

func (c *slidingClient) take(t, cost int64) bool {
	switch start := t - t%c.width; start {
	case c.start:
	case c.start + c.width:
		c.start, c.cur, c.prev = start, 0, c.cur
	default:
		c.start, c.cur, c.prev = start, 0, 0
	}
	if !c.s.Admit(c.cur, c.prev, c.start, t, cost) {
		return false
	}
	c.cur += uint64(cost)
	c.log = append(c.log, event{t, cost})
	return true
}

// gap is a wait between requests, for bursts, steady streams, pauses, steps to a boundary.
func gap(rnd *rand.Rand, t, width int64) int64 {
	switch rnd.IntN(8) {
	case 0, 1, 2:
		return 0
	case 3:
		return width - t%width - 1
	case 4:
		return width - t%width
	case 5:
		return rnd.Int64N(2 * width)
	default:
		return rnd.Int64N(width/20 + 1)
	}
}

func TestSlidingWindowAdmitsLessThanTwiceTheLimitInAnyTrailingWindow(t *testing.T) {
	rnd := seeded(t, 21)
	decisions, allowed, highest := 0, 0, 0.0
	for range 300 {
		limit, width := logUniform(rnd, 1, 1000), logUniform(rnd, int64(time.Millisecond), int64(time.Hour))
		c := newSlidingClient(limit, width)
		at := int64(epoch)
		for range 1000 {
			at += gap(rnd, at, width)
			decisions++
			if c.take(at, logUniform(rnd, 1, limit)) {
				allowed++
			}
		}
		most := c.log.most(width)
		if most >= 2*limit {
			t.Fatalf("%d within %d ns, the limit is %d", most, width, limit)
		}
		highest = max(highest, float64(most)/float64(limit))
	}
	mixed(t, allowed, decisions)
	t.Logf("at most %.3f times the limit", highest)
}

// The bound is tight: a burst at the end of a window has the least share in the estimate
// at the end of the next one, while a trailing window still holds all of it.
func TestSlidingWindowComesCloseToTwiceTheLimit(t *testing.T) {
	const width = int64(time.Minute)
	for _, row := range []struct {
		limit   int64
		elapsed time.Duration // of the second window, when the second burst comes
		second  int64         // what passes then
	}{
		{100, 30 * time.Second, 50},
		{100, 54 * time.Second, 90},
		{100, 59400 * time.Millisecond, 99},
		{1, time.Minute - 2, 0},
		{1000, time.Minute - 2, 999},
		{1_000_000, time.Minute - 2, 999_999},
	} {
		c := newSlidingClient(row.limit, width)
		start := epoch - epoch%width
		if !c.take(start-1, row.limit) {
			t.Fatal("a new client's burst is denied")
		}
		at := start + int64(row.elapsed)
		if c.take(at, row.second+1) {
			t.Errorf("limit %d: %d pass after %v", row.limit, row.second+1, row.elapsed)
		}
		if row.second > 0 && !c.take(at, row.second) {
			t.Errorf("limit %d: %d do not pass after %v", row.limit, row.second, row.elapsed)
		}
		most := c.log.most(width)
		if most != row.limit+row.second {
			t.Errorf("limit %d: %d within a minute, want %d", row.limit, most, row.limit+row.second)
		}
		t.Logf("limit %d: %d within a minute, %.6f times", row.limit, most, float64(most)/float64(row.limit))
	}
}

func BenchmarkSliding(b *testing.B) {
	b.ReportAllocs()
	s := gcra.NewSliding(gcra.Policy{Limit: 100, Window: time.Minute})
	for b.Loop() {
		s.Admit(50, 90, epoch, epoch+int64(30*time.Second), 1)
	}
}

func BenchmarkSlidingExplain(b *testing.B) {
	b.ReportAllocs()
	s := gcra.NewSliding(gcra.Policy{Limit: 100, Window: time.Minute})
	for b.Loop() {
		s.Explain(50, 100, epoch, epoch+int64(30*time.Second), 1, false)
	}
}
