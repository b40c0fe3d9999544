package httpapi_test

import (
	"io"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/distributed-rate-limiter/distributed-rate-limiter/node"
	"github.com/distributed-rate-limiter/distributed-rate-limiter/node/httpapi"
)

// BenchmarkForward asks over loopback whether a request may pass. Its floor is a handler that
// reads the header and says yes, asked in the same way: what is above it is the limiter's.
func BenchmarkForward(b *testing.B) {
	n, err := node.Open(b.Context(), node.Config{Limits: map[string]node.Policy{"api": {Limit: 1_000_000_000, Window: time.Second}}})
	if err != nil {
		b.Fatal(err)
	}
	defer n.Close()
	floor := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("X-Forwarded-For") == "" {
			w.WriteHeader(http.StatusBadRequest)
		}
	})
	for _, c := range []struct {
		name string
		h    http.Handler
	}{{"floor", floor}, {"limiter", httpapi.New(httpapi.Config{Node: n})}} {
		b.Run(c.name, func(b *testing.B) {
			srv := httptest.NewServer(c.h)
			defer srv.Close()
			b.ReportAllocs()
			for b.Loop() {
				r, err := http.NewRequestWithContext(b.Context(), http.MethodGet, srv.URL+"/v1/forward/api/key=header:X-Forwarded-For", http.NoBody)
				if err != nil {
					b.Fatal(err)
				}
				r.Header.Set("X-Forwarded-For", "198.51.100.7")
				resp, err := srv.Client().Do(r)
				if err != nil {
					b.Fatal(err)
				}
				_, _ = io.Copy(io.Discard, resp.Body)
				_ = resp.Body.Close()
				if resp.StatusCode != http.StatusOK {
					b.Fatalf("got %d", resp.StatusCode)
				}
			}
		})
	}
}
