package httpapi_test

import (
	"context"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/distributed-rate-limiter/distributed-rate-limiter/node"
	"github.com/distributed-rate-limiter/distributed-rate-limiter/node/httpapi"
	"github.com/distributed-rate-limiter/distributed-rate-limiter/node/internal/doortest"
)

func TestRequestsWaitForLoans(t *testing.T) {
	for name, x := range map[string]struct{ client, method, target, body, passed string }{
		"take":           {"alice", "POST", "/v1/take?client=alice", "", `"allowed":true`},
		"batch":          {"alice", "POST", "/v1/batch", `{"requests":[{"client":"alice"}]}`, `"allowed":true`},
		"all or nothing": {"alice", "POST", "/v1/batch", `{"requests":[{"client":"alice"}],"all_or_nothing":true}`, `"allowed":true,"retry_after_ms"`},
		"reserve":        {"alice", "POST", "/v1/reserve", `{"client":"alice"}`, `"allowed":true`},
		"forward":        {"user=alice", "GET", "/v1/forward/default/key=header:User", "", ""},
	} {
		t.Run(name, func(t *testing.T) {
			doortest.Held(t, x.client, func(n *node.Node) func() bool {
				h := httpapi.New(httpapi.Config{Node: n, TrustedProxies: testProxies})
				return func() bool {
					w := ask(t, h, x.method, x.target, x.body, "User", "alice", "X-Forwarded-For", "198.51.100.1")
					return w.Code == http.StatusOK && strings.Contains(w.Body.String(), x.passed)
				}
			})
		})
	}
}

// slow decides nothing, and waits for as long as it is let.
type slow struct {
	httpapi.Node

	holds int
}

func (s *slow) DoDetailed(q node.Request) node.Detail {
	if q.Hold != nil {
		s.holds++
		time.Sleep(node.DefaultHold)
	}
	return node.Detail{Decision: node.Decision{Reason: node.ReasonShort}}
}

func TestABatchWaitsOnce(t *testing.T) {
	s := &slow{Node: open(t, node.Config{})}
	h := httpapi.New(httpapi.Config{Node: s})
	body := `{"requests":[` + strings.TrimSuffix(strings.Repeat(`{"client":"alice"},`, 20), ",") + `]}`
	if w := ask(t, h, "POST", "/v1/batch", body); w.Code != http.StatusOK || s.holds != 1 {
		t.Errorf("%d of 20 requests wait in vain, want 1: %d %s", s.holds, w.Code, w.Body)
	}
}

// gone notes whether a request that waits hears that its caller went away.
type gone struct {
	httpapi.Node

	waits chan struct{}
}

func (g *gone) DoDetailed(q node.Request) node.Detail {
	close(g.waits)
	<-q.Hold.Done()
	return node.Detail{}
}

func TestACallerThatGoesAwayWaitsNoLonger(t *testing.T) {
	g := &gone{open(t, node.Config{}), make(chan struct{})}
	h := httpapi.New(httpapi.Config{Node: g})
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan struct{})
	go func() {
		defer close(done)
		h.ServeHTTP(httptest.NewRecorder(), httptest.NewRequestWithContext(ctx, "POST", "http://localhost/v1/take?client=alice", http.NoBody))
	}()
	<-g.waits
	cancel()
	<-done
}
