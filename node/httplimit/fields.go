package httplimit

import (
	"net/http"

	"github.com/distributed-rate-limiter/distributed-rate-limiter/node"
	"github.com/distributed-rate-limiter/distributed-rate-limiter/node/internal/headers"
)

// SetFields writes RateLimit-Policy and RateLimit for decisions, and the Retry-After of the
// denial among them that takes longest. It is for programs that ask the node themselves, under
// a framework whose handlers are not those of net/http.
func SetFields(h http.Header, ds ...node.Decision) {
	headers.Set(h, ds, nil)
	bound := node.Decision{Allowed: true}
	for i := range ds {
		if !ds[i].Allowed && (bound.Allowed || ds[i].RetryAfter > bound.RetryAfter) {
			bound = ds[i]
		}
	}
	headers.SetRetryAfter(h, &bound)
}
