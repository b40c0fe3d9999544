package gcra_test

import (
	"testing"
	"time"

	"github.com/distributed-rate-limiter/distributed-rate-limiter/gcra"
)

// fixedClient counts as a caller of Fixed does.
type fixedClient struct {
	f     *gcra.Fixed
	start int64
	used  uint64
	log   eventLog
}

func (c *fixedClient) take(t, cost int64) bool {
	if start := c.f.Periods().Start(t); start != c.start {
		c.start, c.used = start, 0
	}
	if !c.f.Admit(c.used, cost) {
		return false
	}
	c.used += uint64(cost)
	c.log = append(c.log, event{t, cost})
	return true
}

func TestFixedWindowsNeverHoldMoreThanTheLimit(t *testing.T) {
	rnd := seeded(t, 20)
	decisions, allowed := 0, 0
	for range 200 {
		unit := gcra.Unit(1 + rnd.IntN(int(gcra.Year)))
		zone := "UTC"
		if unit >= gcra.Day {
			zone = zones[rnd.IntN(len(zones))]
		}
		p := periods(t, 0, unit, zone)
		limit := logUniform(rnd, 1, 1000)
		c := &fixedClient{f: gcra.NewFixed(gcra.Policy{Limit: limit}, p), start: gcra.Never}
		at := rnd.Int64N(epoch / 2)
		for range 500 { // 122 years if windows are years
			at += rnd.Int64N(int64(p.Longest())/4 + 1)
			cost := logUniform(rnd, 1, limit)
			// The oracle knows the calendar window and the log, and no count.
			held := c.log.between(p.Start(at), p.End(at))
			if got, want := c.take(at, cost), held+cost <= limit; got != want {
				t.Fatalf("%v in %s: cost %d with %d of %d used: %t", unit, zone, cost, held, limit, got)
			} else if got {
				allowed++
			}
			decisions++
		}
	}
	mixed(t, allowed, decisions)
}

// Fixed windows admit twice the limit around where two meet, and three times where the
// one in the middle is shorter than what is looked at.
func TestFixedWindowsAdmitTheirLimitOnBothSidesOfABoundary(t *testing.T) {
	for _, row := range []struct {
		unit    gcra.Unit
		zone    string
		at      []string // the whole limit is asked for
		width   time.Duration
		windows int64 // how many times the limit passes within the width
	}{
		{gcra.Minute, "", []string{"2026-11-23T12:00:59Z", "2026-11-23T12:01:00Z"}, time.Minute, 2},
		{gcra.Day, "Europe/Berlin", []string{"2026-11-23T22:59:59Z", "2026-11-23T23:00:00Z"}, 24 * time.Hour, 2},
		{gcra.Day, "Europe/Berlin", []string{"2025-03-29T22:59:59Z", "2025-03-30T12:00:00Z", "2025-03-30T22:00:00Z"}, 24 * time.Hour, 3},
		{gcra.Month, "", []string{"2026-01-31T23:59:59Z", "2026-02-10T00:00:00Z", "2026-03-01T00:00:00Z"}, 31 * 24 * time.Hour, 3},
	} {
		const limit = 100
		c := &fixedClient{f: gcra.NewFixed(gcra.Policy{Limit: limit}, periods(t, 0, row.unit, row.zone)), start: gcra.Never}
		for _, at := range row.at {
			if !c.take(instant(t, at), limit) || c.take(instant(t, at), 1) {
				t.Errorf("%v: the limit does not pass once at %s", row.unit, at)
			}
		}
		got := c.log.most(int64(row.width))
		if got != row.windows*limit {
			t.Errorf("%v in %q: %d within %v, want %d times the limit", row.unit, row.zone, got, row.width, row.windows)
		}
		t.Logf("%v in %q: %d times the limit of %d within %v", row.unit, row.zone, got/limit, limit, row.width)
	}
}

func BenchmarkFixed(b *testing.B) {
	b.ReportAllocs()
	f := gcra.NewFixed(gcra.Policy{Limit: 100}, periods(b, 0, gcra.Hour, ""))
	for b.Loop() {
		f.Admit(50, 1)
	}
}

func BenchmarkFixedExplain(b *testing.B) {
	b.ReportAllocs()
	f := gcra.NewFixed(gcra.Policy{Limit: 100}, periods(b, 0, gcra.Hour, ""))
	for b.Loop() {
		f.Explain(100, epoch, 1, false)
	}
}
