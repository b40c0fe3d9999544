package httplimit_test

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"time"

	"github.com/distributed-rate-limiter/distributed-rate-limiter/node"
	"github.com/distributed-rate-limiter/distributed-rate-limiter/node/httplimit"
)

func Example() {
	n, err := node.Open(context.Background(), node.Config{Limit: 2, Window: time.Minute})
	if err != nil {
		panic(err)
	}
	defer n.Close()
	limited, err := httplimit.New(httplimit.Config{
		Limiter: n,
		Key:     httplimit.ByTrustedProxies("10.0.0.0/8"),
	})
	if err != nil {
		panic(err)
	}
	mux := http.NewServeMux()
	mux.HandleFunc("GET /hello", func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, "hello") })
	srv := limited(mux)

	for range 3 {
		r := httptest.NewRequestWithContext(context.Background(), http.MethodGet, "/hello", http.NoBody) // in place of a server
		r.RemoteAddr = "10.0.0.1:4711"
		r.Header.Set("X-Forwarded-For", "198.51.100.7")
		w := httptest.NewRecorder()
		srv.ServeHTTP(w, r)
		fmt.Println(w.Code, w.Header().Get("RateLimit-Policy"))
	}
	// Output:
	// 200 "default";q=2;w=60
	// 200 "default";q=2;w=60
	// 429 "default";q=2;w=60
}

// A budget of tokens: each request takes an estimate, and the middleware charges what the
// model's answer says that it cost.
func ExampleAfterHeader() {
	n, err := node.Open(context.Background(), node.Config{Limits: map[string]node.Policy{"tokens": {Limit: 1000, Window: time.Minute}}})
	if err != nil {
		panic(err)
	}
	defer n.Close()
	limited, err := httplimit.New(httplimit.Config{
		Limiter: n,
		Key:     httplimit.ByHeader("X-Api-Key"),
		Limits:  []httplimit.Limit{{Name: "tokens"}},
		After:   httplimit.AfterHeader("X-Tokens", 1),
	})
	if err != nil {
		panic(err)
	}
	srv := limited(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.Header().Set("X-Tokens", "600") }))

	for range 3 {
		r := httptest.NewRequestWithContext(context.Background(), http.MethodPost, "/chat", http.NoBody)
		r.Header.Set("X-Api-Key", "acme")
		w := httptest.NewRecorder()
		srv.ServeHTTP(w, r)
		fmt.Println(w.Code, "tokens charged:", w.Header().Get("X-Tokens"))
	}
	// Output:
	// 200 tokens charged: 600
	// 200 tokens charged: 600
	// 429 tokens charged:
}
