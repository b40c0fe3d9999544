package envoyrls_test

import (
	"context"
	"fmt"
	"testing"

	ratelimit "github.com/envoyproxy/go-control-plane/envoy/extensions/common/ratelimit/v3"

	"github.com/distributed-rate-limiter/distributed-rate-limiter/node/envoyrls"
	"github.com/distributed-rate-limiter/distributed-rate-limiter/node/internal/racing"
)

// TestADescriptorCostsNoAllocation compares requests of more and more descriptors: what a
// request allocates does not grow with them.
func TestADescriptorCostsNoAllocation(t *testing.T) {
	s := envoyrls.New(envoyrls.Config{Node: openNode(t), Stats: true, Rules: read(t, `
domain: d
descriptors:
  - {key: user, rate_limit: {unit: second, requests_per_unit: 4000000000}}
`)})
	for name, make := range map[string]func(user string) *ratelimit.RateLimitDescriptor{
		"together": func(user string) *ratelimit.RateLimitDescriptor { return descriptor("user", user) },
		"looks":    func(user string) *ratelimit.RateLimitDescriptor { return costing(descriptor("user", user), 0) },
		"charges":  func(user string) *ratelimit.RateLimitDescriptor { return costing(descriptor("user", user), 2) },
	} {
		cost := func(descriptors int) float64 {
			req := request()
			for i := range descriptors {
				req.Descriptors = append(req.Descriptors, make(fmt.Sprint(i)))
			}
			return testing.AllocsPerRun(200, func() {
				if _, err := s.ShouldRateLimit(context.Background(), req); err != nil {
					t.Fatal(err)
				}
			})
		}
		// The race detector lets pools forget buffers at random: then the eight more
		// descriptors must stay below one allocation for each.
		forgotten := 0.0
		if racing.Detected {
			forgotten = 7
		}
		// From three on, an answer has its statuses apart: three allocations for all.
		few, many := cost(6), cost(14)
		if t.Logf("%s: %v of one, %v of six, %v of fourteen", name, cost(1), few, many); many > few+forgotten {
			t.Errorf("%s: six descriptors cost %v allocations, fourteen %v", name, few, many)
		}
	}
}
