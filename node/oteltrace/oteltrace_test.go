package oteltrace_test

import (
	"context"
	"maps"
	"testing"
	"time"

	"go.opentelemetry.io/otel/attribute"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/sdk/trace/tracetest"

	"github.com/distributed-rate-limiter/distributed-rate-limiter/node"
	"github.com/distributed-rate-limiter/distributed-rate-limiter/node/internal/doortest"
	"github.com/distributed-rate-limiter/distributed-rate-limiter/node/oteltrace"
)

// traced runs f in a span, and returns the attributes that the exporter got with it.
func traced(t *testing.T, sampler sdktrace.Sampler, f func(context.Context)) map[attribute.Key]any {
	t.Helper()
	exporter := tracetest.NewInMemoryExporter()
	provider := sdktrace.NewTracerProvider(sdktrace.WithSyncer(exporter), sdktrace.WithSampler(sampler))
	ctx, span := provider.Tracer("test").Start(context.Background(), "request")
	f(ctx)
	span.End()
	got := map[attribute.Key]any{}
	for _, s := range exporter.GetSpans() {
		for _, a := range s.Attributes {
			if _, twice := got[a.Key]; twice {
				t.Errorf("%s is there twice", a.Key)
			}
			got[a.Key] = a.Value.AsInterface()
		}
	}
	return got
}

func TestASpanTellsWhatWasDecided(t *testing.T) {
	n := doortest.Open(t, map[string]node.Policy{
		"shadow": {Limit: 1, Window: time.Minute, Shadow: true},
		"free":   {Access: node.Unlimited}, "shut": {Access: node.Blocked},
	})
	type want = map[attribute.Key]any
	for _, c := range []struct {
		name string
		q    node.Request
		want want
	}{
		{"passes", node.Request{Client: "a"}, want{"ratelimit.policy": "default", "ratelimit.decision": "allowed", "ratelimit.remaining": int64(4), "ratelimit.cost": int64(1)}},
		{"costs more", node.Request{Client: "a", Cost: 3}, want{"ratelimit.policy": "default", "ratelimit.decision": "allowed", "ratelimit.remaining": int64(1), "ratelimit.cost": int64(3)}},
		{"is denied", node.Request{Client: "a", Cost: 2}, want{"ratelimit.policy": "default", "ratelimit.decision": "denied", "ratelimit.remaining": int64(1), "ratelimit.cost": int64(2)}},
		{"takes what fits", node.Request{Client: "a", Cost: 4, AtMost: true}, want{"ratelimit.policy": "default", "ratelimit.decision": "allowed", "ratelimit.remaining": int64(0), "ratelimit.cost": int64(1)}},
		{"is denied the least", node.Request{Client: "a"}, want{"ratelimit.policy": "default", "ratelimit.decision": "denied", "ratelimit.remaining": int64(0), "ratelimit.cost": int64(1)}},
		{"only looks", node.Request{Client: "a", Cost: 2, Peek: true}, want{"ratelimit.policy": "default", "ratelimit.decision": "denied", "ratelimit.remaining": int64(0), "ratelimit.cost": int64(0)}},
		{"two limits", node.Request{Client: "b", Also: []node.Check{{Limit: "shut"}}}, want{"ratelimit.policy": "shut", "ratelimit.decision": "denied", "ratelimit.cost": int64(1)}},
		{"a shadow that passes", node.Request{Client: "a", Limit: "shadow"}, want{"ratelimit.policy": "shadow", "ratelimit.decision": "allowed", "ratelimit.remaining": int64(0), "ratelimit.cost": int64(1)}},
		{"a shadow that would not", node.Request{Client: "a", Limit: "shadow"}, want{"ratelimit.policy": "shadow", "ratelimit.decision": "shadow_denied", "ratelimit.remaining": int64(0), "ratelimit.cost": int64(1)}},
		{"unlimited", node.Request{Client: "a", Limit: "free", Cost: 7}, want{"ratelimit.policy": "free", "ratelimit.decision": "allowed", "ratelimit.cost": int64(7)}},
		{"blocked", node.Request{Client: "a", Limit: "shut", Cost: 7}, want{"ratelimit.policy": "shut", "ratelimit.decision": "denied", "ratelimit.cost": int64(7)}},
	} {
		d := n.DoDetailed(c.q)
		got := traced(t, sdktrace.AlwaysSample(), func(ctx context.Context) { oteltrace.Decided(ctx, c.q, d) })
		if !maps.Equal(got, c.want) {
			t.Errorf("%s: got %v, want %v", c.name, got, c.want)
		}
	}
}

// A span that is not sampled costs no attributes, and no object.
func TestWithoutASpanThatRecordsNothingIsDone(t *testing.T) {
	q := node.Request{Client: "a"}
	d := doortest.Open(t, nil).DoDetailed(q)
	if got := traced(t, sdktrace.NeverSample(), func(ctx context.Context) {
		oteltrace.Decided(ctx, q, d)
		if n := testing.AllocsPerRun(100, func() { oteltrace.Decided(ctx, q, d) }); n != 0 {
			t.Errorf("%v objects for a span that is not sampled", n)
		}
	}); len(got) > 0 {
		t.Errorf("got %v", got)
	}
	if n := testing.AllocsPerRun(100, func() { oteltrace.Decided(context.Background(), q, d) }); n != 0 {
		t.Errorf("%v objects without a span", n)
	}
}
