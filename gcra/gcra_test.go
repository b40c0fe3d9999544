package gcra_test

import (
	"testing"
	"time"

	"github.com/distributed-rate-limiter/distributed-rate-limiter/gcra"
)

// request is one row of a trace: what is asked for when, and the answer.
type request struct {
	when      time.Duration // since the epoch
	cost      int64
	allowed   bool
	remaining int64
	retry     time.Duration
	reset     time.Duration
}

// run sends a trace to one client, in windows of 15 s.
func run(t *testing.T, p gcra.Policy, trace []request) {
	t.Helper()
	g := decider(t, p)
	r := newReplica(g, int64(15*time.Second))
	for i, row := range trace {
		at := epoch + int64(row.when)
		allowed := r.take(at, row.cost)
		d := g.Explain(r.level(), at, row.cost, allowed)
		want := gcra.Decision{Allowed: row.allowed, Remaining: row.remaining, RetryAfter: row.retry, ResetAfter: row.reset}
		if d != want {
			t.Errorf("step %d: cost %d at %v:\n got %+v\nwant %+v", i, row.cost, row.when, d, want)
		}
	}
}

const (
	s    = time.Second
	ns   = time.Nanosecond
	none = gcra.MaxDuration
)

func TestTrace(t *testing.T) {
	// A unit drains in 2 s, the burst in 6 s.
	run(t, gcra.Policy{Limit: 5, Window: 10 * s, Burst: 3}, []request{
		// The burst passes at once, then nothing.
		{0, 1, true, 2, 0, 2 * s},
		{0, 2, true, 0, 0, 6 * s},
		{0, 1, false, 0, 2 * s, 6 * s},
		{0, 3, false, 0, 6 * s, 6 * s},

		// One unit comes back every 2 s, not a nanosecond earlier.
		{1 * s, 1, false, 0, 1 * s, 5 * s},
		{2*s - ns, 1, false, 0, ns, 4*s + ns},
		{2 * s, 1, true, 0, 0, 6 * s},
		{2 * s, 1, false, 0, 2 * s, 6 * s},

		// A larger cost waits longer, and a denial costs nothing.
		{4 * s, 2, false, 1, 2 * s, 4 * s},
		{5 * s, 2, false, 1, 1 * s, 3 * s},
		{6 * s, 2, true, 0, 0, 6 * s},

		// Into the next window: the count begins anew, the standing does not.
		{14 * s, 3, true, 0, 0, 6 * s},
		{15 * s, 1, false, 0, 1 * s, 5 * s},
		{16 * s, 1, true, 0, 0, 6 * s},

		// The instant at which the bucket is full, and 1 ns before.
		{22*s - ns, 3, false, 2, ns, ns},
		{22 * s, 3, true, 0, 0, 6 * s},

		// Idle over many windows: a full bucket, not more.
		{10 * time.Minute, 3, true, 0, 0, 6 * s},
		{10 * time.Minute, 1, false, 0, 2 * s, 6 * s},

		// A clock that steps back waits longer, and frees nothing.
		{10*time.Minute - 1*s, 1, false, 0, 3 * s, 7 * s},
		{10*time.Minute + 2*s, 1, true, 0, 0, 6 * s},

		// Costs that can never pass.
		{11 * time.Minute, 4, false, 3, none, 0},
		{11 * time.Minute, 0, false, 3, 0, 0},
		{11 * time.Minute, 3, true, 0, 0, 6 * s},
	})
}

func TestTraceOfABurstOfOne(t *testing.T) {
	// A unit drains in a third of a second, which is not a whole number of
	// nanoseconds: the depth is rounded up, and so is the TAT.
	run(t, gcra.Policy{Limit: 3, Window: s, Burst: 1}, []request{
		{0, 1, true, 0, 0, 333_333_334},
		// The two roundings cancel: a third of a nanosecond early.
		{333_333_332, 1, false, 0, ns, 2 * ns},
		{333_333_333, 1, true, 0, 0, 333_333_334},

		// Two thirds of a second are rounded once, and so are not two rounded thirds.
		{666_666_665, 1, false, 0, ns, 2 * ns},
		{666_666_666, 1, true, 0, 0, 333_333_334},

		// The third unit has drained after one second, to the nanosecond.
		{1*s - ns, 1, false, 0, ns, ns},
		{1 * s, 1, true, 0, 0, 333_333_334},
	})
}

func TestUnknownClientHasAFullBucket(t *testing.T) {
	g := decider(t, gcra.Policy{Limit: 100, Window: time.Minute, Burst: 20})
	for _, l := range []gcra.Level{{Base: gcra.Never}, {}} {
		d := g.Explain(l, epoch, 1, false)
		if want := (gcra.Decision{Remaining: 20}); d != want {
			t.Errorf("%+v: %+v, want %+v", l, d, want)
		}
		if admitted, origin := g.Admit(l, epoch, 20); !admitted || origin != epoch {
			t.Errorf("%+v: a full burst: admitted %t, origin %d", l, admitted, origin)
		}
	}
}

func TestDeciderKnowsItsPolicy(t *testing.T) {
	g := decider(t, gcra.Policy{Limit: 100, Window: time.Minute})
	if want := (gcra.Policy{Limit: 100, Window: time.Minute, Burst: 100}); g.Policy() != want {
		t.Errorf("Policy() = %+v, want %+v", g.Policy(), want)
	}
	if g.Depth() != int64(time.Minute) {
		t.Errorf("Depth() = %d, want a minute", g.Depth())
	}
}

func TestDecisionsAllocateNothing(t *testing.T) {
	g := decider(t, gcra.Policy{Limit: 100, Window: time.Minute})
	l := gcra.Level{Base: epoch, Count: 50}
	if n := testing.AllocsPerRun(100, func() {
		admitted, _ := g.Admit(l, epoch, 1)
		g.Explain(l, epoch, 1, admitted)
	}); n != 0 {
		t.Errorf("a decision allocates %v times", n)
	}
}

func BenchmarkAdmit(b *testing.B) {
	b.ReportAllocs()
	g := decider(b, gcra.Policy{Limit: 100, Window: time.Minute})
	l := gcra.Level{Base: epoch, Count: 50}
	for b.Loop() {
		g.Admit(l, epoch, 1)
	}
}

func BenchmarkExplain(b *testing.B) {
	b.ReportAllocs()
	g := decider(b, gcra.Policy{Limit: 100, Window: time.Minute})
	l := gcra.Level{Base: epoch, Count: 150}
	for b.Loop() {
		g.Explain(l, epoch, 1, false)
	}
}
