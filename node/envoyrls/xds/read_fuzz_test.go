package xds

import (
	"testing"

	discovery "github.com/envoyproxy/go-control-plane/envoy/service/discovery/v3"
	conf "github.com/envoyproxy/go-control-plane/ratelimit/config/ratelimit/v3"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/anypb"
	"google.golang.org/protobuf/types/known/structpb"

	"github.com/distributed-rate-limiter/distributed-rate-limiter/node/envoyrls"
)

// FuzzRead reads answers that any control plane may give: all of an answer holds, or nothing of it,
// and the fault has a text, which goes back to the control plane.
func FuzzRead(f *testing.F) {
	answer := func(all ...*conf.RateLimitConfig) []byte {
		a := &discovery.DiscoveryResponse{TypeUrl: TypeURL, VersionInfo: "1"}
		for _, c := range all {
			resource, err := anypb.New(c)
			if err != nil {
				f.Fatal(err)
			}
			a.Resources = append(a.Resources, resource)
		}
		b, err := proto.Marshal(a)
		if err != nil {
			f.Fatal(err)
		}
		return b
	}
	metadata, err := structpb.NewStruct(map[string]any{"algorithm": "gcra", "burst": 3.0, "deep": []any{map[string]any{"a": nil}}})
	if err != nil {
		f.Fatal(err)
	}
	user := &conf.RateLimitDescriptor{
		Key: "user", Value: "a*", ShadowMode: true, Metadata: metadata,
		RateLimit: &conf.RateLimitPolicy{
			Unit: conf.RateLimitUnit_HOUR, RequestsPerUnit: 1<<32 - 1, Name: "n", Replaces: []*conf.RateLimitReplace{{Name: "m"}},
		},
	}
	deep := user
	for range 20 {
		deep = &conf.RateLimitDescriptor{Key: "k", Descriptors: []*conf.RateLimitDescriptor{deep, user}}
	}
	good := &conf.RateLimitConfig{Name: "r", Domain: "d", Descriptors: []*conf.RateLimitDescriptor{user}}
	f.Add(answer(good), false)
	f.Add(answer(good, good), true)
	f.Add(answer(&conf.RateLimitConfig{Domain: "d", Descriptors: []*conf.RateLimitDescriptor{deep}}), false)
	f.Add(answer(&conf.RateLimitConfig{}), false)
	f.Add(answer(good)[:40], false)
	f.Add([]byte("\x12\xff\xff\xff\xff\x0f"), false)
	f.Fuzz(func(t *testing.T, data []byte, merge bool) {
		a := new(discovery.DiscoveryResponse)
		if proto.Unmarshal(data, a) != nil {
			return // gRPC ends the stream
		}
		rules, err := read(a, envoyrls.Options{MergeDomains: merge})
		if (rules == nil) == (err == nil) {
			t.Fatalf("rules %v beside %v", rules, err)
		}
		if err != nil && err.Error() == "" {
			t.Error("a fault without a text")
		}
	})
}
