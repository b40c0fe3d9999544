package envoyrls

import (
	"strings"

	rls "github.com/envoyproxy/go-control-plane/envoy/service/ratelimit/v3"
	"google.golang.org/protobuf/types/known/structpb"

	"github.com/distributed-rate-limiter/distributed-rate-limiter/node"
	"github.com/distributed-rate-limiter/distributed-rate-limiter/node/internal/spec"
)

// ownKey is the member of a rule's metadata that this service reads. envoyproxy/ratelimit
// passes it on like any other, so one file serves both.
const ownKey = "ratelimiter"

// options are what a rule's metadata says to this service. The zero value is a rule as
// envoyproxy/ratelimit has it.
type options struct {
	burst       uint32 // 0: requests_per_unit
	algorithm   node.Algorithm
	resolution  int // parts of a sliding window; 0 is an estimate
	onIsolation node.OnIsolation
	admitted    bool // see rule.admitted
}

// policy is what a rule with these options lets pass.
func (o *options) policy(requests uint32, unit rls.RateLimitResponse_RateLimit_Unit) node.Policy {
	p := policyOf(requests, units[unit])
	if p.Access == node.Blocked {
		return p
	}
	p.Burst, p.Algorithm, p.Resolution, p.OnIsolation = int64(o.burst), o.algorithm, o.resolution, o.onIsolation
	if o.algorithm == node.FixedWindow && p.Window > 7*day {
		// No fixed window is longer but those of the calendar.
		p.Window = 0
		_ = p.Calendar.UnmarshalText([]byte(strings.ToLower(unit.String()))) // month or year
	}
	return p
}

// metadata reads a rule's metadata: as a whole for the answers, and the part that is for this
// service. The part stays in the whole, since envoyproxy/ratelimit would pass it on too.
func metadata(r *spec.Reader, path string, v spec.Value) (*structpb.Struct, options) {
	var o options
	if v.Kind != spec.Mapping {
		r.Refuse(v.Line, path, shown(v), "must be a mapping")
		return nil, o
	}
	for _, m := range v.Members {
		if m.Name == ownKey {
			o.read(r, spec.Join(path, ownKey), m.Value)
		}
	}
	if len(v.Members) == 0 {
		return nil, o
	}
	return structOf(v), o
}

// read reads the options. It refuses what it does not know, since nothing but this service reads them.
func (o *options) read(r *spec.Reader, path string, v spec.Value) {
	r.Fields(path, given(v), "{burst: 50}", []spec.Field{
		{Name: "burst", Into: func(r *spec.Reader, path string, v spec.Value) {
			count(&o.burst)(r, path, v)
			if v.Text == "0" {
				r.Refuse(v.Line, path, "0", "must be at least 1; leave it out for requests_per_unit")
			}
		}},
		{Name: "algorithm", Into: &o.algorithm},
		{Name: "resolution", Into: &o.resolution},
		{Name: "on_isolation", Into: &o.onIsolation},
		{Name: "charge", Into: func(r *spec.Reader, path string, v spec.Value) {
			switch {
			case single(v) && v.Text == "admitted":
				o.admitted = true
			case single(v) && v.Text == "all":
			default:
				r.Refuse(v.Line, path, shown(v), "must be all, which charges what was used also beyond the limit, or admitted, which charges what fits")
			}
		}},
	})
}

// structOf is a mapping as metadata of Envoy. Of two members of one name the last one counts.
func structOf(v spec.Value) *structpb.Struct {
	s := &structpb.Struct{Fields: make(map[string]*structpb.Value, len(v.Members))}
	for _, m := range v.Members {
		s.Fields[m.Name] = valueOf(m.Value)
	}
	return s
}

// valueOf is a value as metadata of Envoy. A plain scalar is what YAML 1.1 takes it for.
func valueOf(v spec.Value) *structpb.Value {
	switch v.Kind {
	case spec.Mapping:
		return structpb.NewStructValue(structOf(v))
	case spec.List:
		l := &structpb.ListValue{}
		for _, item := range v.Items {
			l.Values = append(l.Values, valueOf(item))
		}
		return structpb.NewListValue(l)
	case spec.Null:
		return structpb.NewNullValue()
	case spec.String:
		return structpb.NewStringValue(v.Text)
	}
	if value, ok := truth(v); ok {
		return structpb.NewBoolValue(value)
	}
	if n, ok := number(v); ok {
		return structpb.NewNumberValue(n)
	}
	return structpb.NewStringValue(v.Text)
}
