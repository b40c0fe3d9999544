package integration_test

import (
	"context"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	ratelimit "github.com/envoyproxy/go-control-plane/envoy/extensions/common/ratelimit/v3"
	rls "github.com/envoyproxy/go-control-plane/envoy/service/ratelimit/v3"
	"go.opentelemetry.io/otel/attribute"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/sdk/trace/tracetest"
	"google.golang.org/grpc"
	"google.golang.org/grpc/metadata"

	"github.com/distributed-rate-limiter/distributed-rate-limiter/node"
	"github.com/distributed-rate-limiter/distributed-rate-limiter/node/envoyrls"
	"github.com/distributed-rate-limiter/distributed-rate-limiter/node/grpclimit"
	"github.com/distributed-rate-limiter/distributed-rate-limiter/node/httpapi"
	"github.com/distributed-rate-limiter/distributed-rate-limiter/node/httplimit"
	"github.com/distributed-rate-limiter/distributed-rate-limiter/node/oteltrace"
)

// TestEveryDoorTellsTheSpanOfItsRequest asks each door twice for the one unit of a client, in a span
// of OpenTelemetry's SDK.
func TestEveryDoorTellsTheSpanOfItsRequest(t *testing.T) {
	n, err := node.Open(t.Context(), node.Config{Limit: 1, Window: time.Hour})
	if err != nil {
		t.Fatal(err)
	}
	defer n.Close()
	over := func(h http.Handler, method, target string) func(context.Context) error {
		return func(ctx context.Context) error {
			r := httptest.NewRequestWithContext(ctx, method, "http://localhost"+target, http.NoBody)
			r.Header.Set("X-Api-Key", "a")
			h.ServeHTTP(httptest.NewRecorder(), r)
			return nil
		}
	}
	limited, err := httplimit.New(httplimit.Config{Limiter: n, Key: httplimit.ByHeader("X-Api-Key"), Decided: oteltrace.Decided})
	if err != nil {
		t.Fatal(err)
	}
	calls, err := grpclimit.New(grpclimit.Config{Limiter: n, Key: grpclimit.ByMetadata("x-grpc-key"), Decided: oteltrace.Decided})
	if err != nil {
		t.Fatal(err)
	}
	rules, err := envoyrls.Read([]envoyrls.File{{Name: "edge.yaml", Text: []byte(
		"domain: edge\ndescriptors:\n  - key: remote_address\n    rate_limit: {unit: hour, requests_per_unit: 1}\n")}}, envoyrls.Options{})
	if err != nil {
		t.Fatal(err)
	}
	envoy := envoyrls.New(envoyrls.Config{Node: n, Rules: rules, Decided: oteltrace.Decided})
	for name, c := range map[string]struct {
		policy string
		ask    func(context.Context) error
	}{
		"httplimit": {"default", over(limited(http.NotFoundHandler()), "GET", "/")},
		"httpapi":   {"default", over(httpapi.New(httpapi.Config{Node: n, Decided: oteltrace.Decided}), "POST", "/v1/take?client=b")},
		"grpclimit": {"default", func(ctx context.Context) error {
			ctx = metadata.NewIncomingContext(ctx, metadata.Pairs("x-grpc-key", "a"))
			_, err := calls.Unary()(ctx, nil, &grpc.UnaryServerInfo{}, func(context.Context, any) (any, error) { return struct{}{}, nil })
			if err != nil && strings.Contains(err.Error(), "ResourceExhausted") {
				return nil
			}
			return err
		}},
		"envoyrls": {"remote_address", func(ctx context.Context) error {
			_, err := envoy.ShouldRateLimit(ctx, &rls.RateLimitRequest{Domain: "edge", Descriptors: []*ratelimit.RateLimitDescriptor{
				{Entries: []*ratelimit.RateLimitDescriptor_Entry{{Key: "remote_address", Value: "192.0.2.1"}}},
			}})
			return err
		}},
	} {
		t.Run(name, func(t *testing.T) {
			spans := tracetest.NewInMemoryExporter()
			tracer := sdktrace.NewTracerProvider(sdktrace.WithSyncer(spans)).Tracer("test")
			for range 2 {
				ctx, span := tracer.Start(t.Context(), "request")
				if err := c.ask(ctx); err != nil {
					t.Fatal(err)
				}
				span.End()
			}
			for i, want := range []string{oteltrace.Allowed, oteltrace.Denied} {
				got := attribute.NewSet(spans.GetSpans()[i].Attributes...)
				policy, _ := got.Value(oteltrace.Policy)
				verdict, _ := got.Value(oteltrace.Decision)
				left, known := got.Value(oteltrace.Remaining)
				cost, _ := got.Value(oteltrace.Cost)
				if policy.AsString() != c.policy || verdict.AsString() != want || !known || left.AsInt64() != 0 || cost.AsInt64() != 1 || got.Len() != 4 {
					t.Errorf("request %d has %s", i, got.Encoded(attribute.DefaultEncoder()))
				}
			}
		})
	}
}
