package gcra_test

import (
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/distributed-rate-limiter/distributed-rate-limiter/gcra"
)

// standing is a client at some level, and an instant near one that matters to it.
type standing struct {
	g     *gcra.GCRA
	level gcra.Level
	t     int64
}

func (s standing) admits(t, cost int64) bool {
	admitted, _ := s.g.Admit(s.level, t, cost)
	return admitted
}

func (s standing) explain(t, cost int64) gcra.Decision {
	return s.g.Explain(s.level, t, cost, s.admits(t, cost))
}

func standings(t *rapid.T) standing {
	s := standing{g: deciders(t)}
	burst := uint64(s.g.Policy().Burst)
	counts := rapid.OneOf(rapid.Uint64Range(0, 2*burst), rapid.SampledFrom([]uint64{0, 1, burst - 1, burst, burst + 1, 3 * burst}))
	s.level = gcra.Level{
		Base:  rapid.OneOf(rapid.Just[int64](gcra.Never), rapid.Int64Range(0, doomsday), rapid.Int64Range(epoch-1e9, epoch+1e9)).Draw(t, "base"),
		Count: counts.Draw(t, "count"),
	}
	if s.level.Base == gcra.Never {
		s.level.Count = 0 // nothing is counted without an origin
	}
	near := rapid.SampledFrom([]int64{s.level.Base, s.g.TAT(s.level), s.g.TAT(s.level) - s.g.Depth()}).Draw(t, "near")
	away := rapid.OneOf(rapid.Int64Range(-3, 3), rapid.Int64Range(-s.g.Depth(), s.g.Depth())).Draw(t, "away")
	s.t = min(max(0, near+away), doomsday)
	return s
}

func TestRemainingIsTheLargestCostThatPasses(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		s := standings(t)
		burst := s.g.Policy().Burst
		left := s.explain(s.t, 1).Remaining
		if left < 0 || left > burst {
			t.Fatalf("%d remain of %d", left, burst)
		}
		if left > 0 && !s.admits(s.t, left) {
			t.Fatalf("%d remain but do not pass", left)
		}
		if left < burst && s.admits(s.t, left+1) {
			t.Fatalf("%d remain but one more passes", left)
		}
	})
}

func TestRetryAfterIsTheShortestWait(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		s := standings(t)
		cost := rapid.OneOf(rapid.Just[int64](1), rapid.Int64Range(1, s.g.Policy().Burst)).Draw(t, "cost")
		d := s.explain(s.t, cost)
		wait := int64(d.RetryAfter)
		switch {
		case d.Allowed && wait != 0:
			t.Fatalf("allowed, but to be retried after %d ns", wait)
		case d.Allowed:
		case wait <= 0:
			t.Fatalf("denied, but to be retried after %d ns", wait)
		case !s.admits(s.t+wait, cost):
			t.Fatalf("still denied after %d ns", wait)
		case s.admits(s.t+wait-1, cost):
			t.Fatalf("admitted earlier than after %d ns", wait)
		}
	})
}

func TestResetAfterIsTheTimeUntilTheBucketIsFull(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		s := standings(t)
		wait := int64(s.explain(s.t, 1).ResetAfter)
		if want := max(0, s.g.TAT(s.level)-s.t); wait != want {
			t.Fatalf("reset after %d ns, want %d", wait, want)
		}
		if d := s.explain(s.t+wait, 1); d.ResetAfter != 0 || d.Remaining != s.g.Policy().Burst {
			t.Fatalf("after %d ns: %+v", wait, d)
		}
		if wait > 0 {
			if d := s.explain(s.t+wait-1, 1); d.ResetAfter != 1 {
				t.Fatalf("1 ns before the reset: %+v", d)
			}
		}
	})
}

// More time, a lower count, an older origin or a smaller cost never turn a yes into
// a no.
func TestDecisionsAreMonotone(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		s := standings(t)
		cost := rapid.Int64Range(1, s.g.Policy().Burst).Draw(t, "cost")
		d := s.explain(s.t, cost)

		better := s
		better.level.Count = rapid.Uint64Range(0, s.level.Count).Draw(t, "lower count")
		if s.level.Base > 0 {
			better.level.Base = rapid.Int64Range(0, s.level.Base).Draw(t, "older origin")
		}
		better.t += rapid.Int64Range(0, 2*s.g.Depth()).Draw(t, "later")
		less := rapid.Int64Range(1, cost).Draw(t, "smaller cost")
		e := better.explain(better.t, less)
		if d.Allowed && !e.Allowed {
			t.Fatalf("%+v admits %d, but %+v does not admit %d", s, cost, better, less)
		}
		if e.Remaining < d.Remaining || e.RetryAfter > d.RetryAfter || e.ResetAfter > d.ResetAfter {
			t.Fatalf("%+v is told %+v, but %+v %+v", s, d, better, e)
		}
	})
}

// What an origin that Admit returns does: the bucket was full, and is now short of
// the cost alone.
func TestOriginIsReturnedIfAndOnlyIfTheBucketWasFull(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		s := standings(t)
		cost := rapid.Int64Range(1, s.g.Policy().Burst).Draw(t, "cost")
		before := s.g.TAT(s.level)
		admitted, origin := s.g.Admit(s.level, s.t, cost)
		if full := before < s.t; full != (origin != gcra.Never) {
			t.Fatalf("TAT is %d ns ahead, and the origin %d", before-s.t, origin)
		}
		if origin == gcra.Never {
			return
		}
		if !admitted {
			t.Fatal("a full bucket denied")
		}
		if origin <= s.level.Base {
			t.Fatalf("the origin steps back from %d to %d", s.level.Base, origin)
		}
		after := s.g.TAT(gcra.Level{Base: origin, Count: s.level.Count + uint64(cost)})
		if drain := s.g.Drain(uint64(cost)); after > s.t+drain || after < s.t+drain-1 {
			t.Fatalf("TAT is %d ns ahead after a cost that drains in %d", after-s.t, drain)
		}
	})
}

func TestImpossibleCostsNeverPass(t *testing.T) {
	g := decider(t, gcra.Policy{Limit: 10, Window: time.Second, Burst: 5})
	for _, l := range []gcra.Level{{Base: gcra.Never}, {}, {Base: epoch, Count: 3}, {Base: epoch, Count: 50}} {
		for _, row := range []struct {
			cost  int64
			retry time.Duration
		}{
			{-1 << 63, 0}, {-1, 0}, {0, 0}, // never asked for, so there is nothing to wait for
			{6, gcra.MaxDuration}, {1<<63 - 1, gcra.MaxDuration},
		} {
			admitted, origin := g.Admit(l, epoch, row.cost)
			if admitted || origin != gcra.Never {
				t.Errorf("cost %d at %+v: admitted %t, origin %d", row.cost, l, admitted, origin)
			}
			if d := g.Explain(l, epoch, row.cost, false); d.Allowed || d.RetryAfter != row.retry {
				t.Errorf("cost %d at %+v: %+v, want to retry after %v", row.cost, l, d, row.retry)
			}
		}
	}
}
