// Package oteltrace tells traces of OpenTelemetry what a limit decided. The doors for HTTP and gRPC
// take [Decided] as an option:
//
//	httplimit.New(httplimit.Config{Limiter: n, Key: key, Decided: oteltrace.Decided})
//	grpclimit.New(grpclimit.Config{Limiter: n, Key: key, Decided: oteltrace.Decided})
//	httpapi.New(httpapi.Config{Node: n, Decided: oteltrace.Decided})
//	envoyrls.New(envoyrls.Config{Node: n, Decided: oteltrace.Decided})
//
// It sets attributes of the span that the request's context holds. It makes no span, and exports
// nothing: that is for the program's own instrumentation, such as otelhttp around the middleware, or
// otelgrpc as the server's stats handler. Without a span that records it does nothing and allocates
// nothing. Programs that do not import this package link nothing of OpenTelemetry. This package
// links its API alone, never an SDK.
//
// No attribute names a client. A request on which no limit decided, since it has no key, its limit
// is unknown, or it was skipped, gets none of them.
package oteltrace

import (
	"context"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/trace"

	"github.com/distributed-rate-limiter/distributed-rate-limiter/node"
)

// The attributes. Their names are a contract.
const (
	// Policy is the name of the limit that decided. Of several, it is the one that binds. Behind
	// Envoy's service it is the rule's name.
	Policy attribute.Key = "ratelimit.policy"
	// Decision is one of the verdicts below.
	Decision attribute.Key = "ratelimit.decision"
	// Remaining is how many units the client had left. It is missing for a client without a
	// quota, which is unlimited or blocked.
	Remaining attribute.Key = "ratelimit.remaining"
	// Cost is how many units the request took, or asked for in vain; 0 if it only looked. An
	// estimate gives way to the true cost once that is known.
	Cost attribute.Key = "ratelimit.cost"
)

// The verdicts, which are the values of Decision.
const (
	Allowed = "allowed"
	Denied  = "denied"
	// ShadowDenied is a request that passed, and would not have if its limit were no shadow.
	ShadowDenied = "shadow_denied"
)

// Decided sets the attributes of the span in ctx. It is the option Decided of the doors, and is safe
// for concurrent use. Of several decisions in one span the last one stays.
func Decided(ctx context.Context, q node.Request, d node.Detail) {
	span := trace.SpanFromContext(ctx)
	if !span.IsRecording() {
		return
	}
	verdict, cost := Allowed, d.Cost
	switch {
	case !d.Allowed:
		verdict, cost = Denied, max(q.Cost, 1) // the zero Cost means 1
	case d.Reason == node.ReasonShadow:
		verdict = ShadowDenied
	}
	if q.Peek {
		cost = 0
	}
	span.SetAttributes(Policy.String(d.Limit), Decision.String(verdict), Cost.Int64(cost))
	if d.Burst > 0 {
		span.SetAttributes(Remaining.Int64(d.Remaining))
	}
}
