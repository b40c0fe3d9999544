package oteltrace_test

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"time"

	"go.opentelemetry.io/otel/attribute"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/sdk/trace/tracetest"

	"github.com/distributed-rate-limiter/distributed-rate-limiter/node"
	"github.com/distributed-rate-limiter/distributed-rate-limiter/node/httplimit"
	"github.com/distributed-rate-limiter/distributed-rate-limiter/node/oteltrace"
)

// The spans are the program's own. Here a few lines make them, in place of otelhttp.
func Example() {
	n, err := node.Open(context.Background(), node.Config{Limit: 1, Window: time.Minute})
	if err != nil {
		panic(err)
	}
	defer n.Close()
	limited, err := httplimit.New(httplimit.Config{Limiter: n, Key: httplimit.ByHeader("X-Api-Key"), Decided: oteltrace.Decided})
	if err != nil {
		panic(err)
	}
	spans := tracetest.NewInMemoryExporter() // in place of one that sends them somewhere
	tracer := sdktrace.NewTracerProvider(sdktrace.WithSyncer(spans)).Tracer("example")
	handler := limited(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}))
	traced := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		ctx, span := tracer.Start(r.Context(), r.Method)
		defer span.End()
		handler.ServeHTTP(w, r.WithContext(ctx))
	})

	for range 2 {
		r := httptest.NewRequestWithContext(context.Background(), http.MethodGet, "/", http.NoBody)
		r.Header.Set("X-Api-Key", "acme")
		traced.ServeHTTP(httptest.NewRecorder(), r)
	}
	for _, span := range spans.GetSpans() {
		told := attribute.NewSet(span.Attributes...)
		fmt.Println(told.Encoded(attribute.DefaultEncoder()))
	}
	// Output:
	// ratelimit.cost=1,ratelimit.decision=allowed,ratelimit.policy=default,ratelimit.remaining=0
	// ratelimit.cost=1,ratelimit.decision=denied,ratelimit.policy=default,ratelimit.remaining=0
}
