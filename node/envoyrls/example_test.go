package envoyrls_test

import (
	"context"
	"fmt"
	"time"

	ratelimit "github.com/envoyproxy/go-control-plane/envoy/extensions/common/ratelimit/v3"
	rls "github.com/envoyproxy/go-control-plane/envoy/service/ratelimit/v3"
	"google.golang.org/grpc"

	"github.com/distributed-rate-limiter/distributed-rate-limiter/node"
	"github.com/distributed-rate-limiter/distributed-rate-limiter/node/envoyrls"
)

func Example() {
	ctx := context.Background()
	n, err := node.Open(ctx, node.Config{Limit: 100, Window: time.Minute})
	if err != nil {
		fmt.Println(err)
		return
	}
	defer n.Close()

	rules, err := envoyrls.Read([]envoyrls.File{{Name: "edge.yaml", Text: []byte(`
domain: edge
descriptors:
  - key: remote_address
    rate_limit: {unit: hour, requests_per_unit: 2}
`)}}, envoyrls.Options{})
	if err != nil {
		fmt.Println(err)
		return
	}
	service := envoyrls.New(envoyrls.Config{Node: n, Rules: rules})
	service.Register(grpc.NewServer(envoyrls.ServerOptions()...)) // serve it on any listener

	for range 3 {
		answer, err := service.ShouldRateLimit(ctx, &rls.RateLimitRequest{
			Domain: "edge",
			Descriptors: []*ratelimit.RateLimitDescriptor{{
				Entries: []*ratelimit.RateLimitDescriptor_Entry{{Key: "remote_address", Value: "203.0.113.7"}},
			}},
		})
		if err != nil {
			fmt.Println(err)
			return
		}
		fmt.Println(answer.GetOverallCode(), answer.GetStatuses()[0].GetLimitRemaining())
	}
	// Output:
	// OK 1
	// OK 0
	// OVER_LIMIT 0
}
