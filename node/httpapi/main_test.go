package httpapi_test

import (
	"context"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"os"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/distributed-rate-limiter/distributed-rate-limiter/node"
	"github.com/distributed-rate-limiter/distributed-rate-limiter/node/httpapi"
	"github.com/distributed-rate-limiter/distributed-rate-limiter/node/httpapi/httpapitest"
	"github.com/distributed-rate-limiter/distributed-rate-limiter/node/internal/doortest"
)

func TestMain(m *testing.M) {
	if ran, code := httpapitest.RanAsCurl(); ran {
		os.Exit(code)
	}
	goleak.VerifyTestMain(m)
}

var _ httpapi.Node = (*node.Node)(nil)

// start is when the clock of tests stands still: at the start of a window.
var start = time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)

func open(t *testing.T, cfg node.Config) *node.Node {
	t.Helper()
	if cfg.Limit == 0 && cfg.Limits == nil {
		cfg.Limit, cfg.Window = 100, time.Minute
	}
	cfg.Name = "n1"
	n, err := node.Open(context.Background(), cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = n.Close() })
	return n
}

// still is a handler over a node whose clock stands still.
func still(t *testing.T, cfg node.Config) http.Handler {
	t.Helper()
	cfg.Now = func() time.Time { return start }
	return httpapi.New(httpapi.Config{Node: open(t, cfg), Loopback: true})
}

// testProxies trusts whom requests of tests come from.
var testProxies = []netip.Prefix{netip.MustParsePrefix("192.0.2.0/24")}

// ask makes a request to localhost. headers are names and values in turn.
func ask(t *testing.T, h http.Handler, method, target, body string, headers ...string) *httptest.ResponseRecorder {
	t.Helper()
	var r *http.Request
	if body == "" {
		r = httptest.NewRequestWithContext(t.Context(), method, "http://localhost:8080"+target, http.NoBody)
	} else {
		r = httptest.NewRequestWithContext(t.Context(), method, "http://localhost:8080"+target, strings.NewReader(body))
	}
	for i := 0; i < len(headers); i += 2 {
		r.Header.Set(headers[i], headers[i+1])
		if headers[i] == "Host" {
			r.Host = headers[i+1]
		}
	}
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	doortest.Fields(t, w.Header())
	return w
}

func wantStatus(t *testing.T, w *httptest.ResponseRecorder, status int, contentType string) {
	t.Helper()
	if w.Code != status || w.Header().Get("Content-Type") != contentType {
		t.Fatalf("got %d %s, want %d %s; body %s", w.Code, w.Header().Get("Content-Type"), status, contentType, w.Body)
	}
}

const (
	isJSON    = "application/json"
	isProblem = "application/problem+json"
	isText    = "text/plain; charset=utf-8"
)

// wantProblem checks an error answer, and returns its detail.
func wantProblem(t *testing.T, w *httptest.ResponseRecorder, status int, field string) string {
	t.Helper()
	wantStatus(t, w, status, isProblem)
	var p struct {
		Title, Detail, Field string
		Status               int
	}
	decode(t, w, &p)
	if p.Field != field || p.Status != status || p.Title != http.StatusText(status) || p.Detail == "" {
		t.Fatalf("got the problem %s, want status %d and field %q", w.Body, status, field)
	}
	return p.Detail
}

func decode(t *testing.T, w *httptest.ResponseRecorder, v any) {
	t.Helper()
	if err := json.Unmarshal(w.Body.Bytes(), v); err != nil {
		t.Fatalf("%v in %s", err, w.Body)
	}
}
