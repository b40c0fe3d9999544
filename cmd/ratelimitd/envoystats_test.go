package main

import (
	"testing"

	ratelimit "github.com/envoyproxy/go-control-plane/envoy/extensions/common/ratelimit/v3"
	rls "github.com/envoyproxy/go-control-plane/envoy/service/ratelimit/v3"
	"github.com/prometheus/client_golang/prometheus"

	"github.com/distributed-rate-limiter/distributed-rate-limiter/node"
	"github.com/distributed-rate-limiter/distributed-rate-limiter/node/envoyrls"
)

// Each dot in a client's value makes a label, as there, so somebody has to cap them.
func TestAValueMakesOnlySoManyLabels(t *testing.T) {
	n, err := node.Open(t.Context(), node.Config{Limit: 1, Window: 1e9})
	if err != nil {
		t.Fatal(err)
	}
	defer n.Close()
	rules, err := envoyrls.Read([]envoyrls.File{{Name: "d.yaml", Text: []byte("domain: d\ndescriptors:\n  - {key: path, detailed_metric: true, rate_limit: {unit: hour, requests_per_unit: 10}}\n")}}, envoyrls.Options{})
	if err != nil {
		t.Fatal(err)
	}
	s := envoyrls.New(envoyrls.Config{Node: n, Rules: rules, Stats: true})
	for _, value := range []string{"a", "a.b.c.d.e.f.g.h.i.j.k.l"} {
		_, err := s.ShouldRateLimit(t.Context(), &rls.RateLimitRequest{Domain: "d", Descriptors: []*ratelimit.RateLimitDescriptor{
			{Entries: []*ratelimit.RateLimitDescriptor_Entry{{Key: "path", Value: value}}},
		}})
		if err != nil {
			t.Fatal(err)
		}
	}
	registry := prometheus.NewRegistry()
	registry.MustRegister(envoyStats{&envoy{service: s}})
	families, err := registry.Gather()
	if err != nil {
		t.Fatal(err)
	}
	last := map[string]string{}
	for _, f := range families {
		for _, m := range f.GetMetric() {
			if labels := m.GetLabel(); f.GetName() == "ratelimit_service_rate_limit_total_hits" {
				if len(labels) > 11 {
					t.Errorf("%d labels: %v", len(labels), labels)
				}
				for _, l := range labels {
					last[l.GetName()] = max(last[l.GetName()], l.GetValue())
				}
			}
		}
	}
	if last["key1"] != "path_a" || last["key10"] != "j.k.l" {
		t.Errorf("got %v", last)
	}
}
