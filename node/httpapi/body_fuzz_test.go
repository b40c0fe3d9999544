package httpapi_test

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/distributed-rate-limiter/distributed-rate-limiter/node"
)

// bodies are the paths that read one, with a good one each.
var bodies = []struct{ method, path, body string }{
	{http.MethodPost, "/v1/take", `{"client":"alice","cost":2,"limit":"default","also":[{"limit":"login"}]}`},
	{http.MethodPost, "/v1/batch", `{"requests":[{"client":"alice"},{"client":"bob","cost":3}]}`},
	{http.MethodPost, "/v1/charge", `{"client":"alice","cost":5}`},
	{http.MethodPost, "/v1/reserve", `{"client":"alice","cost":5,"timeout":"30s"}`},
	{http.MethodPost, "/v1/commit", `{"token":"x","cost":1}`},
	{http.MethodPost, "/v1/cancel", `{"token":"x"}`},
	{http.MethodPost, "/v1/refund", `{"client":"alice","cost":1}`},
	{http.MethodPost, "/v1/reset", `{"client":"alice"}`},
	{http.MethodPut, "/v1/limits/login", `{"limit":5,"window":"1m","burst":2,"overrides":[{"client":"alice","limit":10}]}`},
}

// FuzzABody sends bodies to every path that reads one. Each answer is JSON with a status of its own
// kind, none is a fault of the server, and the node goes on deciding.
func FuzzABody(f *testing.F) {
	for i, b := range bodies {
		f.Add(uint8(i), b.body) //nolint:gosec // a few
		f.Add(uint8(i), strings.ToUpper(b.body))
		f.Add(uint8(i), b.body[:len(b.body)/2])
		f.Add(uint8(i), `[`+b.body+`]`)
	}
	f.Add(uint8(0), strings.Repeat("[", 10_000))
	f.Add(uint8(1), `{"requests":[`+strings.Repeat(`{},`, 1000)+`{}]}`)
	f.Add(uint8(0), `{"client":"\ud800","cost":1e400}`)
	f.Add(uint8(8), `{"limit":9223372036854775807,"window":"10000000h"}`)
	f.Fuzz(func(t *testing.T, which uint8, body string) {
		b := bodies[int(which)%len(bodies)]
		h := still(t, node.Config{Limit: 10, Window: time.Minute, Limits: map[string]node.Policy{"login": {Limit: 5, Window: time.Minute}}})
		began := time.Now()
		w := ask(t, h, b.method, b.path, body, "Content-Type", "application/json")
		if took := time.Since(began); took > 10*time.Second {
			t.Errorf("%d bytes to %s took %v", len(body), b.path, took)
		}
		judgeAnswer(t, w)
		if w := ask(t, h, http.MethodPost, "/v1/take?client=somebody-else", ""); w.Code != http.StatusOK {
			t.Errorf("after %q to %s: %d %s", body, b.path, w.Code, w.Body)
		}
	})
}

func judgeAnswer(t *testing.T, w *httptest.ResponseRecorder) {
	t.Helper()
	if w.Code >= http.StatusInternalServerError && w.Code != http.StatusServiceUnavailable {
		t.Errorf("%d %s", w.Code, w.Body)
	}
	if !json.Valid(w.Body.Bytes()) && w.Body.Len() > 0 {
		t.Errorf("%d, and no JSON: %.200q", w.Code, w.Body)
	}
}
