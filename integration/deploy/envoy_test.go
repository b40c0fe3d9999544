package deploy

import (
	"testing"

	bootstrap "github.com/envoyproxy/go-control-plane/envoy/config/bootstrap/v3"
	filter "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/http/ratelimit/v3"
	_ "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/http/router/v3"
	_ "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/network/http_connection_manager/v3"
	_ "github.com/envoyproxy/go-control-plane/envoy/extensions/upstreams/http/v3"
	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/types/known/anypb"
	"sigs.k8s.io/yaml"

	"github.com/distributed-rate-limiter/distributed-rate-limiter/node/envoyrls"
)

// validator is a message of Envoy's that knows its own constraints.
type validator interface{ ValidateAll() error }

// inside calls each for every message within m, those in Any messages too.
func inside(t *testing.T, m proto.Message, each func(proto.Message)) {
	t.Helper()
	if a, ok := m.(*anypb.Any); ok {
		held, err := a.UnmarshalNew()
		if err != nil {
			t.Fatal(err)
		}
		m = held
	}
	each(m)
	m.ProtoReflect().Range(func(f protoreflect.FieldDescriptor, v protoreflect.Value) bool {
		switch {
		case f.IsMap() && f.MapValue().Message() != nil:
			v.Map().Range(func(_ protoreflect.MapKey, v protoreflect.Value) bool {
				inside(t, v.Message().Interface(), each)
				return true
			})
		case f.IsList() && f.Message() != nil:
			for i := range v.List().Len() {
				inside(t, v.List().Get(i).Message().Interface(), each)
			}
		case !f.IsMap() && !f.IsList() && f.Message() != nil:
			inside(t, v.Message().Interface(), each)
		}
		return true
	})
}

func TestEnvoysBootstrap(t *testing.T) {
	text, err := yaml.YAMLToJSONStrict(read(t, "envoy/envoy.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	b := new(bootstrap.Bootstrap)
	if err := protojson.Unmarshal(text, b); err != nil {
		t.Fatal(err)
	}
	clusters, filters := map[string]bool{}, 0
	for _, c := range b.GetStaticResources().GetClusters() {
		clusters[c.GetName()] = true
	}
	inside(t, b, func(m proto.Message) {
		if v, ok := m.(validator); ok {
			if err := v.ValidateAll(); err != nil {
				t.Errorf("%T: %v", m, err)
			}
		}
		if f, ok := m.(*filter.RateLimit); ok {
			filters++
			if asks := f.GetRateLimitService().GetGrpcService().GetEnvoyGrpc().GetClusterName(); !clusters[asks] {
				t.Errorf("the filter asks cluster %q, which there is not", asks)
			}
			rules, err := envoyrls.Read([]envoyrls.File{{Name: "edge.yaml", Text: read(t, "envoy/rules/edge.yaml")}}, envoyrls.Options{})
			if err != nil || !rules.Has(f.GetDomain()) {
				t.Errorf("the filter's domain %q has no rules: %v", f.GetDomain(), err)
			}
		}
	})
	if filters != 1 {
		t.Errorf("%d rate limit filters", filters)
	}
}
