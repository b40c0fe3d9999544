package httpapi_test

import (
	"net/http"
	"testing"
	"time"

	"github.com/distributed-rate-limiter/distributed-rate-limiter/node"
	"github.com/distributed-rate-limiter/distributed-rate-limiter/node/httpapi"
)

// Every answer about a client tells where it stands in the fields of the IETF's draft.
func TestAnswersCarryTheFieldsOfRateLimits(t *testing.T) {
	at := time.Date(2026, 1, 1, 12, 0, 0, 0, time.UTC)
	n := open(t, node.Config{Now: func() time.Time { return at }, Limits: map[string]node.Policy{
		"default": {Limit: 5, Window: time.Minute}, "day": {Algorithm: node.FixedWindow, Limit: 1000, Calendar: 4},
		"free": {Limit: 5, Window: time.Minute, Access: node.Unlimited}, "shut": {Access: node.Blocked},
	}})
	h := httpapi.New(httpapi.Config{Node: n, Loopback: true})
	const five, both = `"default";q=5;w=60`, `"default";q=5;w=60, "day";q=1000;w=86400`
	for _, c := range []struct{ method, path, body, policy, limits, retry string }{
		{"POST", "/v1/take?client=a&cost=4", "", five, `"default";r=1;t=48`, ""},
		{"GET", "/v1/peek?client=a", "", five, `"default";r=1;t=48`, ""},
		{"POST", "/v1/take?client=a&cost=2", "", five, `"default";r=1;t=12`, "12"},
		{"POST", "/v1/take?client=a", "", five, `"default";r=0;t=12`, ""},
		{"GET", "/v1/peek?client=a", "", five, `"default";r=0;t=12`, ""},
		{"POST", "/v1/take", `{"client":"a","also":[{"limit":"day"}]}`, both, `"default";r=0;t=12, "day";r=1000`, "12"},
		{"POST", "/v1/take", `{"client":"b","also":[{"limit":"day"}]}`, both, `"default";r=4;t=12, "day";r=999;t=43200`, ""},
		{"POST", "/v1/reserve", `{"client":"c","cost":5}`, five, `"default";r=0;t=12`, ""},
		{"POST", "/v1/reserve", `{"client":"c","cost":5,"also":[{"limit":"day"}]}`, five, `"default";r=0;t=60`, "60"},
		{"POST", "/v1/charge", `{"client":"d","cost":7,"also":[{"limit":"day"}]}`, both, `"default";r=0;t=36, "day";r=993`, ""},
		{"POST", "/v1/take?client=a&limit=free", "", "", "", ""},
		{"POST", "/v1/take?client=a&limit=shut", "", "", "", "31536000"},
		{"POST", "/v1/take?client=a&limit=nope", "", "", "", ""},
		{"GET", "/v1/limits", "", "", "", ""},
	} {
		w := ask(t, h, c.method, c.path, c.body)
		if p, l, r := w.Header().Get("RateLimit-Policy"), w.Header().Get("RateLimit"), w.Header().Get("Retry-After"); p != c.policy || l != c.limits || r != c.retry {
			t.Errorf("%s %s %s: got %d with %s, %s, %s, want %s, %s, %s", c.method, c.path, c.body, w.Code, p, l, r, c.policy, c.limits, c.retry)
		}
		if denied := w.Code == http.StatusTooManyRequests; denied != (c.retry != "") {
			t.Errorf("%s %s: got %d", c.method, c.path, w.Code)
		}
	}
}
