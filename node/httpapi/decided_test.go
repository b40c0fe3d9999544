package httpapi_test

import (
	"slices"
	"testing"
	"time"

	"github.com/distributed-rate-limiter/distributed-rate-limiter/node"
	"github.com/distributed-rate-limiter/distributed-rate-limiter/node/httpapi"
	"github.com/distributed-rate-limiter/distributed-rate-limiter/node/internal/doortest"
)

func TestWhatIsDecidedIsTold(t *testing.T) {
	var told doortest.Told
	h := httpapi.New(httpapi.Config{
		Node:           doortest.Open(t, map[string]node.Policy{"day": {Limit: 100, Window: 24 * time.Hour}}),
		TrustedProxies: testProxies, Decided: told.Decided,
	})
	for _, c := range []struct {
		method, target, body string
		want                 []string
	}{
		{"POST", "/v1/take", `{"client":"a","cost":2}`, []string{"default allowed 2 of 2, 3 left"}},
		{"POST", "/v1/take?client=a&cost=4", "", []string{"default denied 0 of 4, 3 left"}},
		{"POST", "/v1/take", `{"client":"a","cost":4,"at_most":true,"also":[{"limit":"day"}]}`, []string{"default allowed 3 of 4, 0 left"}},
		{"GET", "/v1/peek?client=a", "", nil},
		{"POST", "/v1/charge", `{"client":"a","cost":2}`, []string{"default allowed 2 of 2, 0 left"}},
		{"POST", "/v1/reserve", `{"client":"b","cost":4}`, []string{"default allowed 4 of 4, 1 left"}},
		{"POST", "/v1/take", `{"client":"b","limit":"nope"}`, nil},
		{"POST", "/v1/take", `{"client":"b","cost":0}`, nil},
		// Of a batch the one that binds: it denies for the longest time, or else has the least left.
		{"POST", "/v1/batch", `{"requests":[{"client":"c"},{"client":"b","cost":5},{"client":"b","cost":2},{"client":"c","limit":"nope"},{"client":"d"}]}`, []string{"default denied 0 of 5, 1 left"}},
		{"POST", "/v1/batch", `{"requests":[{"client":"d","cost":2},{"client":"e"}]}`, []string{"default allowed 2 of 2, 2 left"}},
		{"POST", "/v1/batch", `{"requests":[{"client":"e","limit":"nope"}]}`, nil},
		{"POST", "/v1/batch", `{"all_or_nothing":true,"requests":[{"client":"f","cost":2},{"client":"a"}]}`, []string{"default denied 0 of 2, 0 left"}},
		{"GET", "/v1/forward/day/-", "", []string{"day allowed 1 of 1, 99 left"}},
	} {
		ask(t, h, c.method, c.target, c.body, "X-Forwarded-For", "203.0.113.9")
		if got := told.Lines(); !slices.Equal(got, c.want) {
			t.Errorf("%s %s %s: told %q, want %q", c.method, c.target, c.body, got, c.want)
		}
	}
}
