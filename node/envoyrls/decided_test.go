package envoyrls_test

import (
	"context"
	"slices"
	"testing"

	"github.com/distributed-rate-limiter/distributed-rate-limiter/node/envoyrls"
	"github.com/distributed-rate-limiter/distributed-rate-limiter/node/internal/doortest"
)

// A trace tells of the rule, not of the limit that all rules share, and what Envoy was answered.
func TestWhatIsAnsweredIsTold(t *testing.T) {
	var told doortest.Told
	n, _ := clocked(t)
	s := envoyrls.New(envoyrls.Config{Node: n, Decided: told.Decided, Rules: read(t, "domain: d\ndescriptors:\n"+
		"  - {key: user, rate_limit: {unit: hour, requests_per_unit: 3}}\n"+
		"  - {key: tokens, quota_mode: true, rate_limit: {unit: hour, requests_per_unit: 5}}\n")})
	ask(t, s, request(costing(descriptor("user", "a"), 2)))
	ask(t, s, request(costing(descriptor("user", "a"), 0)))
	ask(t, s, request(descriptor("user", "a")))
	ask(t, s, request(descriptor("user", "a")))
	ask(t, s, request(descriptor("user", "b"), costing(descriptor("tokens", "b"), 4)))
	ask(t, s, request(costing(descriptor("tokens", "b"), 4), costing(descriptor("tokens", "c"), 1))) // one is over, the request is not
	ask(t, s, request(descriptor("nobody", "a")))
	if _, err := s.ShouldRateLimit(context.Background(), request()); err == nil {
		t.Error("a request without descriptors was answered")
	}
	if got, want := told.Lines(), []string{
		"user allowed 2 of 2, 1 left", "user allowed a look, 1 left", "user allowed 1 of 1, 0 left", "user denied 0 of 1, 0 left",
		"tokens allowed 4 of 4, 1 left", "tokens allowed 4 of 4, 0 left",
	}; !slices.Equal(got, want) {
		t.Errorf("got  %q\nwant %q", got, want)
	}
}
