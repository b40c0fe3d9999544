package httpapi_test

import (
	"strings"
	"testing"

	"github.com/distributed-rate-limiter/distributed-rate-limiter/node"
	"github.com/distributed-rate-limiter/distributed-rate-limiter/node/httpapi"
)

// The name of an override goes in with a PUT and comes back, and reports count by it.
func TestTheNameOfAnOverrideIsKeptAndCountedBy(t *testing.T) {
	h := httpapi.New(httpapi.Config{Node: open(t, node.Config{}), Loopback: true})
	const doc = `{"limit":1,"window":3600,"shadow":true,"overrides":[{"name":"gold","prefix":"gold-","limit":2},{"client":"bob","limit":2}]}`
	if w := ask(t, h, "PUT", "/v1/limits/api", doc); w.Code != 200 || !strings.Contains(w.Body.String(), `"overrides":[{"name":"gold","prefix":"gold-","limit":2},{"client":"bob","limit":2}]`) {
		t.Fatalf("%d %s", w.Code, w.Body)
	}
	for _, client := range []string{"gold-1", "gold-1", "gold-1", "bob", "zoe"} {
		ask(t, h, "POST", "/v1/take?limit=api&client="+client, "")
	}
	for path, want := range map[string]string{
		"/v1/status":                          `"by_override":{"gold":{"allowed":3,"denied":0,"allowed_units":3,"denied_units":0,"shadow_denied":1,"shadow_denied_units":1}}`,
		"/v1/shadow":                          `"by_override":{"gold":{"checked":3,"would_deny":1,"checked_units":3,"would_deny_units":1}}`,
		"/v1/explain?limit=api&client=gold-1": `"override":{"index":0,"name":"gold",`,
	} {
		if w := ask(t, h, "GET", path, ""); !strings.Contains(w.Body.String(), want) {
			t.Errorf("%s: got %s", path, w.Body)
		}
	}
	for name, want := range map[string]string{`""`: "must not be empty", `"other"`: "not other", `"a b"`: "must be 1 to 64", `7`: "must be a string"} {
		w := ask(t, h, "PUT", "/v1/limits/api", `{"limit":1,"window":60,"overrides":[{"name":`+name+`,"client":"a","limit":2}]}`)
		if w.Code != 400 || !strings.Contains(w.Body.String(), "overrides[0].name") || !strings.Contains(w.Body.String(), want) {
			t.Errorf("%s: %d %s", name, w.Code, w.Body)
		}
	}
}
