package httpapi_test

import (
	"bytes"
	"log/slog"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/distributed-rate-limiter/distributed-rate-limiter/node"
	"github.com/distributed-rate-limiter/distributed-rate-limiter/node/httpapi"
)

// The log says of each change what was, what is, and who made it, and names no client.
func TestTheLogSaysWhoChangedWhat(t *testing.T) {
	n := open(t, node.Config{Limits: map[string]node.Policy{"login": {Limit: 5, Window: time.Minute}}})
	for _, token := range []string{"", "0123456789abcdef"} {
		var log bytes.Buffer
		h := httpapi.New(httpapi.Config{Node: n, Loopback: true, AdminToken: token, AdminTokenName: "ops.token", Logger: slog.New(slog.NewTextHandler(&log, nil))})
		for _, c := range []struct{ method, path, body, want string }{
			{"PUT", "/v1/limits/login", `{"limit":9,"window":60,"burst":3}`, `limit=login old="5 per 1m" new="9 per 1m, burst 3"`},
			{"PUT", "/v1/limits/login", `{"use":"login","overrides":[{"client":"alice","limit":50}]}`, `old="9 per 1m, burst 3" new="9 per 1m, burst 3, overrides 1"`},
			{"PUT", "/v1/limits/login", `{"use":"login","overrides":[{"client":"alice","limit":60}]}`, `new="9 per 1m, burst 3, overrides 1, in other words or for other clients"`},
			{"DELETE", "/v1/limits/login", "", `old="9 per 1m, burst 3, overrides 1" new="5 per 1m"`},
			{"PUT", "/v1/limits/new", `{"unlimited":true,"shadow":true}`, `old=none new="unlimited, shadow"`},
			{"DELETE", "/v1/limits/new", "", `old="unlimited, shadow" new=none`},
			{"POST", "/v1/reset", `{"client":"alice","limit":"login"}`, `msg="client reset" limit=login`},
			{"POST", "/v1/refund", `{"client":"alice","limit":"login"}`, `msg="client refunded" limit=login units=0`},
		} {
			log.Reset()
			r := httptest.NewRequestWithContext(t.Context(), c.method, c.path, strings.NewReader(c.body))
			r.RemoteAddr, r.Host = "192.0.2.7:4711", "localhost"
			r.Header.Set("Authorization", "Bearer "+token)
			w := httptest.NewRecorder()
			h.ServeHTTP(w, r)
			line := log.String()
			if w.Code != 200 || !strings.Contains(line, c.want) || !strings.Contains(line, "door=http address=192.0.2.7:4711") ||
				strings.Contains(line, "token=ops.token") != (token != "") || strings.Contains(line, "alice") || token != "" && strings.Contains(line, token) {
				t.Errorf("%s %s %s: %d, %swant %s", c.method, c.path, c.body, w.Code, line, c.want)
			}
		}
	}
}
