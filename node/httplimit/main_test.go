package httplimit_test

import (
	"context"
	"maps"
	"net/http"
	"net/http/httptest"
	"strconv"
	"testing"
	"time"

	"github.com/dunglas/httpsfv"
	"go.uber.org/goleak"

	"github.com/distributed-rate-limiter/distributed-rate-limiter/node"
	"github.com/distributed-rate-limiter/distributed-rate-limiter/node/httplimit"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// noon is the time of nodes in tests.
var noon = time.Date(2026, 1, 1, 12, 0, 0, 0, time.UTC)

// open makes a node whose clock stands still, with a limit of 5 a minute named default.
func open(t testing.TB, more map[string]node.Policy) *node.Node {
	t.Helper()
	limits := map[string]node.Policy{"default": {Limit: 5, Window: time.Minute}}
	maps.Copy(limits, more)
	n, err := node.Open(context.Background(), node.Config{Limits: limits, Now: func() time.Time { return noon }})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = n.Close() })
	return n
}

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
	for name, number := range map[string]string{"RateLimit-Policy": "q", "RateLimit": "r"} {
		list, err := httpsfv.UnmarshalList(w.Header().Values(name))
		if err != nil {
			t.Errorf("%s %q: %v", name, w.Header().Values(name), err)
		}
		for _, member := range list {
			item, ok := member.(httpsfv.Item)
			if !ok {
				t.Fatalf("%s has an inner list: %v", name, w.Header().Values(name))
			}
			if _, ok := item.Value.(string); !ok {
				t.Errorf("%s names %v", name, item.Value)
			}
			if v, _ := item.Params.Get(number); !isCount(v) {
				t.Errorf("%s has %s=%v", name, number, v)
			}
		}
	}
	retry := w.Header().Get("Retry-After")
	if seconds, err := strconv.Atoi(retry); retry != "" && (err != nil || seconds < 1) {
		t.Errorf("Retry-After is %q", retry)
	}
	if w.Code == http.StatusTooManyRequests && retry == "" {
		t.Error("a denial has no Retry-After")
	}
}

func isCount(v any) bool {
	n, ok := v.(int64)
	return ok && n >= 0
}
