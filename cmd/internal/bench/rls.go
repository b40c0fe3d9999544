package bench

import (
	"context"
	"fmt"
	"time"

	commonv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/common/ratelimit/v3"
	rlsv3 "github.com/envoyproxy/go-control-plane/envoy/service/ratelimit/v3"
	"google.golang.org/grpc"
)

// RLS is Envoy's rate limit service as a Target: each request has one descriptor with one entry,
// whose value is the client. Safe for concurrent use.
type RLS struct {
	service     rlsv3.RateLimitServiceClient
	domain, key string
	timeout     time.Duration
}

// NewRLS makes a target of a connection, which stays the caller's.
func NewRLS(conn grpc.ClientConnInterface, domain, key string, timeout time.Duration) *RLS {
	return &RLS{rlsv3.NewRateLimitServiceClient(conn), domain, key, timeout}
}

// Take implements Target. A client without a rule is an error: nothing would limit it.
func (r *RLS) Take(ctx context.Context, client string, cost int64) (bool, error) {
	ctx, cancel := context.WithTimeout(ctx, r.timeout)
	defer cancel()
	answer, err := r.service.ShouldRateLimit(ctx, &rlsv3.RateLimitRequest{
		Domain: r.domain, HitsAddend: uint32(min(cost, 1<<32-1)), //nolint:gosec // the flag's range is below
		Descriptors: []*commonv3.RateLimitDescriptor{{Entries: []*commonv3.RateLimitDescriptor_Entry{{Key: r.key, Value: client}}}},
	})
	if err != nil {
		return false, err
	}
	switch s := answer.GetStatuses(); {
	case len(s) != 1 || s[0].GetCurrentLimit() == nil:
		return false, fmt.Errorf("no rule of domain %q is for the key %q", r.domain, r.key)
	case answer.GetOverallCode() == rlsv3.RateLimitResponse_OK:
		return true, nil
	case answer.GetOverallCode() == rlsv3.RateLimitResponse_OVER_LIMIT:
		return false, nil
	}
	return false, fmt.Errorf("not a decision: %v", answer.GetOverallCode())
}
