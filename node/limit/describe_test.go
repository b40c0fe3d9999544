package limit_test

import (
	"testing"
	"time"

	"github.com/distributed-rate-limiter/distributed-rate-limiter/gcra"
	"github.com/distributed-rate-limiter/distributed-rate-limiter/node/limit"
)

func TestAPolicyIsTheSameInAllItsSpellings(t *testing.T) {
	month := limit.Policy{Limit: 9, Calendar: gcra.Month, Algorithm: limit.FixedWindow}
	shown := limit.Policy{Limit: 9, Burst: 9, Calendar: gcra.Month, Window: 31 * 24 * time.Hour, TimeZone: "UTC", Resolution: 1, MaxOvershoot: limit.DefaultMaxOvershoot, Algorithm: limit.FixedWindow, Overrides: []limit.Override{}}
	if !month.Same(shown) || !shown.Same(month) {
		t.Error("as written and as shown: not the same")
	}
	for name, change := range map[string]func(p *limit.Policy){
		"limit":     func(p *limit.Policy) { p.Limit = 8 },
		"calendar":  func(p *limit.Policy) { p.Calendar = gcra.Day },
		"zone":      func(p *limit.Policy) { p.TimeZone = "Europe/Berlin" },
		"algorithm": func(p *limit.Policy) { p.Algorithm = limit.SlidingWindow },
		"parts":     func(p *limit.Policy) { p.Resolution = 2 },
		"shadow":    func(p *limit.Policy) { p.Shadow = true },
		"ids":       func(p *limit.Policy) { p.IDs = limit.IDsAddress },
		"overrides": func(p *limit.Policy) { p.Overrides = []limit.Override{{Clients: []string{"a"}, Access: limit.Blocked}} },
	} {
		other := shown
		change(&other)
		if other.Same(month) {
			t.Errorf("with another %s: the same", name)
		}
		if before, after := limit.Change(&month, &other); before == after {
			t.Errorf("with another %s: told alike, as %s", name, after)
		}
	}
}

func TestASpanLeavesOutZeros(t *testing.T) {
	for want, d := range map[string]time.Duration{
		"1h": time.Hour, "1m": time.Minute, "1h0m1s": time.Hour + time.Second, "10m": 10 * time.Minute, "1h30m": 90 * time.Minute, "0s": 0, "100h": 100 * time.Hour, "250ms": 250 * time.Millisecond,
	} {
		if got := limit.Span(d); got != want {
			t.Errorf("%v: %s, want %s", d, got, want)
		}
	}
}
