package httplimit_test

import (
	"net/http"
	"testing"

	"github.com/distributed-rate-limiter/distributed-rate-limiter/node"
	"github.com/distributed-rate-limiter/distributed-rate-limiter/node/httplimit"
	"github.com/distributed-rate-limiter/distributed-rate-limiter/node/internal/doortest"
)

func TestRequestsWaitForLoans(t *testing.T) {
	for name, after := range map[string]func(httplimit.Answer) int64{"taken": nil, "reserved": func(httplimit.Answer) int64 { return 1 }} {
		t.Run(name, func(t *testing.T) {
			doortest.Held(t, "user=alice", func(n *node.Node) func() bool {
				h := limited(t, httplimit.Config{Limiter: n, Key: httplimit.ByFunc("user", func(*http.Request) (string, error) { return "alice", nil }), After: after}, nil)
				return func() bool { return get(t, h, from).Code == http.StatusNoContent }
			})
		})
	}
}
