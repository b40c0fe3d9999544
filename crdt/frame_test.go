package crdt_test

import (
	"testing"

	"pgregory.net/rapid"

	"github.com/distributed-rate-limiter/distributed-rate-limiter/crdt"
)

func TestWindowContainsItsInstants(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		f := crdt.Frame{Width: rapid.OneOf(rapid.Int64Range(1, 100), rapid.Int64Range(1, 366*24*3_600_000_000_000)).Draw(t, "width")}
		at := rapid.OneOf(rapid.Int64Range(-1000, 1000), rapid.Int64Range(crdt.Never, crdt.End)).Draw(t, "time")
		start := f.Start(at)
		if start%f.Width != 0 || start > at || at-start >= f.Width {
			t.Fatalf("Start(%d) = %d in windows of %d", at, start, f.Width)
		}
		if f.Start(start) != start || f.Start(start+f.Width-1) != start || f.Start(start-1) != start-f.Width {
			t.Fatalf("the window of %d does not have the ends of %d", at, start)
		}
	})
}
