// Package httpapi serves a node over HTTP: decisions, limits, resets, status and
// health, in JSON.
//
//	POST /v1/take     {"client":"alice","limit":"default","cost":1}, or the same as a query
//	GET  /v1/peek     ?client=alice&limit=default&cost=1: what a take would say; takes nothing
//	POST /v1/reserve  as take, with "timeout": cost that is known only after the work
//	POST /v1/commit   {"reservation":TOKEN,"actual":12}; POST /v1/cancel {"reservation":TOKEN}
//	POST /v1/reset    {"client":"alice","limit":"default"}
//	GET  /v1/explain  ?client=alice&limit=default: why the client stands where it stands
//	GET  /v1/limits, and GET, PUT and DELETE /v1/limits/NAME
//	GET  /v1/status, /v1/top?limit=default, /v1/shadow
//	POST /v1/forget   {"node":"n2"}
//	GET  /livez, /readyz (?verbose), /metrics, /openapi.yaml, and / for people
//
// docs/http.md has an example of each, openapi.yaml every member.
//
// A decision is application/json, with status 200, or 429 and Retry-After where it is
// a denial; a peek is always 200. What can never pass says to come back in a year of 365
// days. Everything else that goes wrong is application/problem+json (RFC 9457) whose
// member "field" names what is to blame, and changes nothing: 400 for bad input, 404 for
// a limit or reservation that does not exist, 405 for a method, 409 for too many limits,
// 413 for a body above [MaxBody] or [MaxLimitBody], 403 for a write that is not allowed,
// 503 with Retry-After where a node has its fill of something. Unknown and repeated
// fields are refused, in bodies and in queries alike. Nested fields are named by their
// path, such as overrides[1].cidr; "detail" tells of all faults of a body, "field" of
// the first.
//
// # Several limits, and limits of the caller's
//
// A body of take and reserve may have "also", further limits that have to admit the
// request; "at_most":true, to take what fits; and "policy", a limit that comes with the
// request. The answer is that of the limit that binds; with "also" its member "limits"
// has the decision of each.
//
// # Reservations
//
// A reservation is settled on any node, once. A settlement on another node than its own
// is answered within 2 s: with 202 if that node has not answered yet, which is asked on.
//
// # Who may write
//
// Limits and resets need the admin token, as "Authorization: Bearer TOKEN". Where no
// token is set they are refused, except on a listener that only this machine can
// reach ([Config.Loopback]), and there only to requests that name the machine as
// localhost or by a loopback address and do not come from another site's page: or
// any web page that somebody on the machine opens could lift their limits.
//
// # Changing a limit
//
// A PUT replaces the whole limit: a field that is left out has its default. With
// "use":NAME it has what the limit of that name says, at that moment, which may be the
// one that is replaced:
//
//	PUT /v1/limits/login   {"use":"login","limit":10}
//
// docs/limits.md has all fields. A PUT is answered when the change is in force, about a
// quarter of a second later, at one instant on all nodes. A DELETE takes back what PUTs
// said, and is answered then, too: with the limit as the node's configuration has it,
// or, if it has none of that name, with {"deleted":true,"name":NAME}.
package httpapi
