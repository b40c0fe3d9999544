package httpapi_test

import (
	"context"
	"strings"
	"testing"
	"time"

	"github.com/distributed-rate-limiter/distributed-rate-limiter/node"
	"github.com/distributed-rate-limiter/distributed-rate-limiter/node/httpapi"
)

// Where there is no limit "default", a request that names none is told which there are.
func TestARequestWithoutALimitIsToldWhichThereAre(t *testing.T) {
	n, err := node.Open(context.Background(), node.Config{Limits: map[string]node.Policy{
		"login": {Limit: 5, Window: time.Minute}, "api": {Limit: 5, Window: time.Minute},
	}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = n.Close() })
	h := httpapi.New(httpapi.Config{Node: n, Loopback: true})
	for _, c := range []struct{ method, path, body string }{
		{"POST", "/v1/take?client=a", ""},
		{"POST", "/v1/take", `{"client":"a"}`},
		{"POST", "/v1/take", `{"client":"a","also":[{"limit":"api"}]}`},
		{"GET", "/v1/peek?client=a", ""},
		{"POST", "/v1/reserve?client=a", ""},
		{"POST", "/v1/charge?client=a", ""},
		{"GET", "/v1/explain?client=a", ""},
		{"GET", "/v1/top", ""},
		{"POST", "/v1/reset", `{"client":"a"}`},
	} {
		w := ask(t, h, c.method, c.path, c.body)
		if w.Code != 400 || !strings.Contains(w.Body.String(), `"field":"limit"`) || !strings.Contains(w.Body.String(), "name one of api, login") {
			t.Errorf("%s %s %s: %d %s", c.method, c.path, c.body, w.Code, w.Body)
		}
	}
	for _, path := range []string{"/v1/take?client=a&limit=default", "/v1/take?client=a&limit=logn"} {
		if w := ask(t, h, "POST", path, ""); w.Code != 404 {
			t.Errorf("%s: %d %s", path, w.Code, w.Body)
		}
	}
	if w := ask(t, h, "POST", "/v1/take", `{"client":"a","policy":{"limit":1,"window":60}}`); w.Code != 200 {
		t.Errorf("with a policy: %d %s", w.Code, w.Body)
	}
	if w := ask(t, h, "POST", "/v1/take", `{"client":"a","limit":"api","also":[{"limit":"nope"}]}`); w.Code != 404 {
		t.Errorf("another unknown limit: %d %s", w.Code, w.Body)
	}
}
