package envoy

import (
	"context"
	"net"
	"testing"
	"time"

	ratelimit "github.com/envoyproxy/go-control-plane/envoy/extensions/common/ratelimit/v3"
	discovery "github.com/envoyproxy/go-control-plane/envoy/service/discovery/v3"
	rls "github.com/envoyproxy/go-control-plane/envoy/service/ratelimit/v3"
	"github.com/envoyproxy/go-control-plane/pkg/cache/types"
	"github.com/envoyproxy/go-control-plane/pkg/cache/v3"
	"github.com/envoyproxy/go-control-plane/pkg/resource/v3"
	"github.com/envoyproxy/go-control-plane/pkg/server/v3"
	conf "github.com/envoyproxy/go-control-plane/ratelimit/config/ratelimit/v3"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/protobuf/types/known/wrapperspb"

	"github.com/distributed-rate-limiter/distributed-rate-limiter/node"
	"github.com/distributed-rate-limiter/distributed-rate-limiter/node/envoyrls"
	"github.com/distributed-rate-limiter/distributed-rate-limiter/node/envoyrls/xds"
)

// nodeID is the name under which Envoy AI Gateway knows its rate limit service.
const nodeID = "envoy-ai-gateway-ratelimit"

// gateway is the tree of descriptors that Envoy AI Gateway's controller serves: by backend,
// model, and the headers that a quota is by.
func gateway(tokens uint32) *conf.RateLimitConfig {
	backend := func(name string) *conf.RateLimitDescriptor {
		return &conf.RateLimitDescriptor{Key: "backend_name", Value: name, Descriptors: []*conf.RateLimitDescriptor{{
			Key: "model_name_override", Value: "gpt", Descriptors: []*conf.RateLimitDescriptor{{
				Key: "rule-0-match-0", Value: "rule-0-match-0", Descriptors: []*conf.RateLimitDescriptor{{
					Key: "rule-0-match-1", QuotaMode: true,
					RateLimit: &conf.RateLimitPolicy{Unit: conf.RateLimitUnit_HOUR, RequestsPerUnit: tokens},
				}},
			}},
		}}}
	}
	return &conf.RateLimitConfig{Name: "ai-gateway-quota", Domain: "ai-gateway-quota", Descriptors: []*conf.RateLimitDescriptor{backend("ns/a"), backend("ns/b")}}
}

// candidate is what Envoy asks for one backend.
func candidate(backend string, hits *wrapperspb.UInt64Value) *ratelimit.RateLimitDescriptor {
	return &ratelimit.RateLimitDescriptor{HitsAddend: hits, Entries: []*ratelimit.RateLimitDescriptor_Entry{
		{Key: "backend_name", Value: backend}, {Key: "model_name_override", Value: "gpt"}, {Key: "rule-0-match-0", Value: "rule-0-match-0"}, {Key: "rule-0-match-1", Value: "alice"},
	}}
}

// TestRulesFromAControlPlane serves rules with go-control-plane's own cache and server.
func TestRulesFromAControlPlane(t *testing.T) {
	snapshots := cache.NewSnapshotCache(true, cache.IDHash{}, nil)
	publish := func(version string, c *conf.RateLimitConfig) {
		t.Helper()
		snapshot, err := cache.NewSnapshot(version, map[resource.Type][]types.Resource{resource.RateLimitConfigType: {c}})
		if err == nil {
			err = snapshots.SetSnapshot(t.Context(), nodeID, snapshot)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	publish("1", gateway(1000))
	l, err := new(net.ListenConfig).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	plane := grpc.NewServer()
	discovery.RegisterAggregatedDiscoveryServiceServer(plane, server.NewServer(ctx, snapshots, nil))
	go plane.Serve(l)
	n, err := node.Open(context.Background(), node.Config{Limit: 1, Window: time.Second})
	if err != nil {
		t.Fatal(err)
	}
	service := envoyrls.New(envoyrls.Config{Node: n})
	done := make(chan struct{})
	go func() {
		defer close(done)
		xds.Follow(ctx, xds.Config{
			Dial: func() (*grpc.ClientConn, error) {
				return grpc.NewClient(l.Addr().String(), grpc.WithTransportCredentials(insecure.NewCredentials()))
			},
			Take: service.SetRules, NodeID: nodeID, Backoff: 10 * time.Millisecond,
		})
	}()
	t.Cleanup(func() {
		cancel()
		plane.Stop()
		<-done
		_ = n.Close()
	})
	ask := func(ds ...*ratelimit.RateLimitDescriptor) *rls.RateLimitResponse {
		t.Helper()
		for begin := time.Now(); ; time.Sleep(5 * time.Millisecond) {
			r, err := service.ShouldRateLimit(t.Context(), &rls.RateLimitRequest{Domain: "ai-gateway-quota", Descriptors: ds})
			if err == nil {
				return r
			}
			if time.Since(begin) > patience {
				t.Fatal(err)
			}
		}
	}
	if r := ask(candidate("ns/a", nil), candidate("ns/b", nil)); r.GetOverallCode() != rls.RateLimitResponse_OK || r.GetStatuses()[1].GetLimitRemaining() != 999 {
		t.Errorf("the first call: %v", r)
	}
	ask(candidate("ns/a", wrapperspb.UInt64(1200)))
	if r := ask(candidate("ns/a", nil), candidate("ns/b", nil)); r.GetOverallCode() != rls.RateLimitResponse_OK || r.GetStatuses()[0].GetCode() != rls.RateLimitResponse_OVER_LIMIT {
		t.Errorf("one backend is used up: %v", r)
	}
	ask(candidate("ns/b", wrapperspb.UInt64(1200)))
	if r := ask(candidate("ns/a", nil), candidate("ns/b", nil)); r.GetOverallCode() != rls.RateLimitResponse_OVER_LIMIT {
		t.Errorf("all backends are used up: %v", r)
	}

	faulty := gateway(1000)
	faulty.Descriptors[0].Key = ""
	publish("2", faulty) // is refused, and the last good set goes on
	publish("3", gateway(50))
	for begin := time.Now(); ask(candidate("ns/a", wrapperspb.UInt64(0))).GetStatuses()[0].GetCurrentLimit().GetRequestsPerUnit() != 50; time.Sleep(5 * time.Millisecond) {
		if time.Since(begin) > patience {
			t.Fatal("new rules are not taken over")
		}
	}
}
