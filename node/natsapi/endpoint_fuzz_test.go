package natsapi

import (
	"context"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/distributed-rate-limiter/distributed-rate-limiter/node"
	"github.com/distributed-rate-limiter/distributed-rate-limiter/node/httpapi"
)

// FuzzRequest asks what any program on NATS may ask. A body asks the path of its subject and no other,
// each answer is of its own kind, and the node goes on deciding.
func FuzzRequest(f *testing.F) {
	for i, bodies := range [][]string{
		{`{"client":"alice","cost":2}`},
		{`{"requests":[{"client":"alice"}]}`},
		{`{"client":"alice","cost":2}`, `{"client":"a&cost=9?#"}`},
		{`{"client":"alice","cost":5}`},
		{`{"name":"login"}`, `{"name":"../take"}`, `{"name":"a/b%2e?x=1"}`, `{"name":"\u0000"}`},
		{`{"name":"login","policy":{"limit":5,"window":60}}`, `{"name":"..","policy":{}}`, `{"name":"x","policy":{"limit":5,"window":60,"window":1}}`},
		{``, `{"x":"y"}`},
		{`{"limit":"login"}`, `{"n":"3"}`},
	} {
		for _, body := range bodies {
			f.Add(uint8(i), body)                      //nolint:gosec // a few
			f.Add(uint8(i), body[:len(body)/2])        //nolint:gosec // as above
			f.Add(uint8(i), strings.Repeat(body, 2))   //nolint:gosec // as above
			f.Add(uint8(i), "["+body+"]")              //nolint:gosec // as above
			f.Add(uint8(i), strings.ToUpper(" "+body)) //nolint:gosec // as above
		}
	}
	paths := map[string]string{
		"check": "/v1/take", "batch": "/v1/batch", "peek": "/v1/peek", "charge": "/v1/charge", "limits.get": "/v1/limits",
		"limits.set": "/v1/limits/", "status": "/v1/status", "top": "/v1/top",
	}
	f.Fuzz(func(t *testing.T, which uint8, body string) {
		e := endpoints[int(which)%len(endpoints)]
		method, target, send, err := e.ask([]byte(body))
		if err != nil {
			if w := refusal(err); err.Error() == "" || w.status != http.StatusBadRequest {
				t.Errorf("%q: %d, %v", body, w.status, err)
			}
			return
		}
		r, err := http.NewRequestWithContext(context.Background(), method, "http://localhost"+target, strings.NewReader(string(send)))
		if err != nil {
			return // it is refused
		}
		path := r.URL.EscapedPath()
		name, inLimits := strings.CutPrefix(path, "/v1/limits/")
		if want := paths[e.subject]; path != want && (!inLimits || !strings.HasPrefix(e.subject, "limits.") || strings.Contains(name, "/")) {
			t.Fatalf("%q of %s asks %s", body, e.subject, target)
		}
		n, err := node.Open(context.Background(), node.Config{Limit: 10, Window: time.Minute, Now: func() time.Time { return time.Unix(1_900_000_000, 0) }})
		if err != nil {
			t.Fatal(err)
		}
		defer n.Close()
		h := httpapi.New(httpapi.Config{Node: entered{n}})
		r.RemoteAddr, r.RequestURI = "nats", target
		w := httptest.NewRecorder()
		if h.ServeHTTP(w, r); w.Code >= http.StatusInternalServerError && w.Code != http.StatusServiceUnavailable || w.Code >= 300 && w.Code < 400 {
			t.Errorf("%q of %s: %d %s", body, e.subject, w.Code, w.Body)
		}
		if !n.Allow("somebody else") {
			t.Errorf("after %q of %s nobody passes", body, e.subject)
		}
	})
}
