package httpapi_test

import (
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/dunglas/httpsfv"

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

// A program that acts for several clients can tell their quotas apart, and learns no client's name.
func TestAnswersTellWhoseQuotaItIs(t *testing.T) {
	n := open(t, node.Config{Now: func() time.Time { return start }, Limits: map[string]node.Policy{"default": {Limit: 5, Window: time.Minute}, "day": {Limit: 9, Window: time.Minute}}})
	h := httpapi.New(httpapi.Config{Node: n, Loopback: true, PartitionKey: []byte("a secret of tests"), TrustedProxies: testProxies})
	alice := partitions(t, ask(t, h, "POST", "/v1/take?client=alice", ""))
	if len(alice) != 1 || alice[0] == "" {
		t.Fatalf("got %q", alice)
	}
	for _, c := range []struct {
		method, path, body string
		same               bool // as alice
		limits             int
	}{
		{"GET", "/v1/peek?client=alice", "", true, 1},
		{"POST", "/v1/charge", `{"client":"alice","also":[{"limit":"day"}]}`, true, 2},
		{"POST", "/v1/take", `{"client":"bob","also":[{"limit":"day"}]}`, false, 2},
		{"GET", "/v1/forward/default/key=header:X-User", "", false, 1}, // whose client is x-user=alice
	} {
		got := partitions(t, ask(t, h, c.method, c.path, c.body, "X-User", "alice"))
		if len(got) != c.limits || got[0] == "" || (got[0] == alice[0]) != c.same || got[0] != got[len(got)-1] {
			t.Errorf("%s %s: got %q", c.method, c.path, got)
		}
	}
}

// partitions are the partition keys of an answer, "" where there is none.
func partitions(t *testing.T, w *httptest.ResponseRecorder) (all []string) {
	t.Helper()
	list, err := httpsfv.UnmarshalList(w.Header().Values("RateLimit"))
	if err != nil {
		t.Fatal(err)
	}
	for _, member := range list {
		item, ok := member.(httpsfv.Item)
		if !ok {
			t.Fatalf("got %v", w.Header())
		}
		pk, _ := item.Params.Get("pk")
		key, _ := pk.([]byte)
		all = append(all, string(key))
	}
	return all
}
