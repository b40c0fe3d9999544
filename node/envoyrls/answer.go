package envoyrls

import (
	"math"
	"time"

	core "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	rls "github.com/envoyproxy/go-control-plane/envoy/service/ratelimit/v3"
	"google.golang.org/protobuf/types/known/durationpb"
)

// few is how many descriptors an answer has room for without further allocations. Most
// requests have one or two. Raising it makes each answer larger. Lowering it costs most requests
// three allocations more.
const few = 2

// room is one answer with all its parts, so that it is one allocation. gRPC reads it after
// the handler has returned, so it cannot be reused.
type room struct {
	response rls.RateLimitResponse
	statuses [few]rls.RateLimitResponse_DescriptorStatus
	listed   [few]*rls.RateLimitResponse_DescriptorStatus
	resets   [few]durationpb.Duration
	fields   [mostFields]core.HeaderValue
	added    [mostFields]*core.HeaderValue
}

// answer makes the answer of a request that is decided. It has one status for each descriptor, in
// the order of the request, because Envoy tells them apart by their place alone.
func (s *Service) answer(req *rls.RateLimitRequest, w *work) *rls.RateLimitResponse {
	a := new(room)
	n := len(w.parts)
	statuses, listed, resets := a.statuses[:], a.listed[:], a.resets[:]
	if n > few {
		statuses = make([]rls.RateLimitResponse_DescriptorStatus, n)
		listed = make([]*rls.RateLimitResponse_DescriptorStatus, n)
		resets = make([]durationpb.Duration, n)
	}
	for i := range w.parts {
		p := &w.parts[i]
		listed[i] = &statuses[i]
		p.tell(&statuses[i], &resets[i])
	}
	a.response.Statuses = listed[:n:n]
	a.response.OverallCode = rls.RateLimitResponse_OK
	over, wait := w.verdict(s.cfg.Quota)
	if over = over && !s.cfg.Shadow; over {
		a.response.OverallCode = rls.RateLimitResponse_OVER_LIMIT
	}
	s.cfg.Headers.add(a, w, over, wait)
	if s.cfg.Metadata {
		a.response.DynamicMetadata = dynamicMetadata(req, w)
	}
	return &a.response
}

// tell fills in a part's status. A descriptor that nothing limits is OK without a limit, and one
// with an unlimited rule is OK with the most that fits, as envoyproxy/ratelimit answers.
func (p *part) tell(s *rls.RateLimitResponse_DescriptorStatus, reset *durationpb.Duration) {
	s.Code = rls.RateLimitResponse_OK
	switch {
	case p.rule == nil:
	case p.rule.unlimited:
		s.LimitRemaining = math.MaxUint32
	default:
		if p.over {
			s.Code = rls.RateLimitResponse_OVER_LIMIT
		}
		s.CurrentLimit = p.rule.limit
		s.LimitRemaining = uint32(min(max(p.d.Remaining, 0), math.MaxUint32)) //nolint:gosec // capped
		reset.Seconds = int64(p.wait / time.Second)
		reset.Nanos = int32(p.wait % time.Second) //nolint:gosec // below a second
		s.DurationUntilReset = reset
	}
}

// verdict reports whether the request is over its limits, and the time until it is not. It is
// over with any descriptor without quota_mode, or with all that have it. The longest wait counts
// among the former, and the shortest among the latter: one quota with room is enough.
func (w *work) verdict(quota bool) (over bool, wait time.Duration) {
	quotas, full, soonest := 0, 0, time.Duration(math.MaxInt64)
	for i := range w.parts {
		switch p := &w.parts[i]; {
		case p.rule == nil || p.rule.unlimited:
		case quota || p.rule.quota:
			quotas++
			if p.over {
				full++
				soonest = min(soonest, p.wait)
			}
		case p.over:
			over, wait = true, max(wait, p.wait)
		}
	}
	if quotas > 0 && full == quotas {
		return true, max(wait, soonest)
	}
	return over, wait
}
