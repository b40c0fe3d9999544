// Package httpapi serves a node over HTTP: decisions, limits, resets, status and
// health, in JSON.
//
//	POST /v1/take     {"client":"alice","limit":"default","cost":1}, or the same as a query
//	POST /v1/batch    {"requests":[...],"all_or_nothing":false}: several takes
//	GET  /v1/forward/LIMIT/OPTIONS: may a proxy pass this request on?
//	GET  /v1/peek     ?client=alice&limit=default&cost=1: as take, but takes nothing
//	POST /v1/charge   as take, for what was used already: charged also beyond the limit
//	POST /v1/reserve  as take, with "timeout": an estimate, to settle later
//	POST /v1/commit   {"reservation":TOKEN,"actual":12}; POST /v1/cancel {"reservation":TOKEN}
//	POST /v1/refund   {"client":"alice","cost":12}: units back, whichever nodes charged them
//	POST /v1/reset    {"client":"alice","limit":"default"}
//	GET  /v1/explain  ?client=alice&limit=default: why the client stands where it stands
//	GET  /v1/limits, and GET, PUT and DELETE /v1/limits/NAME
//	GET  /v1/status, /v1/top?limit=default, /v1/shadow
//	POST /v1/forget   {"node":"n2"}
//	GET  /livez, /readyz (why not, and why degraded; ?verbose), /metrics, /openapi.yaml
//	GET  / for people, with /ui/{file} and /v1/events: see package dashboard
//
// docs/http.md shows an example of each, openapi.yaml every member of every body.
//
// # Answers
//
// A decision is application/json. Its status is 200, or 429 with Retry-After for a
// denial; a peek is always 200. A request that can never pass gets a Retry-After of a
// year of 365 days.
//
// Every error is application/problem+json (RFC 9457) and changes nothing. Its member
// "field" names the input at fault, and nested fields by their path, such as
// overrides[1].cidr. For a body, "detail" lists all faults and "field" names the first.
// The handler refuses unknown and repeated fields, in bodies and in queries. The statuses
// are
//
//	400  bad input
//	401  the caller must present a token
//	403  the caller may not write, or is a page of another site
//	404  no such limit or reservation
//	405  the path does not take this method
//	408  a body that takes longer than [Config.ReadWithin]
//	409  too many limits
//	412  If-Match or If-None-Match does not hold
//	413  a body above [MaxBody], [MaxLimitBody] for a limit, or [MaxBatchBody] for a batch
//	421  a loopback address is called by a foreign name
//	503  the node holds as many policies, reservations, resets or changes as it can, stops,
//	     or has a clock that is ahead; with Retry-After
//
// # Several limits, and inline policies
//
// A body of take and reserve may have "also": further limits that also have to admit the
// request. It may have "at_most":true, to take as much as fits, and "policy", an inline
// policy. The answer describes the limit that binds. With "also", its member "limits" has
// the decision of each limit.
//
// # Charges
//
// A charge is 200 also beyond the limit: there is nothing to deny any more. "charged" and
// "not_charged" say what the node charged, and what is above the debt cap.
//
// # Reservations
//
// Any node settles a reservation, once. Another node than the one that made it asks that
// one, and answers within 2 s. The status is 202 if the other has not answered by then;
// the asked node goes on trying.
//
// # Who may ask, and who may write
//
// Changes of limits, resets, refunds and forgetting a node need the admin token, as
// "Authorization: Bearer TOKEN". Without a configured token the handler refuses them, unless
// only this machine can reach the listener ([Config.Loopback]). With [Config.APIToken],
// everything but health needs that token, or the admin token.
//
// A web page that somebody opens on the machine must not lift limits or read clients' names.
// So the handler refuses what pages of other sites ask for, and on loopback whatever calls it
// by a name that is neither local nor in [Config.Hosts].
//
// # Changing a limit
//
// A PUT replaces the whole limit: a missing field gets its default. With "use":NAME, the
// missing fields come from that limit as it is at this moment. NAME may be the limit itself:
//
//	PUT /v1/limits/login   {"use":"login","limit":10}
//
// docs/limits.md lists all fields. A change takes effect on all nodes at one instant, about
// a quarter of a second later, and the handler answers then. A DELETE undoes the PUTs of a
// limit. It answers with the limit in the node's configuration, or with
// {"deleted":true,"name":NAME} if the configuration has none of that name.
package httpapi
