// Package httplimit limits the requests of an http.Handler.
//
//	limited, err := httplimit.New(httplimit.Config{Limiter: n, Key: httplimit.ByRemoteAddr()})
//	...
//	http.ListenAndServe(addr, limited(mux))
//
// n is a *node.Node. What New returns is a func(http.Handler) http.Handler, which chi, gorilla,
// alice and plain net/http take. A request asks the node, which decides in memory and never
// waits for the network.
//
// # Whom to count
//
// [Config.Key] has no default, because none is safe. Behind a proxy, the remote address is the
// proxy's, and all clients would share one limit. And without a proxy, a client can write any
// X-Forwarded-For. So the program says which it is: [ByRemoteAddr] without proxies,
// [ByTrustedProxies] with them, [ByProxyHeader] behind a provider with a header of its own,
// [ByHeader] or [ByContext] for keys and users, [Join] for several together, and [FirstOf] for
// the first that there is.
//
// IPv6 addresses count by /64, because one subscriber has that many. Each kind of key has a
// mark of its own, so clients of two kinds never share an account: an address is written as
// it is, so that a limit's overrides for networks find it, and others as name=value.
//
// # Answers
//
// Each answer carries RateLimit-Policy and RateLimit, structured fields of the IETF's draft
// (draft-ietf-httpapi-ratelimit-headers). A denial is 429 with Retry-After, and a problem
// (RFC 9457) that lists the violated policies. [Config.Headers] adds the older X-RateLimit
// fields, or leaves these out, and [Config.Denied] replaces the answer.
//
// If nobody can decide, because a request has no key or the limit is unknown, the request is
// refused. [Config.Failed] can let it pass.
//
// # Costs that show afterwards
//
// With [Config.After], a request takes its cost as an estimate, and the middleware settles
// it when the handler has answered: for tokens, bytes, or a cost that another server puts
// into a header ([AfterHeader]).
//
// # Traces
//
// [Config.Decided] is told what was decided on each request. Package oteltrace has a function for
// it, which writes that into the request's span.
package httplimit
