package envoyrls

import (
	rls "github.com/envoyproxy/go-control-plane/envoy/service/ratelimit/v3"
	"google.golang.org/protobuf/types/known/structpb"
)

// dynamicMetadata is what envoyproxy/ratelimit puts into its answers: what was asked, and the
// metadata of the rules that let it pass, merged in the order of the descriptors. Envoy's filters
// and access logs read it by these names, so they are part of the interface.
func dynamicMetadata(req *rls.RateLimitRequest, w *work) *structpb.Struct {
	descriptors := &structpb.ListValue{}
	for _, d := range req.GetDescriptors() {
		entries := &structpb.ListValue{}
		for _, e := range d.GetEntries() {
			entries.Values = append(entries.Values, structpb.NewStringValue(e.GetKey()+"="+e.GetValue()))
		}
		of := map[string]*structpb.Value{"entries": structpb.NewListValue(entries)}
		if l := d.GetLimit(); l != nil {
			of["limit"] = structpb.NewStringValue(l.String())
		}
		if h := d.GetHitsAddend(); h != nil {
			of["hitsAddend"] = structpb.NewNumberValue(float64(h.GetValue()))
		}
		descriptors.Values = append(descriptors.Values, structpb.NewStructValue(&structpb.Struct{Fields: of}))
	}
	all := map[string]*structpb.Value{
		"domain": structpb.NewStringValue(req.GetDomain()), "descriptors": structpb.NewListValue(descriptors),
	}
	if h := req.GetHitsAddend(); h != 0 {
		all["hitsAddend"] = structpb.NewNumberValue(float64(h))
	}
	merged := &structpb.Struct{Fields: map[string]*structpb.Value{}}
	for i := range w.parts {
		if p := &w.parts[i]; p.rule != nil && !p.over {
			merge(merged, p.rule.metadata)
		}
	}
	if len(merged.Fields) > 0 {
		all["metadata"] = structpb.NewStructValue(merged)
	}
	return &structpb.Struct{Fields: all}
}

// merge adds to into what it does not have yet: of two rules that say different things of one
// name, the first descriptor's holds. Structs of one name become one. What into gets
// is its own, so that later merges change no rule.
func merge(into, from *structpb.Struct) {
	for name, v := range from.GetFields() {
		inner := v.GetStructValue()
		held, has := into.Fields[name]
		switch {
		case !has && inner != nil:
			fresh := &structpb.Struct{Fields: map[string]*structpb.Value{}}
			merge(fresh, inner)
			into.Fields[name] = structpb.NewStructValue(fresh)
		case !has:
			into.Fields[name] = v
		case inner != nil && held.GetStructValue() != nil:
			merge(held.GetStructValue(), inner)
		}
	}
}
