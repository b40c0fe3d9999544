package httplimit_test

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/distributed-rate-limiter/distributed-rate-limiter/node"
	"github.com/distributed-rate-limiter/distributed-rate-limiter/node/httplimit"
	"github.com/distributed-rate-limiter/distributed-rate-limiter/node/internal/doortest"
)

// A program that asks the node itself tells as much as the middleware: of all limits, and when
// to come again after the denial that lasts longest.
func TestAProgramThatAsksItselfTellsAll(t *testing.T) {
	n := doortest.Open(t, map[string]node.Policy{"slow": {Limit: 1, Window: time.Hour}, "slower": {Limit: 1, Window: 2 * time.Hour}})
	ask := func() (ds []node.Decision) {
		for _, name := range []string{"default", "slower", "slow"} {
			ds = append(ds, n.Limiter(name).Take("alice", 1))
		}
		return ds
	}
	for _, c := range []struct {
		limits     string
		retryAfter string
	}{
		{`"default";r=4;t=12, "slower";r=0;t=7200, "slow";r=0;t=3600`, ""},
		{`"default";r=3, "slower";r=0;t=7200, "slow";r=0;t=3600`, "7200"},
	} {
		w := httptest.NewRecorder()
		httplimit.SetFields(w.Header(), ask()...)
		w.WriteHeader(http.StatusOK)
		wellFormed(t, w)
		if got := w.Header().Get("RateLimit"); got != c.limits {
			t.Errorf("RateLimit: %s, want %s", got, c.limits)
		}
		if got := w.Header().Get("Retry-After"); got != c.retryAfter {
			t.Errorf("Retry-After: %q, want %q", got, c.retryAfter)
		}
	}
}

func TestTheMiddlewareTellsWhoseQuotaItIs(t *testing.T) {
	n := doortest.Open(t, nil)
	h := limited(t, httplimit.Config{Limiter: n, Key: httplimit.ByHeader("User"), PartitionKey: []byte("a secret of tests")}, nil)
	alice, bob := get(t, h, from, "User", "alice").Header().Get("RateLimit"), get(t, h, from, "User", "bob").Header().Get("RateLimit")
	if !strings.HasPrefix(alice, `"default";r=4;t=12;pk=:`) || !strings.HasPrefix(bob, `"default";r=4;t=12;pk=:`) || alice == bob {
		t.Errorf("got %s and %s", alice, bob)
	}
	if _, err := httplimit.New(httplimit.Config{Limiter: n, Key: httplimit.ByRemoteAddr(), PartitionKey: []byte("short")}); err == nil || !strings.Contains(err.Error(), "PartitionKey") {
		t.Errorf("a short secret: %v", err)
	}
}
