package envoyrls_test

import (
	"context"
	"fmt"
	"testing"
	"time"

	rls "github.com/envoyproxy/go-control-plane/envoy/service/ratelimit/v3"

	"github.com/distributed-rate-limiter/distributed-rate-limiter/node"
	"github.com/distributed-rate-limiter/distributed-rate-limiter/node/envoyrls"
)

// three makes a service on each of three nodes that count together.
func three(t *testing.T, rules string) [3]*envoyrls.Service {
	t.Helper()
	network := new(node.Memory)
	var all [3]*envoyrls.Service
	var nodes [3]*node.Node
	for i := range all {
		n, err := node.Open(context.Background(), node.Config{Name: fmt.Sprint("n", i), Limit: 1, Window: time.Second, Transport: network.Transport()})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = n.Close() })
		nodes[i], all[i] = n, envoyrls.New(envoyrls.Config{Node: n, Rules: read(t, rules)})
	}
	for _, n := range nodes {
		until(t, func() bool { return n.Ready() == nil && len(n.Stats().Sync.Peers) == 2 })
	}
	return all
}

// until waits for a condition.
func until(t *testing.T, met func() bool) {
	t.Helper()
	for begin := time.Now(); !met(); time.Sleep(5 * time.Millisecond) {
		if time.Since(begin) > 30*time.Second {
			t.Fatal("it did not happen within 30 s")
		}
	}
}

// TestABudgetOfTokensHoldsOnAnyNode looks first and charges 600 of 1,000 after each answer, on
// another node each time. The third call is refused.
func TestABudgetOfTokensHoldsOnAnyNode(t *testing.T) {
	for _, mode := range []string{"", ", quota_mode: true"} {
		all := three(t, "domain: d\ndescriptors:\n  - {key: tokens, rate_limit: {unit: day, requests_per_unit: 1000}"+mode+"}\n")
		look := func(s *envoyrls.Service) *rls.RateLimitResponse {
			return ask(t, s, request(costing(descriptor("tokens", "alice"), 0)))
		}
		for call := range 2 {
			for _, s := range all {
				until(t, func() bool { return look(s).GetStatuses()[0].GetLimitRemaining() == 1000-600*uint32(call) })
			}
			if r := look(all[call]); r.GetOverallCode() != rls.RateLimitResponse_OK {
				t.Fatalf("call %d: %v", call+1, r)
			}
			ask(t, all[call], request(costing(descriptor("tokens", "alice"), 600)))
		}
		for i, s := range all {
			until(t, func() bool { return look(s).GetOverallCode() == rls.RateLimitResponse_OVER_LIMIT })
			if left := look(s).GetStatuses()[0].GetDurationUntilReset().AsDuration(); left < 4*time.Hour+47*time.Minute || left > 5*time.Hour {
				t.Errorf("node %d: 200 of 1,000 a day drain in %v", i, left) // in 4:48
			}
		}
	}
}

func TestUnitsComeBackThroughAnyNode(t *testing.T) {
	all := three(t, "domain: d\ndescriptors:\n  - {key: user, rate_limit: {unit: day, requests_per_unit: 10}}\n")
	remaining := func(s *envoyrls.Service) uint32 {
		return ask(t, s, request(costing(descriptor("user", "a"), 0))).GetStatuses()[0].GetLimitRemaining()
	}
	ask(t, all[0], request(costing(descriptor("user", "a"), 9)))
	until(t, func() bool { return remaining(all[1]) == 1 })
	back := costing(descriptor("user", "a"), 4)
	back.IsNegativeHits = true
	if r := ask(t, all[1], request(back)); r.GetOverallCode() != rls.RateLimitResponse_OK {
		t.Errorf("got %v", r)
	}
	for _, s := range all {
		until(t, func() bool { return remaining(s) == 5 })
	}
}
