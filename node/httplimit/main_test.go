package httplimit_test

import (
	"context"
	"net/http"
	"net/http/httptest"
	"testing"

	"go.uber.org/goleak"

	"github.com/distributed-rate-limiter/distributed-rate-limiter/node/httplimit"
	"github.com/distributed-rate-limiter/distributed-rate-limiter/node/internal/doortest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// limited is a handler behind the middleware.
func limited(t testing.TB, cfg httplimit.Config, h http.HandlerFunc) http.Handler {
	t.Helper()
	by, err := httplimit.New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	if h == nil {
		h = func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusNoContent) }
	}
	return by(h)
}

// get sends a request from an address, with headers, and reads the fields of the answer as
// clients do.
func get(t testing.TB, h http.Handler, from string, headers ...string) *httptest.ResponseRecorder {
	t.Helper()
	r := httptest.NewRequestWithContext(context.Background(), http.MethodGet, "/", http.NoBody)
	r.RemoteAddr = from
	for i := 0; i < len(headers); i += 2 {
		r.Header.Add(headers[i], headers[i+1])
	}
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	wellFormed(t, w)
	return w
}

// wellFormed checks what holds for the fields of every answer.
func wellFormed(t testing.TB, w *httptest.ResponseRecorder) {
	t.Helper()
	doortest.Fields(t, w.Header())
	if w.Code == http.StatusTooManyRequests && w.Header().Get("Retry-After") == "" {
		t.Error("a denial has no Retry-After")
	}
}
