package node_test

import (
	"context"
	"errors"
	"math"
	"strings"
	"testing"
	"time"

	"github.com/distributed-rate-limiter/distributed-rate-limiter/node"
)

// alone opens a node without a network, on a clock that stands still.
func alone(t testing.TB, cfg node.Config) *node.Node {
	t.Helper()
	cfg.Name, cfg.Now = "alone", func() time.Time { return epoch }
	n, err := node.Open(context.Background(), cfg)
	must(t, err)
	t.Cleanup(func() { must(t, n.Close()) })
	return n
}

// still makes a node that does nothing by itself, on a clock that the test moves.
func still(t testing.TB, cfg node.Config) (*node.Node, *hand) {
	t.Helper()
	clock := &hand{epoch}
	cfg.Name, cfg.Now = "still", func() time.Time { return clock.at }
	s, err := node.NewStepper(cfg, 1)
	must(t, err)
	return s.Node, clock
}

// hand is where a clock's hand is.
type hand struct{ at time.Time }

func TestBadRequestsAreDeniedWithTheirReasonAndCounted(t *testing.T) {
	n := alone(t, node.Config{Limit: 10, Window: time.Minute, Burst: 5})
	long := strings.Repeat("x", node.MaxClientID)
	for _, c := range []struct {
		name string
		ask  func() node.Decision
		want node.Reason
	}{
		{"empty id", func() node.Decision { return n.Take("", 1) }, node.ReasonNoClient},
		{"empty id, peeking", func() node.Decision { return n.Limiter("").Peek("", 1) }, node.ReasonNoClient},
		{"id too long", func() node.Decision { return n.Take(long+"x", 1) }, node.ReasonClientTooLong},
		{"cost 0", func() node.Decision { return n.Take("alice", 0) }, node.ReasonBadCost},
		{"negative cost", func() node.Decision { return n.Take("alice", math.MinInt64) }, node.ReasonBadCost},
		{"negative cost in a request", func() node.Decision { return n.Do(node.Request{Client: "alice", Cost: -1}) }, node.ReasonBadCost},
		{"unknown limit", func() node.Decision { return n.Limiter("nope").Take("alice", 1) }, node.ReasonUnknownLimit},
		{"unknown limit in a request", func() node.Decision { return n.Do(node.Request{Client: "alice", Limit: "nope"}) }, node.ReasonUnknownLimit},
		{"cost above the burst", func() node.Decision { return n.Take("alice", 6) }, node.ReasonCostTooHigh},
		{"largest cost", func() node.Decision { return n.Take("alice", math.MaxInt64) }, node.ReasonCostTooHigh},
	} {
		t.Run(c.name, func(t *testing.T) {
			before := n.Stats()
			d := c.ask()
			if d.Allowed || d.Reason != c.want {
				t.Errorf("got %+v, want reason %v", d, c.want)
			}
			if never := d.RetryAfter == math.MaxInt64; never != (c.want == node.ReasonCostTooHigh) {
				t.Errorf("retry after %v", d.RetryAfter)
			}
			after := n.Stats()
			if got := after.Refused[c.want.String()] - before.Refused[c.want.String()]; got != 1 {
				t.Errorf("counted %d times as %v", got, c.want)
			}
			if after.Clients != before.Clients || after.Limits[0].Denied != before.Limits[0].Denied {
				t.Error("a request that no limit decided left a trace in one")
			}
		})
	}
	if n.Allow("") || n.Limiter("nope").Allow("alice") {
		t.Error("Allow let one pass")
	}
	if d := n.Take(long, 5); !d.Allowed || d.Remaining != 0 {
		t.Errorf("the longest id: %+v", d)
	}
	if d := n.Take(long[1:]+"y", 5); !d.Allowed {
		t.Errorf("an id that differs in its last byte: %+v", d)
	}
	if d := n.Take("alice", 5); !d.Allowed {
		t.Errorf("bad requests took something: %+v", d)
	}
}

func TestLookupTellsWhetherThereIsALimit(t *testing.T) {
	n := alone(t, node.Config{Limits: map[string]node.Policy{"login": {Limit: 1, Window: time.Minute}}})
	if l, ok := n.Lookup("login"); !ok || !l.Allow("alice") || l.Allow("alice") {
		t.Error("login is not the limit that it was made")
	}
	late, ok := n.Lookup("late")
	if ok || late == nil || late.Allow("alice") {
		t.Error("a limit that was never made let one pass")
	}
	if n.Allow("alice") {
		t.Error("there is no default limit, and it let one pass")
	}
	must(t, errorOf(n.SetLimit("late", node.Policy{Limit: 1, Window: time.Minute})))
	if !late.Allow("alice") {
		t.Error("a limiter does not follow a limit that was made after it")
	}
}

func TestManyLimitsCountApart(t *testing.T) {
	limits := map[string]node.Policy{}
	for i := range int64(node.MaxLimits - 1) {
		limits["limit-"+ids(int(i) + 1)[i]] = node.Policy{Limit: i + 1, Window: time.Hour}
	}
	n := alone(t, node.Config{Limit: 7, Window: time.Hour, Limits: limits})
	for name, p := range limits {
		if d := n.Limiter(name).Take("alice", p.Limit); !d.Allowed || d.Remaining != 0 || d.Limit != name || d.Quota != p.Limit {
			t.Fatalf("%s: %+v", name, d)
		}
		if n.Limiter(name).Allow("alice") {
			t.Fatalf("%s allowed more than %d", name, p.Limit)
		}
	}
	if d := n.Take("alice", 7); !d.Allowed {
		t.Errorf("the default limit was charged for another: %+v", d)
	}
	if _, err := n.SetLimit("one-more", node.Policy{Limit: 1, Window: time.Hour}); !errors.Is(err, node.ErrTooManyLimits) {
		t.Errorf("limit %d: %v", node.MaxLimits+1, err)
	}
	// Names and ids are kept apart: "a" + "bc" is not "ab" + "c".
	n = alone(t, node.Config{Limits: map[string]node.Policy{"a": {Limit: 1, Window: time.Hour}, "ab": {Limit: 1, Window: time.Hour}}})
	if !n.Limiter("a").Allow("bc") || !n.Limiter("ab").Allow("c") {
		t.Error("two clients of two limits share one count")
	}
}

func TestDecisionsGoOnAfterClose(t *testing.T) {
	n := alone(t, node.Config{Limit: 3, Window: time.Minute})
	n.Allow("alice")
	must(t, n.Close())
	if got := times(4, func() bool { return n.Allow("alice") }); got != 2 {
		t.Errorf("after Close %d pass, want what was left, 2", got)
	}
	if err := n.Ready(); !errors.Is(err, node.ErrClosed) {
		t.Errorf("ready: %v", err)
	}
	for range 3 {
		must(t, n.Close())
	}
}

func TestZeroNATSIsANodeAlone(t *testing.T) {
	n := alone(t, node.Config{Limit: 3, Window: time.Minute})
	must(t, n.Ready())
	s := n.Stats()
	if s.Degraded || s.Isolated || len(s.Sync.Peers) != 0 || s.Limits[0].OvershootBound != 0 {
		t.Errorf("alone, yet %+v", s)
	}
}

// closeInTime closes n and fails the test if that takes more than the 5 s that are
// promised.
func closeInTime(t *testing.T, n *node.Node) {
	t.Helper()
	done := make(chan error, 1)
	go func() { done <- n.Close() }()
	select {
	case err := <-done:
		must(t, err)
	case <-time.After(5 * time.Second):
		t.Error("Close takes more than 5 s")
		must(t, <-done)
	}
}

// times is how often f is true of n times.
func times(n int, f func() bool) (got int) {
	for range n {
		if f() {
			got++
		}
	}
	return got
}

func TestOpenHeedsACancelledContext(t *testing.T) {
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if _, err := node.Open(ctx, node.Config{Limit: 1, Window: time.Second}); !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
}
