package envoyrls

import (
	"sync"
	"time"

	ratelimit "github.com/envoyproxy/go-control-plane/envoy/extensions/common/ratelimit/v3"
	rls "github.com/envoyproxy/go-control-plane/envoy/service/ratelimit/v3"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/types/known/wrapperspb"

	"github.com/distributed-rate-limiter/distributed-rate-limiter/node"
)

// mostOverrides caps the limits from descriptors that are kept ready. When there are more,
// all are made anew. Raising it takes memory where clients choose limits; lowering it makes
// gateways with more tenants than that slower.
const mostOverrides = 1 << 16

// override is a limit that a descriptor brings. Equal ones share a rule, whichever domain and
// descriptor they came with.
type override struct {
	requests, multiplier uint32
	unit                 rls.RateLimitResponse_RateLimit_Unit
}

// overrides are the rules of limits that descriptors bring. The zero value is ready. Safe for
// concurrent use.
type overrides struct {
	mu    sync.RWMutex
	rules map[override]*rule
}

// rule is the rule of the limit of descriptor i.
func (o *overrides) rule(i int, l *ratelimit.RateLimitDescriptor_RateLimitOverride) (*rule, error) {
	// The units of an override are those of the answer, by number.
	k := override{requests: l.GetRequestsPerUnit(), multiplier: 1, unit: rls.RateLimitResponse_RateLimit_Unit(l.GetUnit())}
	if m := l.GetUnitMultiplier(); m != nil {
		k.multiplier = m.GetValue()
	}
	o.mu.RLock()
	r := o.rules[k]
	o.mu.RUnlock()
	if r != nil {
		return r, nil
	}
	r, err := k.rule(i)
	if err != nil {
		return nil, err
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	// Dropping all is cheaper than keeping an order of use, and rare. A rule in use stays good.
	if o.rules == nil || len(o.rules) >= mostOverrides {
		o.rules = map[override]*rule{}
	}
	o.rules[k] = r
	return r, nil
}

// rule makes the rule of the limit of descriptor i. Its error is for the caller of the service.
func (k override) rule(i int) (*rule, error) {
	unit := units[k.unit]
	switch {
	case unit == 0:
		return nil, status.Errorf(codes.InvalidArgument, "descriptors[%d].limit.unit %v: must be SECOND, MINUTE, HOUR, DAY, MONTH or YEAR", i, k.unit)
	case k.multiplier < 1:
		return nil, status.Errorf(codes.InvalidArgument, "descriptors[%d].limit.unit_multiplier 0: must be at least 1", i)
	case int64(k.multiplier) > int64(longest/unit):
		return nil, status.Errorf(codes.InvalidArgument, "descriptors[%d].limit.unit_multiplier %d: %d times %v is more than 366 days", i, k.multiplier, k.multiplier, k.unit)
	}
	r := &rule{
		policy: policyOf(k.requests, unit*time.Duration(k.multiplier)), label: overrideLabel,
		limit: &rls.RateLimitResponse_RateLimit{RequestsPerUnit: k.requests, Unit: k.unit},
	}
	if k.multiplier > 1 {
		r.limit.UnitMultiplier = wrapperspb.UInt32(k.multiplier)
	}
	if r.depth = depthOf(&r.policy); r.policy.Access == node.Limited && r.policy.Validate() != nil {
		return nil, status.Errorf(codes.InvalidArgument, "descriptors[%d].limit: no such limit can be counted", i)
	}
	return r, nil
}

// overrideLabel is what headers and metrics call limits that descriptors bring: their number
// has no bound.
const overrideLabel = "override"
