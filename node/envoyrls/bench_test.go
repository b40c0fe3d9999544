package envoyrls_test

import (
	"context"
	"fmt"
	"testing"

	ratelimit "github.com/envoyproxy/go-control-plane/envoy/extensions/common/ratelimit/v3"

	"github.com/distributed-rate-limiter/distributed-rate-limiter/node/envoyrls"
)

// BenchmarkShouldRateLimit is the service without gRPC, for requests of several descriptors.
func BenchmarkShouldRateLimit(b *testing.B) {
	s := envoyrls.New(envoyrls.Config{Node: openNode(b), Rules: read(b, `
domain: d
descriptors:
  - {key: user, rate_limit: {unit: second, requests_per_unit: 4000000000}}
`)})
	for _, n := range []int{1, 2, 8} {
		b.Run(fmt.Sprint(n, " descriptors"), func(b *testing.B) {
			var ds []*ratelimit.RateLimitDescriptor
			for i := range n {
				ds = append(ds, descriptor("user", fmt.Sprint("user-", i)))
			}
			req := request(ds...)
			b.ReportAllocs()
			for b.Loop() {
				if _, err := s.ShouldRateLimit(context.Background(), req); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

// BenchmarkLoopback is the service through gRPC on loopback, with 16 callers. What a request
// costs beyond gRPC is the share of ShouldRateLimit in a profile of it.
func BenchmarkLoopback(b *testing.B) {
	s := envoyrls.New(envoyrls.Config{Node: openNode(b), Rules: read(b, `
domain: d
descriptors:
  - {key: user, rate_limit: {unit: second, requests_per_unit: 4000000000}}
`)})
	client, _ := serve(b, s)
	b.SetParallelism(8)
	b.ReportAllocs()
	b.RunParallel(func(pb *testing.PB) {
		req := request(descriptor("user", "alice"))
		for pb.Next() {
			if _, err := client.ShouldRateLimit(context.Background(), req); err != nil {
				b.Error(err)
				return
			}
		}
	})
}
