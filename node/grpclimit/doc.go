// Package grpclimit limits the calls of a gRPC server.
//
//	limits, err := grpclimit.New(grpclimit.Config{Limiter: n, Key: grpclimit.ByPeer()})
//	...
//	grpc.NewServer(grpc.ChainUnaryInterceptor(limits.Unary()), grpc.ChainStreamInterceptor(limits.Stream()))
//
// n is a *node.Node. A call asks the node, which decides in memory. Only for a bounded limit may
// a call wait for other nodes: see node.Request.Hold. A stream is one call; with [Config.Messages], each message that the server
// receives is decided on too.
//
// # Whom to count
//
// [Config.Key] has no default, because none is safe: behind a proxy the peer is the proxy, and
// without one a client can write any metadata. [ByPeer], [ByTrustedProxies], [ByMetadata],
// [ByContext], [ByFunc], [Join] and [FirstOf] make keys. A client has the same id as through
// node/httplimit.
//
// # Answers
//
// A denial is RESOURCE_EXHAUSTED, with google.rpc.RetryInfo and google.rpc.QuotaFailure, and
// the trailer grpc-retry-pushback-ms, which clients with a retry policy heed. A call without
// its key is INVALID_ARGUMENT. A call that nobody can decide, because the limit is unknown, is
// INTERNAL, and [Config.Failed] can let it pass.
//
// [Config.Decided] is told what was decided on each call. Package oteltrace has a function for it,
// which writes that into the call's span.
//
// [Interceptors] is also the ratelimit.Limiter of github.com/grpc-ecosystem/go-grpc-middleware/v2.
package grpclimit
