package xds

import (
	"maps"
	"slices"
	"strconv"

	conf "github.com/envoyproxy/go-control-plane/ratelimit/config/ratelimit/v3"
	"google.golang.org/protobuf/types/known/structpb"

	"github.com/distributed-rate-limiter/distributed-rate-limiter/node/envoyrls"
	"github.com/distributed-rate-limiter/distributed-rate-limiter/node/internal/spec"
)

// treeOf is a control plane's resource as a file would have it, so that one reader judges
// both.
func treeOf(c *conf.RateLimitConfig) envoyrls.Named {
	return envoyrls.Named{Name: "resource " + strconv.Quote(c.GetName()), Tree: mapping(
		text("domain", c.GetDomain()),
		list("descriptors", c.GetDescriptors(), descriptor),
	)}
}

func descriptor(d *conf.RateLimitDescriptor) spec.Value {
	all := []spec.Member{
		text("key", d.GetKey()), text("value", d.GetValue()), list("descriptors", d.GetDescriptors(), descriptor),
		flag("shadow_mode", d.GetShadowMode()), flag("quota_mode", d.GetQuotaMode()), flag("detailed_metric", d.GetDetailedMetric()),
	}
	if l := d.GetRateLimit(); l != nil {
		limit := []spec.Member{
			{Name: "requests_per_unit", Value: number(float64(l.GetRequestsPerUnit()))},
			flag("unlimited", l.GetUnlimited()), text("name", l.GetName()),
			list("replaces", l.GetReplaces(), func(r *conf.RateLimitReplace) spec.Value { return mapping(text("name", r.GetName())) }),
		}
		if !l.GetUnlimited() || l.GetUnit() != conf.RateLimitUnit_UNKNOWN {
			limit = append(limit, text("unit", l.GetUnit().String()))
		}
		all = append(all, spec.Member{Name: "rate_limit", Value: mapping(limit...)})
	}
	if m := d.GetMetadata(); m != nil {
		all = append(all, spec.Member{Name: "metadata", Value: ofStruct(m)})
	}
	return mapping(all...)
}

func mapping(members ...spec.Member) spec.Value {
	return spec.Value{Kind: spec.Mapping, Members: members}
}

func text(name, value string) spec.Member {
	return spec.Member{Name: name, Value: spec.Value{Kind: spec.String, Text: value}}
}

func flag(name string, value bool) spec.Member {
	return spec.Member{Name: name, Value: spec.Value{Kind: spec.Bool, Text: strconv.FormatBool(value)}}
}

func number(n float64) spec.Value {
	return spec.Value{Kind: spec.Number, Text: strconv.FormatFloat(n, 'f', -1, 64)}
}

func list[T any](name string, items []T, of func(T) spec.Value) spec.Member {
	v := spec.Value{Kind: spec.List}
	for _, item := range items {
		v.Items = append(v.Items, of(item))
	}
	return spec.Member{Name: name, Value: v}
}

func ofStruct(s *structpb.Struct) spec.Value {
	var all []spec.Member
	for _, name := range slices.Sorted(maps.Keys(s.GetFields())) {
		all = append(all, spec.Member{Name: name, Value: ofValue(s.GetFields()[name])})
	}
	return mapping(all...)
}

func ofValue(v *structpb.Value) spec.Value {
	switch k := v.GetKind().(type) {
	case *structpb.Value_StructValue:
		return ofStruct(k.StructValue)
	case *structpb.Value_ListValue:
		return list("", k.ListValue.GetValues(), ofValue).Value
	case *structpb.Value_StringValue:
		return spec.Value{Kind: spec.String, Text: k.StringValue}
	case *structpb.Value_NumberValue:
		return number(k.NumberValue)
	case *structpb.Value_BoolValue:
		return spec.Value{Kind: spec.Bool, Text: strconv.FormatBool(k.BoolValue)}
	default:
		return spec.Value{Kind: spec.Null}
	}
}
