package gcra_test

import (
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/distributed-rate-limiter/distributed-rate-limiter/gcra"
)

// account is what one client has used by some algorithm of windows, and an instant near
// one that matters to it. Its functions may be asked for later instants: they roll the
// windows on as a caller does, with nothing else arriving.
type account struct {
	limit  int64
	t      int64
	admits func(t, cost int64) bool
	tell   func(t, cost int64, allowed bool) gcra.Decision
}

func (a account) explain(t, cost int64) gcra.Decision { return a.tell(t, cost, a.admits(t, cost)) }

// limits draws a limit, and uses what a window may have counted: much more than the
// limit at times, as nodes decide alone.
func limits(t *rapid.T) (limit int64, use *rapid.Generator[uint64]) {
	limit = rapid.OneOf(rapid.Int64Range(1, 100), rapid.Int64Range(1, gcra.MaxUnits), rapid.Just[int64](gcra.MaxUnits)).Draw(t, "limit")
	l := uint64(limit)
	return limit, rapid.OneOf(
		rapid.Uint64Range(0, 2*l), rapid.Uint64Range(0, l/4), rapid.Uint64Range(0, 3), rapid.Uint64Range(0, 1001<<54),
		rapid.SampledFrom([]uint64{0, 1, l - 1, l, l + 1, 3 * l, 1001 << 54}),
	)
}

// widths draws a window.
func widths(t *rapid.T) int64 {
	return rapid.OneOf(
		rapid.SampledFrom([]int64{int64(time.Second), int64(time.Minute), int64(day), int64(gcra.MaxWindow), int64(gcra.MinWindow)}),
		rapid.Int64Range(int64(gcra.MinWindow), int64(gcra.MaxWindow)),
	).Draw(t, "window")
}

// offsetsIn draws where in a window of that width a request comes, at times a little
// before it.
func offsetsIn(t *rapid.T, width int64) int64 {
	return rapid.OneOf(
		rapid.Int64Range(0, width-1), rapid.Int64Range(-width/10, -1), rapid.SampledFrom([]int64{-1, 0, 1, width / 2, width - 2, width - 1}),
	).Draw(t, "into the window")
}

func fixedAccount(t *rapid.T) account {
	limit, use := limits(t)
	p := anyPeriods(t)
	f := gcra.NewFixed(gcra.Policy{Limit: limit}, p)
	used := use.Draw(t, "used")
	at := rapid.Int64Range(0, doomsday).Draw(t, "at")
	if rapid.Bool().Draw(t, "close to the end") {
		at = p.End(at) - rapid.Int64Range(1, 3).Draw(t, "before it")
	}
	end := p.End(at)
	now := func(t int64) uint64 {
		if t >= end {
			return 0
		}
		return used
	}
	return account{
		limit: limit, t: at,
		admits: func(t, cost int64) bool { return f.Admit(now(t), cost) },
		tell: func(t, cost int64, allowed bool) gcra.Decision {
			return f.Explain(now(t), t, cost, allowed)
		},
	}
}

func slidingAccount(t *rapid.T) account {
	limit, use := limits(t)
	width := widths(t)
	s := gcra.NewSliding(gcra.Policy{Limit: limit, Window: time.Duration(width)})
	cur, prev := use.Draw(t, "cur"), use.Draw(t, "prev")
	start := epoch - epoch%width
	now := func(t int64) (c, p uint64, at int64) {
		switch age := (t - start) / width; {
		case t < start || age == 0:
			return cur, prev, start
		case age == 1:
			return 0, cur, start + width
		default:
			return 0, 0, start + age*width
		}
	}
	return account{
		limit: limit, t: start + offsetsIn(t, width),
		admits: func(t, cost int64) bool {
			c, p, start := now(t)
			return s.Admit(c, p, start, t, cost)
		},
		tell: func(t, cost int64, allowed bool) gcra.Decision {
			c, p, start := now(t)
			return s.Explain(c, p, start, t, cost, allowed)
		},
	}
}

func segmentedAccount(t *rapid.T) account {
	limit, use := limits(t)
	n := rapid.IntRange(1, 60).Draw(t, "n")
	s := gcra.NewSegmented(gcra.Policy{Limit: limit, Window: time.Duration(widths(t))}, n)
	counts := rapid.SliceOfN(use, n+1, n+1).Draw(t, "counts")
	if rapid.Bool().Draw(t, "few in the newest") {
		for i := range n {
			counts[i] = min(counts[i], 1)
		}
	}
	start := s.Start(epoch)
	now := func(t int64) ([]uint64, int64) {
		age := max(0, (s.Start(t)-start)/s.Sub())
		rolled := make([]uint64, n+1)
		if age <= int64(n) {
			copy(rolled[age:], counts)
		}
		return rolled, start + age*s.Sub()
	}
	return account{
		limit: limit, t: start + offsetsIn(t, s.Sub()),
		admits: func(t, cost int64) bool {
			c, _ := now(t)
			return s.Admit(c, cost)
		},
		tell: func(t, cost int64, allowed bool) gcra.Decision {
			c, start := now(t)
			return s.Explain(c, start, t, cost, allowed)
		},
	}
}

var accounts = []struct {
	name string
	draw func(t *rapid.T) account
}{{"fixed", fixedAccount}, {"sliding", slidingAccount}, {"segmented", segmentedAccount}}

func forEachAccount(t *testing.T, check func(t *rapid.T, a account)) {
	t.Helper()
	for _, row := range accounts {
		t.Run(row.name, func(t *testing.T) {
			rapid.Check(t, func(t *rapid.T) { check(t, row.draw(t)) })
		})
	}
}

func TestWindowsTellTheLargestCostThatPasses(t *testing.T) {
	forEachAccount(t, func(t *rapid.T, a account) {
		left := a.explain(a.t, 1).Remaining
		if left < 0 || left > a.limit {
			t.Fatalf("%d remain of %d", left, a.limit)
		}
		if left > 0 && !a.admits(a.t, left) {
			t.Fatalf("%d remain but do not pass", left)
		}
		if left < a.limit && a.admits(a.t, left+1) {
			t.Fatalf("%d remain but one more passes", left)
		}
	})
}

func TestWindowsTellTheShortestWait(t *testing.T) {
	forEachAccount(t, func(t *rapid.T, a account) {
		cost := rapid.OneOf(rapid.Just[int64](1), rapid.Just(a.limit), rapid.Int64Range(1, a.limit)).Draw(t, "cost")
		d := a.explain(a.t, cost)
		wait := int64(d.RetryAfter)
		switch {
		case d.Allowed && wait != 0:
			t.Fatalf("allowed, but to be retried after %d ns", wait)
		case d.Allowed:
		case wait <= 0:
			t.Fatalf("denied, but to be retried after %d ns", wait)
		case !a.admits(a.t+wait, cost):
			t.Fatalf("still denied after %d ns", wait)
		case a.admits(a.t+wait-1, cost):
			t.Fatalf("admitted earlier than after %d ns", wait)
		case a.admits(a.t+rapid.Int64Range(0, wait-1).Draw(t, "meanwhile"), cost):
			t.Fatalf("admitted and denied again before %d ns were over", wait)
		}
	})
}

func TestWindowsTellWhenNothingIsCountedAnyMore(t *testing.T) {
	forEachAccount(t, func(t *rapid.T, a account) {
		wait := int64(a.explain(a.t, 1).ResetAfter)
		if wait < 0 {
			t.Fatalf("reset after %d ns", wait)
		}
		if !a.admits(a.t+wait, a.limit) {
			t.Fatalf("after %d ns the limit does not pass", wait)
		}
		if d := a.explain(a.t+wait, 1); d.ResetAfter != 0 || d.Remaining != a.limit {
			t.Fatalf("after %d ns: %+v", wait, d)
		}
		if wait > 0 {
			if d := a.explain(a.t+wait-1, 1); d.ResetAfter != 1 || a.admits(a.t+wait-1, a.limit) {
				t.Fatalf("1 ns before the reset: %+v", d)
			}
		}
	})
}

// More time or a smaller cost never turn a yes into a no.
func TestWindowsDecideMonotonely(t *testing.T) {
	forEachAccount(t, func(t *rapid.T, a account) {
		cost := rapid.Int64Range(1, a.limit).Draw(t, "cost")
		later := a.t + rapid.OneOf(rapid.Int64Range(0, 10), rapid.Int64Range(0, 3*int64(gcra.MaxWindow))).Draw(t, "later")
		less := rapid.Int64Range(1, cost).Draw(t, "smaller cost")
		d, e := a.explain(a.t, cost), a.explain(later, less)
		if d.Allowed && !e.Allowed || e.Remaining < d.Remaining {
			t.Fatalf("cost %d at %d is told %+v, but cost %d at %d %+v", cost, a.t, d, less, later, e)
		}
	})
}

func TestWindowsNeverLetImpossibleCostsPass(t *testing.T) {
	forEachAccount(t, func(t *rapid.T, a account) {
		for _, row := range []struct {
			cost  int64
			retry time.Duration
		}{
			{-1 << 63, 0}, {-1, 0}, {0, 0}, // never asked for, so there is nothing to wait for
			{a.limit + 1, gcra.MaxDuration}, {1<<63 - 1, gcra.MaxDuration},
		} {
			if a.admits(a.t, row.cost) {
				t.Fatalf("cost %d passes", row.cost)
			}
			if d := a.explain(a.t, row.cost); d.Allowed || d.RetryAfter != row.retry {
				t.Fatalf("cost %d: %+v, want to retry after %v", row.cost, d, row.retry)
			}
		}
	})
}

func TestDecisionsByWindowsAllocateNothing(t *testing.T) {
	p := gcra.Policy{Limit: 100, Window: time.Minute}
	fixed := gcra.NewFixed(p, periods(t, 0, gcra.Day, "Europe/Berlin"))
	sliding, segmented := gcra.NewSliding(p), gcra.NewSegmented(p, 60)
	if n := testing.AllocsPerRun(100, func() {
		var counts [61]uint64
		counts[7] = 100
		start := segmented.Start(epoch)
		fixed.Explain(100, epoch, 1, fixed.Admit(100, 1))
		sliding.Explain(50, 90, start, epoch, 1, sliding.Admit(50, 90, start, epoch, 1))
		segmented.Explain(counts[:], start, epoch, 1, segmented.Admit(counts[:], 1))
	}); n != 0 {
		t.Errorf("a decision allocates %v times", n)
	}
}
