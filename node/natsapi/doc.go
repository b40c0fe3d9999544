// Package natsapi serves a node as a NATS micro service, for programs in any language with a
// NATS client.
//
//	s, err := natsapi.Serve(natsapi.Config{Conn: conn, API: httpapi.Config{Node: n}})
//	...
//	nats req ratelimit.api.default.check '{"client":"alice"}'
//	{"allowed":true,"limit":"default","quota":100,...}
//
// It is the HTTP interface over another transport: bodies and answers are those of
// node/httpapi, which openapi.yaml describes. With the default prefix and cluster, the subjects
// are
//
//	ratelimit.api.default.check       POST /v1/take
//	ratelimit.api.default.batch       POST /v1/batch
//	ratelimit.api.default.peek        GET  /v1/peek, with its query as a body
//	ratelimit.api.default.charge      POST /v1/charge
//	ratelimit.api.default.limits.get  GET  /v1/limits, or with {"name":NAME} /v1/limits/NAME
//	ratelimit.api.default.limits.set  PUT  /v1/limits/NAME, as {"name":NAME,"policy":{...}}
//	ratelimit.api.default.status      GET  /v1/status
//	ratelimit.api.default.top         GET  /v1/top, with its query as a body
//
// The nodes of a cluster share a queue group, so one node answers, the nearest that the server
// knows. Every node answers status and top for itself: ask for all answers (nats req
// --replies=0). `nats service ls`, `info` and `stats` list the nodes, under the name
// ratelimiter; stats has what a node counted.
//
// # Answers
//
// A denial is an answer, with "allowed":false. An error has the headers Nats-Service-Error and
// Nats-Service-Error-Code, an HTTP status, and a problem (RFC 9457) as its body. Answers carry
// RateLimit-Policy, RateLimit and Retry-After as headers.
//
// # Who may ask
//
// Whoever may publish on a subject, by the permissions of the NATS server. limits.set needs the
// admin token as well, in the header Authorization, as over HTTP; without a configured token
// it is refused. With [httpapi.Config].APIToken, all requests need that token or the admin's.
package natsapi
