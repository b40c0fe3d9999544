package node_test

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/distributed-rate-limiter/distributed-rate-limiter/node"
)

// several are limits that requests pass together: so much a second and so much a day
// for each user, and so much a second for the tenant.
func several() node.Config {
	return node.Config{Limits: map[string]node.Policy{
		"second": {Limit: 10, Window: time.Second},
		"day":    {Algorithm: node.FixedWindow, Limit: 25, Calendar: 4},
		"tenant": {Limit: 30, Window: 100 * time.Hour},
		"shadow": {Limit: 1, Window: 100 * time.Hour, Shadow: true},
	}}
}

func user(client string) node.Request {
	return node.Request{Client: client, Limit: "second", Also: []node.Check{{Limit: "day"}, {Limit: "tenant", Client: "acme"}}}
}

func TestARequestForOneLimitIsToldOnce(t *testing.T) {
	n, _ := still(t, several())
	for name, q := range map[string]node.Request{
		"plain":       {Client: "a", Limit: "second"},
		"at most":     {Client: "a", Limit: "second", Cost: 2, AtMost: true},
		"a policy":    {Client: "a", Policy: &node.Policy{Limit: 5, Window: time.Second}},
		"a bad one":   {Client: "a", Policy: &node.Policy{Limit: -5, Window: time.Second}},
		"after other": {Client: "a", Limit: "day"},
	} {
		if d := n.DoDetailed(q); len(d.Each) != 1 || d.Each[0] != d.Decision || (d.Fault != nil) != (name == "a bad one") {
			t.Errorf("%s: got %+v", name, d)
		}
	}
}

func TestSeveralLimitsAdmitOnlyTogether(t *testing.T) {
	n, clock := still(t, several())
	left := func(limit, client string) int64 { return n.Limiter(limit).Peek(client, 1).Remaining }
	for i := range 10 {
		if d := n.Do(user("alice")); !d.Allowed || d.Limit != "second" || d.Cost != 1 {
			t.Fatalf("request %d: %+v", i, d)
		}
	}
	told := n.DoDetailed(user("alice"))
	d, each := told.Decision, told.Each
	if told.Fault != nil || d.Allowed || d.Limit != "second" || d.Reason != node.ReasonOverLimit || d.RetryAfter != 100*time.Millisecond {
		t.Errorf("%+v", d)
	}
	if len(each) != 3 || each[0].Allowed || !each[1].Allowed || each[1].Cost != 0 || each[1].Limit != "day" || !each[2].Allowed {
		t.Errorf("each: %+v", each)
	}
	if a, b := left("day", "alice"), left("tenant", "acme"); a != 15 || b != 20 {
		t.Errorf("a denial was charged: %d of the day, %d of the tenant are left", a, b)
	}
	clock.at = clock.at.Add(2 * time.Second)
	for range 10 {
		n.Do(user("alice"))
	}
	clock.at = clock.at.Add(2 * time.Second)
	for range 5 {
		n.Do(user("alice"))
	}
	if d := n.Do(user("alice")); d.Allowed || d.Limit != "day" {
		t.Errorf("the day is used up: %+v", d)
	}
	if got := left("second", "alice"); got != 5 {
		t.Errorf("%d of the second are left, want 5", got)
	}
	for range 5 {
		n.Do(user("bob"))
	}
	if d := n.Do(user("bob")); d.Allowed || d.Limit != "tenant" {
		t.Errorf("the tenant is used up: %+v", d)
	}
	stats := map[string]node.LimitStats{}
	for _, s := range n.Stats().Limits {
		stats[s.Name] = s
	}
	if s := stats["second"]; s.Allowed != 30 || s.Denied != 1 {
		t.Errorf("second: %d allowed, %d denied", s.Allowed, s.Denied)
	}
	if s := stats["tenant"]; s.Allowed != 30 || s.Denied != 1 {
		t.Errorf("tenant: %d allowed, %d denied", s.Allowed, s.Denied)
	}
}

func TestOneLimitCanBeAskedTwiceInOneRequest(t *testing.T) {
	n, _ := still(t, several())
	ask := node.Request{Client: "alice", Limit: "tenant", Cost: 10, Also: []node.Check{{Limit: "tenant", Cost: 15}}}
	if d := n.Do(ask); !d.Allowed {
		t.Fatalf("25 of 30: %+v", d)
	}
	ask.Cost, ask.Also[0].Cost = 3, 3
	if d := n.Do(ask); d.Allowed {
		t.Fatalf("6 of 5: %+v", d)
	}
	if d := n.Limiter("tenant").Peek("alice", 1); d.Remaining != 5 {
		t.Errorf("%d are left, want 5", d.Remaining)
	}
}

func TestWhatIsWrongWithOneOfSeveralIsTold(t *testing.T) {
	n, _ := still(t, several())
	for want, also := range map[node.Reason]node.Check{
		node.ReasonUnknownLimit: {Limit: "nosuch"}, node.ReasonBadCost: {Limit: "day", Cost: -1}, node.ReasonCostTooHigh: {Limit: "day", Cost: 26},
	} {
		d := n.Do(node.Request{Client: "alice", Limit: "second", Also: []node.Check{also}})
		if d.Allowed || d.Reason != want {
			t.Errorf("%v: %+v", want, d)
		}
	}
	if d := n.Do(node.Request{Client: "alice", Limit: "second", Also: make([]node.Check, node.MaxChecks+1)}); d.Reason != node.ReasonBadRequest {
		t.Errorf("%+v", d)
	}
	if d := n.Limiter("second").Peek("alice", 1); d.Remaining != 10 {
		t.Errorf("something was charged: %+v", d)
	}
	d := n.Do(node.Request{Client: "alice", Limit: "second", Also: []node.Check{{Limit: "shadow"}}})
	d2 := n.Do(node.Request{Client: "alice", Limit: "second", Also: []node.Check{{Limit: "shadow"}}})
	if !d.Allowed || !d2.Allowed {
		t.Errorf("a shadow denied: %+v, %+v", d, d2)
	}
}

// Requests that name the same limits in different orders never wait for each other in a
// ring, and admit exactly what there is.
func TestSeveralLimitsAtOnceAdmitExactlyTheLimit(t *testing.T) {
	n, _ := still(t, several())
	var admitted atomic.Int64
	together(64, func(i int) {
		for j := range 20 {
			q := node.Request{Client: fmt.Sprintf("u%d", i*20+j), Limit: "second", Also: []node.Check{{Limit: "day"}, {Limit: "tenant", Client: "acme"}}}
			if i%2 == 0 {
				q = node.Request{Client: "acme", Limit: "tenant", Also: []node.Check{{Limit: "day", Client: q.Client}, {Limit: "second", Client: q.Client}}}
			}
			if n.Do(q).Allowed {
				admitted.Add(1)
			}
		}
	})
	if got := admitted.Load(); got != 30 {
		t.Errorf("%d admitted, want 30", got)
	}
}

func TestAtMostTakesWhatFits(t *testing.T) {
	n, _ := still(t, several())
	for _, want := range []int64{20, 10, 0} {
		d := n.Do(node.Request{Client: "alice", Limit: "tenant", Cost: 20, AtMost: true})
		if d.Cost != want || d.Allowed != (want > 0) {
			t.Errorf("%+v, want %d", d, want)
		}
	}
	if d := n.Do(node.Request{Client: "bob", Limit: "tenant", Cost: 1000, AtMost: true}); d.Cost != 30 {
		t.Errorf("a cost above the burst: %+v", d)
	}
	d := n.Do(node.Request{Client: "carol", Limit: "tenant", Cost: 20, AtMost: true, Also: []node.Check{{Limit: "second"}, {Limit: "day", Cost: 2}}})
	if !d.Allowed || d.Cost != 10 {
		t.Errorf("the least of several: %+v", d)
	}
	if d := n.Limiter("day").Peek("carol", 1); d.Remaining != 23 {
		t.Errorf("%d of the day are left, want 23", d.Remaining)
	}
}

func TestAReservationUnderSeveralLimitsIsSettledUnderAll(t *testing.T) {
	n, _ := still(t, several())
	q := user("alice")
	q.Cost = 8
	q.Also = append(q.Also, node.Check{Limit: "tenant", Client: "requests", Cost: 1})
	r := n.Reserve(q)
	if !r.Allowed || r.Cost != 8 {
		t.Fatalf("%+v", r.Decision)
	}
	if back := r.Commit(3); back != 5 {
		t.Errorf("gave back %d, want 5", back)
	}
	for limit, want := range map[string]int64{"second": 7, "day": 22} {
		if got := n.Limiter(limit).Peek("alice", 1).Remaining; got != want {
			t.Errorf("%s: %d are left, want %d", limit, got, want)
		}
	}
	if a, b := n.Limiter("tenant").Peek("acme", 1).Remaining, n.Limiter("tenant").Peek("requests", 1).Remaining; a != 27 || b != 29 {
		t.Errorf("tenant: %d and %d are left", a, b)
	}
	if again := r.Cancel(); again != 0 {
		t.Errorf("settled twice: %d", again)
	}
	r = n.Reserve(q)
	r.Cancel()
	if b := n.Limiter("tenant").Peek("requests", 1).Remaining; b != 29 {
		t.Errorf("a cancelled one: %d are left", b)
	}
}

func TestALimitMayComeWithTheRequest(t *testing.T) {
	n, _ := still(t, several())
	ask := func(name, client string, limit int64) node.Decision {
		return n.Do(node.Request{Client: client, Limit: name, Policy: &node.Policy{Limit: limit, Window: 100 * time.Hour}})
	}
	for range 3 {
		ask("plan", "alice", 5)
	}
	for _, c := range []struct {
		name, client string
		limit, left  int64
	}{
		{"plan", "alice", 5, 1}, {"other", "alice", 5, 4}, {"plan", "bob", 5, 4}, {"plan", "alice", 6, 5}, {"", "alice", 5, 4}, {"default", "alice", 5, 3},
	} {
		if d := ask(c.name, c.client, c.limit); d.Remaining != c.left || d.Quota != c.limit || d.Limit == "" {
			t.Errorf("%+v: %+v", c, d)
		}
	}
	for why, p := range map[node.Reason][]node.Policy{node.ReasonBadPolicy: {
		{}, {Limit: -1, Window: time.Second}, {Limit: 1, Window: time.Hour, Overrides: make([]node.Override, 1)}, {Algorithm: node.FixedWindow, Limit: 1, Calendar: 4, TimeZone: "Europe/Berlin"},
	}} {
		for i := range p {
			if d := n.Do(node.Request{Client: "alice", Policy: &p[i]}); d.Allowed || d.Reason != why {
				t.Errorf("%+v: %+v", p[i], d)
			}
		}
	}
	s := n.Stats()
	if called := s.Limits[0]; called.Name != node.InlineLimit || called.Allowed != 9 {
		t.Errorf("%+v", called)
	}
	var refused int
	for i := range int64(node.MaxInlinePolicies) + 100 {
		if d := ask("many", "alice", 10+i); d.Reason == node.ReasonTooManyPolicies {
			refused++
		}
	}
	if refused != 102 {
		t.Errorf("%d policies were refused, want 102", refused)
	}
	if d := n.Do(node.Request{Client: "alice", Origin: "another", Policy: &node.Policy{Limit: 1 << 30, Window: time.Hour}}); !d.Allowed {
		t.Errorf("another origin's: %+v", d)
	}
}

func TestWaitTakesAsSoonAsItMay(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n, err := node.Open(t.Context(), node.Config{Limit: 2, Window: 10 * time.Second, Now: time.Now})
		must(t, err)
		defer n.Close()
		start := time.Now()
		for range 4 {
			must(t, n.Wait(t.Context(), "alice"))
		}
		if took := time.Since(start); took != 10*time.Second {
			t.Errorf("four units took %v, want 10s", took)
		}
		ctx, cancel := context.WithTimeout(t.Context(), 3*time.Second)
		defer cancel()
		start = time.Now()
		err = n.Wait(ctx, "alice")
		if limited := new(node.LimitedError); !errors.As(err, &limited) || limited.Decision.RetryAfter != 5*time.Second || time.Since(start) != 0 {
			t.Errorf("a wait beyond the deadline: %v after %v", err, time.Since(start))
		}
		if err := n.Limiter("").Wait(t.Context(), "alice", 3); !errors.As(err, new(*node.LimitedError)) {
			t.Errorf("a cost that never passes: %v", err)
		}
		if err := n.Limiter("").Wait(t.Context(), "bob", 0); !errors.As(err, new(*node.LimitedError)) {
			t.Errorf("a cost of nothing: %v", err)
		}
		ctx, cancel = context.WithCancel(t.Context())
		go cancel()
		if err := n.Wait(ctx, "alice"); !errors.Is(err, context.Canceled) {
			t.Errorf("cancelled: %v", err)
		}
	})
}

func TestAShadowLetsEverythingPass(t *testing.T) {
	cfg := several()
	cfg.Limits["blocked"] = node.Policy{Access: node.Blocked, Shadow: true}
	n, _ := still(t, cfg)
	for _, limit := range []string{"shadow", "blocked"} {
		for _, q := range []node.Request{
			{Client: "a", Limit: limit, Cost: 5},
			{Client: "a", Limit: limit, Cost: 5, Peek: true},
			{Client: "a", Limit: limit, Cost: 5, AtMost: true},
			{Client: "a", Limit: "second", Cost: 5, Peek: true, Also: []node.Check{{Limit: limit}}},
			{Client: "b", Limit: limit, Cost: 1 << 62, Also: []node.Check{{Limit: limit}, {Limit: limit}}},
		} {
			if d := n.Do(q); !d.Allowed || d.RetryAfter != 0 {
				t.Errorf("%+v: %+v", q, d)
			}
		}
		x, err := n.Explain(limit, "a")
		if must(t, err); !x.Allowed || x.RetryAfter != 0 {
			t.Errorf("%s: %+v", limit, x.Decision)
		}
	}
	if s := n.Limiter("shadow").Peek("a", 1); s.Remaining != 1 {
		t.Errorf("what a shadow would deny was charged: %+v", s)
	}
}

func TestWhatIsAskedOfOneClientInSeveralPartsIsToldAsOne(t *testing.T) {
	n, clock := still(t, node.Config{Limits: map[string]node.Policy{"x": {Limit: 10, Window: 10 * time.Second}}})
	twice := node.Request{Client: "a", Limit: "x", Cost: 4, Also: []node.Check{{Cost: 5}}}
	if d := n.Do(twice); !d.Allowed {
		t.Fatalf("9 of 10: %+v", d)
	}
	d := n.Do(twice)
	if d.Allowed || d.RetryAfter != 8*time.Second {
		t.Errorf("9 of 1: %+v", d)
	}
	clock.at = clock.at.Add(d.RetryAfter)
	if d := n.Do(twice); !d.Allowed {
		t.Errorf("after as long as was told: %+v", d)
	}
	twice.Cost = 6
	if d := n.Do(twice); d.Allowed || d.RetryAfter < time.Hour {
		t.Errorf("11 of 10 pass never: %+v", d)
	}
	twice.Client, twice.Cost, twice.AtMost = "b", 10, true
	if d := n.Do(twice); !d.Allowed || d.Cost != 5 {
		t.Errorf("5 fit beside 5: %+v", d)
	}
}

func TestAReservationTellsOfTheRequestsOwnLimit(t *testing.T) {
	n, _ := still(t, node.Config{Limits: map[string]node.Policy{"free": {Access: node.Unlimited}, "x": {Limit: 100, Window: 100 * time.Hour}}})
	r := n.Reserve(node.Request{Client: "a", Limit: "free", Cost: 40, Also: []node.Check{{Limit: "x"}}})
	if back := r.Commit(10); back != 0 {
		t.Errorf("%d were given back of a limit that nothing was taken of", back)
	}
	if left := n.Limiter("x").Peek("a", 1).Remaining; left != 90 {
		t.Errorf("%d are left, want 90", left)
	}
}
