package envoyrls_test

import (
	"context"
	"testing"

	ratelimit "github.com/envoyproxy/go-control-plane/envoy/extensions/common/ratelimit/v3"
	rls "github.com/envoyproxy/go-control-plane/envoy/service/ratelimit/v3"
	typev3 "github.com/envoyproxy/go-control-plane/envoy/type/v3"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"

	"github.com/distributed-rate-limiter/distributed-rate-limiter/node/envoyrls"
)

// FuzzRequest asks what any client of the gRPC port may ask. Each request gets an answer with a status
// for each descriptor, or a fault of its own; none is a fault of the service, and it goes on deciding.
func FuzzRequest(f *testing.F) {
	override := func(requests uint32, unit typev3.RateLimitUnit) *ratelimit.RateLimitDescriptor {
		d := descriptor("user", "alice")
		d.Limit = &ratelimit.RateLimitDescriptor_RateLimitOverride{RequestsPerUnit: requests, Unit: unit}
		return d
	}
	for _, q := range []*rls.RateLimitRequest{
		request(descriptor("user", "alice")), request(descriptor("user", "alice"), descriptor("user", ""), descriptor()),
		request(costing(descriptor("user", "bob"), 1<<64-1)),
		{Domain: "d", HitsAddend: 1<<32 - 1, Descriptors: request(descriptor("user", "c")).Descriptors},
		request(override(5, typev3.RateLimitUnit_MINUTE), override(0, typev3.RateLimitUnit_YEAR), override(1<<32-1, 99)),
		{Domain: "other"},
		{},
	} {
		data, err := proto.Marshal(q)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(data)
		f.Add(append(data, data...)) // fields twice
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		q := new(rls.RateLimitRequest)
		if proto.Unmarshal(data, q) != nil {
			return // gRPC refuses it
		}
		n, _ := clocked(t)
		s := envoyrls.New(envoyrls.Config{Node: n, Rules: read(t, users)})
		r, err := s.ShouldRateLimit(context.Background(), q)
		switch code := status.Code(err); {
		case (r == nil) == (err == nil):
			t.Fatalf("%v beside %v", r, err)
		case code == codes.Internal || code == codes.Unknown && status.Convert(err).Message() == "":
			t.Errorf("%v: %v", code, err)
		case err == nil && len(r.GetStatuses()) != len(q.GetDescriptors()):
			t.Errorf("%d statuses for %d descriptors", len(r.GetStatuses()), len(q.GetDescriptors()))
		}
		if r := ask(t, s, request(descriptor("user", "somebody else"))); r.GetOverallCode() != rls.RateLimitResponse_OK {
			t.Errorf("afterwards: %v", r)
		}
	})
}
