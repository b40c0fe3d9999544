package httpapi

import (
	"errors"
	"fmt"
	"net/http"
	"net/netip"
	"net/url"
	"path"
	"strings"

	"github.com/distributed-rate-limiter/distributed-rate-limiter/node"
	"github.com/distributed-rate-limiter/distributed-rate-limiter/node/internal/headers"
	"github.com/distributed-rate-limiter/distributed-rate-limiter/node/internal/keys"
	"github.com/distributed-rate-limiter/distributed-rate-limiter/node/internal/proxies"
	"github.com/distributed-rate-limiter/distributed-rate-limiter/node/internal/spec"
)

// Forward authentication: a proxy asks whether it may pass a request on, and the answer's
// status says so. Proxies ask in three ways, by any method:
//
//	/v1/forward/LIMIT/OPTIONS            Caddy, nginx, Traefik: the request is in X-Forwarded fields
//	/v1/forward/LIMIT/OPTIONS/THE/PATH   Envoy's ext_authz, which appends the request's path
//	/v1/forward/LIMIT?OPTIONS            as the first
//
// Caddy and Envoy append the client's query, unless they are told not to. So a query counts for
// nothing beside options in the path, and in the third form it must not be the client's.
const forwardPath = "/v1/forward/"

// noOptions stands for no options in a path.
const noOptions = "-"

// forwarding is what a proxy asks. Its options come from the proxy's configuration, and its path from the
// client.
type forwarding struct {
	limit string
	keys  forwardKeys
	deny  denial
	cost  int64
	path  string // of the client's request, "" if X-Forwarded-Uri has it
}

// denial is the status of a denial.
type denial int

// UnmarshalText implements encoding.TextUnmarshaler.
func (d *denial) UnmarshalText(text []byte) error {
	switch string(text) {
	case "403":
		*d = http.StatusForbidden
	case "429":
		*d = http.StatusTooManyRequests
	default:
		return errors.New("must be 429, or 403 for nginx, which knows no other")
	}
	return nil
}

// forwardKeys say whom a request counts for: each of ip, path and header:NAME.
type forwardKeys []string

// UnmarshalText implements encoding.TextUnmarshaler.
func (k *forwardKeys) UnmarshalText(text []byte) error {
	*k = nil
	for key := range strings.SplitSeq(string(text), ",") {
		header, ok := strings.CutPrefix(key, "header:")
		if key != "ip" && key != "path" && (!ok || header == "") {
			return errors.New("must be ip, path or header:NAME, or several of them with commas")
		}
		if fault := keys.NameFault(header); ok && fault != nil {
			return fault
		}
		*k = append(*k, key)
	}
	return nil
}

// readForwarding reads what a proxy asks. It reads the escaped path, because the limit and the options may
// hold an escaped slash.
func readForwarding(r *http.Request) (f forwarding, p *problem) {
	f = forwarding{keys: forwardKeys{"ip"}, deny: http.StatusTooManyRequests, cost: 1}
	requested := r.URL.EscapedPath()
	if before, _, fragment := strings.Cut(r.URL.RawPath, "#"); fragment { // EscapedPath would make it part of the path
		requested = before
	}
	limit, rest, inPath := strings.Cut(strings.TrimPrefix(requested, forwardPath), "/")
	options := r.URL.RawQuery
	if inPath {
		var appended bool
		if options, f.path, appended = strings.Cut(rest, "/"); appended {
			f.path = "/" + f.path
		}
		if options == noOptions {
			options = ""
		}
	} else if _, query, _ := strings.Cut(r.Header.Get("X-Forwarded-Uri"), "?"); options != "" && options == query {
		return f, bad("query", "the query is that of the client's request: put the options into the path, as in "+forwardPath+"LIMIT/"+noOptions)
	}
	var err error
	if f.limit, err = url.PathUnescape(limit); err != nil || f.limit == "" {
		return f, &problem{Status: http.StatusNotFound, Field: "limit", Detail: "name the limit in the path: " + forwardPath + "LIMIT"}
	}
	if inPath {
		if options, err = url.PathUnescape(options); err != nil {
			return f, bad("options", "the options in the path are not well-formed: "+err.Error())
		}
	}
	p = readValues(options, []spec.Field{{Name: "key", Into: &f.keys}, {Name: "deny", Into: &f.deny}, {Name: "cost", Into: &f.cost}}, nil)
	return f, p
}

// forward decides whether a proxy may pass a request on. The answer must not be kept: the next request of
// the same client may get another one.
func (a *api) forward(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Cache-Control", "no-store")
	f, p := readForwarding(r)
	if p == nil {
		p = a.foreign(r, &f)
	}
	if p != nil {
		p.write(w)
		return
	}
	client, p := a.forwarded(r, &f)
	if p != nil {
		p.write(w)
		return
	}
	q := node.Request{Door: node.DoorForward, Hold: r.Context(), Origin: keys.Origin(r.RemoteAddr), Client: client, Limit: f.limit, Cost: f.cost}
	if q.Cost == 0 {
		q.Cost = zeroCost
	}
	d := a.node.DoDetailed(q)
	if p := refusal(d.Fault); p != nil {
		p.write(w)
		return
	}
	a.tell(r, &q, &d)
	a.describe(w, &q, &d.Decision, d.Each)
	if d.Allowed {
		w.WriteHeader(http.StatusOK) // Envoy knows no other
		return
	}
	headers.SetRetryAfter(w.Header(), &d.Decision)
	respond(w, int(f.deny), headers.ProblemType, headers.QuotaExceeded(int(f.deny), []node.Decision{d.Decision}))
}

// foreign is the problem of a request that a page can have made, or nil. A trusted proxy passes
// on the Host and the Origin of its client, and says so by X-Forwarded-For: without that, it
// could be a browser on the proxy's own machine.
func (a *api) foreign(r *http.Request, f *forwarding) *problem {
	if a.proxies.Trusts(r.RemoteAddr) && r.Header.Get("X-Forwarded-For") != "" {
		return nil
	}
	taking := *r // a GET takes here, too
	taking.Method = http.MethodPost
	p := a.sites.refuse(&taking)
	if p == nil {
		return nil
	}
	p.Detail += "; a proxy that -trusted-proxies names may pass all requests on, with X-Forwarded-For"
	return a.untrusted(r, f, p)
}

// untrusted is the problem of a proxy that nobody trusts with what it asks, and tells the log.
// nginx takes a 403 for a denial: with deny=403 its clients would be told to wait, and nobody
// why.
func (a *api) untrusted(r *http.Request, f *forwarding, p *problem) *problem {
	if f.deny == http.StatusForbidden && p.Status == http.StatusForbidden {
		p.Status = http.StatusInternalServerError
	}
	a.asked.Warn(a.log, "refused what a proxy asks", "address", r.RemoteAddr, "error", p.Detail)
	return p
}

// forwarded is whom the request counts for. The marks of the kinds are those of node/httplimit,
// so a client is the same whichever of the two it comes through.
func (a *api) forwarded(r *http.Request, f *forwarding) (client string, p *problem) {
	parts := make([]string, len(f.keys))
	for i, key := range f.keys {
		switch key {
		case "ip":
			addr, p := a.forwardedAddr(r, f)
			if p != nil {
				return "", p
			}
			parts[i] = keys.Network(addr, keys.IPv6Bits)
		case "path":
			uri, p := f.uri(r)
			if p != nil {
				return "", p
			}
			parts[i] = keys.Marked("path", uri)
		default:
			name := strings.TrimPrefix(key, "header:")
			value, err := keys.Single("request", name, r.Header.Values(name))
			if err != nil {
				return "", f.missing(err.Error())
			}
			parts[i] = keys.Marked(strings.ToLower(name), value)
		}
	}
	return keys.Join(parts...), nil
}

// missing is the problem of a request without its key: the client's fault, and a denial to
// nginx.
func (f *forwarding) missing(detail string) *problem {
	p := bad("key", detail)
	if f.deny == http.StatusForbidden {
		p.Status = http.StatusForbidden
	}
	return p
}

// forwardedAddr is the client's address. A request from nobody that is trusted, or about
// nobody, is refused: otherwise all clients of the proxy would share one account.
func (a *api) forwardedAddr(r *http.Request, f *forwarding) (addr netip.Addr, p *problem) {
	switch {
	case !a.proxies.Trusts(r.RemoteAddr):
		return addr, a.untrusted(r, f, &problem{
			Status: http.StatusForbidden, Field: "trusted_proxies",
			Detail: fmt.Sprintf("the request comes from %s, which is no trusted proxy: name its address or network with -trusted-proxies", r.RemoteAddr),
		})
	case len(r.Header.Values("X-Forwarded-For")) == 0:
		return addr, bad("X-Forwarded-For", "X-Forwarded-For is missing: let the proxy send it, with the client's address last")
	}
	peer, err := proxies.Peer(r.RemoteAddr)
	if err == nil {
		addr, err = a.proxies.Client(r.RemoteAddr, r.Header.Values("X-Forwarded-For"))
	}
	if err != nil || addr == peer { // the last entry is no address, or the proxy asks for itself
		return addr, bad("X-Forwarded-For", "X-Forwarded-For must end with the client's address")
	}
	return addr, nil
}

// uri is the path of the client's request in one spelling, without its query and its fragment.
// A client may send a fragment, which servers ignore: with it in the key, each would be an
// account of its own.
func (f *forwarding) uri(r *http.Request) (string, *problem) {
	uri := f.path
	if uri == "" {
		if uri = r.Header.Get("X-Forwarded-Uri"); uri == "" {
			return "", bad("X-Forwarded-Uri", "X-Forwarded-Uri is missing: let the proxy send it, with the path of the request")
		}
	}
	if end := strings.IndexAny(uri, "?#"); end >= 0 {
		uri = uri[:end]
	}
	if strings.HasPrefix(uri, "/") { // two of them would begin with a host
		uri = "/" + strings.TrimLeft(uri, "/")
	}
	u, err := url.ParseRequestURI(uri)
	if err != nil {
		return "", f.missing("the path of the request is not well-formed")
	}
	return path.Clean("/" + u.Path), nil
}
