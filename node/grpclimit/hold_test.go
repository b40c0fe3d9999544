package grpclimit_test

import (
	"testing"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/distributed-rate-limiter/distributed-rate-limiter/node"
	"github.com/distributed-rate-limiter/distributed-rate-limiter/node/grpclimit"
	"github.com/distributed-rate-limiter/distributed-rate-limiter/node/internal/doortest"
)

func TestCallsWaitForLoans(t *testing.T) {
	doortest.Held(t, "key=alice", func(n *node.Node) func() bool {
		conn := dial(t, grpclimit.Config{Limiter: n, Key: grpclimit.ByMetadata("Key")})
		return func() bool {
			_, err := once(t, conn, "hello", "key", "alice")
			if err != nil && status.Code(err) != codes.ResourceExhausted {
				t.Fatal(err)
			}
			return err == nil
		}
	})
}
