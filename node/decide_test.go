package node_test

import (
	"math/rand/v2"
	"reflect"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/distributed-rate-limiter/distributed-rate-limiter/node"
)

// However many callers there are, a clock that stands still lets the burst pass and
// not one more.
func TestAThousandCallersGetExactlyTheLimit(t *testing.T) {
	const callers, limit = 1000, 1234
	n := alone(t, node.Config{Limit: limit, Window: time.Hour})
	var allowed atomic.Int64
	together(callers, func(int) {
		for range 3 {
			if n.Allow("alice") {
				allowed.Add(1)
			}
		}
	})
	if got := allowed.Load(); got != limit {
		t.Errorf("allowed %d, want %d", got, limit)
	}
	s := n.Stats().Limits[0]
	if s.Allowed != limit || s.Denied != 3*callers-limit || s.AllowedUnits != limit || s.DeniedUnits != 3*callers-limit {
		t.Errorf("counted %+v", s)
	}
}

func TestAThousandCallersWithCostsGetExactlyTheLimit(t *testing.T) {
	const callers, limit = 1000, 2345
	n := alone(t, node.Config{Limit: limit, Window: time.Hour})
	var units, asked atomic.Int64
	together(callers, func(i int) {
		// Each ends with a cost of 1, so nothing can be left over.
		for cost := int64(i%5 + 1); cost > 0; {
			asked.Add(cost)
			if n.Take("alice", cost).Allowed {
				units.Add(cost)
			} else {
				cost--
			}
		}
	})
	if got := units.Load(); got != limit {
		t.Errorf("allowed %d units, want %d", got, limit)
	}
	if s := n.Stats().Limits[0]; s.AllowedUnits != limit || s.DeniedUnits != uint64(asked.Load()-limit) {
		t.Errorf("counted %+v, %d units were asked for", s, asked.Load())
	}
}

// together calls f from n goroutines that start at once.
func together(n int, f func(i int)) {
	var ready, done sync.WaitGroup
	start := make(chan struct{})
	for i := range n {
		ready.Add(1)
		done.Go(func() {
			ready.Done()
			<-start
			f(i)
		})
	}
	ready.Wait()
	close(start)
	done.Wait()
}

// The table tells, for a limit of 10 per 10 s and a burst of 5, what a client is
// told after each step.
func TestADecisionTellsWhereTheClientStands(t *testing.T) {
	const s, ms = time.Second, time.Millisecond
	for i, c := range []node.Policy{
		{Limit: 10, Window: 10 * s, Burst: 5},
		{Limit: 100, Window: 100 * s, Burst: 5}, // the same rate
	} {
		n, clock := still(t, node.Config{Limit: c.Limit, Window: c.Window, Burst: c.Burst})
		for step, row := range []struct {
			pass      time.Duration
			cost      int64
			allowed   bool
			remaining int64
			retry     time.Duration
			reset     time.Duration
		}{
			{0, 1, true, 4, 0, 1 * s},
			{0, 3, true, 1, 0, 4 * s},
			{0, 2, false, 1, 1 * s, 4 * s}, // one is left, the other drains in a second
			{0, 1, true, 0, 0, 5 * s},
			{0, 1, false, 0, 1 * s, 5 * s},
			{300 * ms, 1, false, 0, 700 * ms, 4700 * ms},
			{700*ms - 1, 1, false, 0, 1, 4*s + 1},
			{1, 1, true, 0, 0, 5 * s},
			{0, 5, false, 0, 5 * s, 5 * s},
			{2500 * ms, 2, true, 0, 0, 4500 * ms},
			{4500 * ms, 1, true, 4, 0, 1 * s}, // full again at this very instant
			{time.Hour, 5, true, 0, 0, 5 * s}, // an hour saves up the burst, and no more
		} {
			clock.at = clock.at.Add(row.pass)
			reason, taken := node.ReasonOverLimit, int64(0)
			if row.allowed {
				reason, taken = node.ReasonOK, row.cost
			}
			want := node.Decision{
				Allowed: row.allowed, Cost: taken, Limit: "default", Quota: c.Limit, Window: c.Window, Burst: c.Burst,
				Remaining: row.remaining, RetryAfter: row.retry, ResetAfter: row.reset, Reason: reason,
			}
			if got := n.Take("alice", row.cost); got != want {
				t.Errorf("policy %d, step %d: got\n%+v, want\n%+v", i, step, got, want)
			}
			want.Cost = 0
			want.Allowed, want.RetryAfter, want.Reason = row.remaining > 0, 0, node.ReasonPeek
			if row.remaining == 0 {
				want.RetryAfter = row.reset - 4*s
			}
			if got := n.Do(node.Request{Client: "alice", Peek: true}); got != want {
				t.Errorf("policy %d, step %d: a peek shows\n%+v, want\n%+v", i, step, got, want)
			}
		}
	}
}

// A peek changes nothing, and shows what a take then does.
func TestAPeekShowsWhatATakeThenDoes(t *testing.T) {
	for seed := range uint64(50) {
		rnd := rand.New(rand.NewPCG(seed, 0))
		burst := 1 + rnd.Int64N(50)
		n, clock := still(t, node.Config{Limit: 1 + rnd.Int64N(100), Window: time.Duration(1+rnd.Int64N(120)) * time.Second, Burst: burst})
		clients := ids(3)
		for range 100 {
			clock.at = clock.at.Add(time.Duration(rnd.Int64N(int64(3 * time.Second))))
			if rnd.IntN(20) == 0 {
				clock.at = clock.at.Add(time.Duration(rnd.Int64N(int64(time.Hour))))
			}
			client, cost := clients[rnd.IntN(len(clients))], 1+rnd.Int64N(burst)
			before := n.Stats()
			peek := n.Limiter("").Peek(client, cost)
			if again := n.Limiter("").Peek(client, cost); again != peek {
				t.Fatalf("seed %d: a second peek shows %+v after %+v", seed, again, peek)
			}
			after := n.Stats()
			if before.Clients != after.Clients || !reflect.DeepEqual(before.Limits[0], after.Limits[0]) {
				t.Fatalf("seed %d: a peek changed %+v to %+v", seed, before.Limits[0], after.Limits[0])
			}
			take := n.Take(client, cost)
			if take.Allowed != peek.Allowed || take.RetryAfter != peek.RetryAfter {
				t.Fatalf("seed %d: peek %+v, take %+v", seed, peek, take)
			}
			if left := peek.Remaining; take.Allowed && take.Remaining != left-cost || !take.Allowed && take.Remaining != left {
				t.Fatalf("seed %d: cost %d, peek %+v, take %+v", seed, cost, peek, take)
			}
		}
	}
}

// RetryAfter is neither too long nor too short: a nanosecond earlier the same
// request is denied, then it passes.
func TestRetryAfterIsExact(t *testing.T) {
	for seed := range uint64(200) {
		rnd := rand.New(rand.NewPCG(seed, 1))
		burst := 1 + rnd.Int64N(50)
		n, clock := still(t, node.Config{Limit: 1 + rnd.Int64N(1e6), Window: time.Duration(1+rnd.Int64N(1e6)) * time.Millisecond, Burst: burst})
		n.Take("alice", burst)
		cost := 1 + rnd.Int64N(burst)
		d := n.Take("alice", cost)
		if d.Allowed || d.RetryAfter <= 0 {
			t.Fatalf("seed %d: %+v", seed, d)
		}
		clock.at = clock.at.Add(d.RetryAfter - 1)
		if n.Take("alice", cost).Allowed {
			t.Fatalf("seed %d: cost %d passes before RetryAfter %v", seed, cost, d.RetryAfter)
		}
		clock.at = clock.at.Add(1)
		if !n.Take("alice", cost).Allowed {
			t.Fatalf("seed %d: cost %d does not pass after RetryAfter %v", seed, cost, d.RetryAfter)
		}
	}
}

func TestAClockThatStepsBackGivesNothing(t *testing.T) {
	n, clock := still(t, node.Config{Limit: 2, Window: time.Hour})
	n.Take("alice", 2)
	clock.at = clock.at.Add(-24 * time.Hour)
	if d := n.Take("alice", 1); d.Allowed || d.RetryAfter != 30*time.Minute {
		t.Errorf("a day back: %+v", d)
	}
	clock.at = clock.at.Add(24*time.Hour + 30*time.Minute)
	if !n.Allow("alice") {
		t.Error("the clock is where it would be, and yet it is denied")
	}
}

// A decision on a known client allocates nothing, whatever it is.
func TestDecisionsAllocateNothing(t *testing.T) {
	n, clock := still(t, node.Config{Limit: 1000, Window: time.Second, Limits: map[string]node.Policy{strings.Repeat("l", 64): {Limit: 1, Window: time.Hour}}})
	l := newLab(t, 2, node.Config{Limit: 1000, Window: time.Second})
	named := n.Limiter(strings.Repeat("l", 64))
	long, also := strings.Repeat("x", node.MaxClientID), []node.Check{{Limit: strings.Repeat("l", 64)}, {Client: "bob"}}
	for name, f := range map[string]func(){
		"allow":               func() { n.Allow("alice") },
		"allow, long id":      func() { n.Allow(long) },
		"take":                func() { n.Take("alice", 2) },
		"take, long id":       func() { n.Take(long, 2) },
		"take, too much":      func() { n.Take("alice", 2000) },
		"do":                  func() { n.Do(node.Request{Client: "alice"}) },
		"do, unknown limit":   func() { n.Do(node.Request{Client: "alice", Limit: "nope"}) },
		"peek":                func() { n.Do(node.Request{Client: "alice", Peek: true}) },
		"several limits":      func() { n.Do(node.Request{Client: "alice", Also: also}) },
		"as much as fits":     func() { n.Do(node.Request{Client: "alice", Cost: 5, AtMost: true}) },
		"refused":             func() { named.Allow(long) },
		"refused, explained":  func() { named.Take(long, 1) },
		"allow, with a peer":  func() { l.nodes[0].Node.Allow("alice") },
		"next window":         func() { clock.at = clock.at.Add(time.Minute); n.Allow("alice") },
		"after a long pause":  func() { clock.at = clock.at.Add(time.Hour); n.Allow("alice") },
		"take, after a pause": func() { clock.at = clock.at.Add(20 * time.Second); n.Take(long, 1000) },
	} {
		f()
		if got := testing.AllocsPerRun(1000, f); got != 0 {
			t.Errorf("%s: %v allocations", name, got)
		}
	}
}
