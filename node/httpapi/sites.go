package httpapi

import (
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"strings"
)

// A browser lets a page of any site send requests to this machine, and a name of the page's
// own site can be made to resolve to it. So on a loopback address a request has to call the
// server by a name that is this machine's, and a request of a page has to come from a page of
// this server. Programs send no Origin, and notice nothing of this.

// sites decides which requests are made by whoever uses the server, and not by pages of others.
type sites struct {
	local  bool            // the listener is on loopback
	hosts  map[string]bool // names that are ours, in lower case
	others *http.CrossOriginProtection
}

// newSites takes names as Host headers have them, with or without a port.
func newSites(local bool, hosts []string) *sites {
	s := &sites{local: local, hosts: map[string]bool{}, others: http.NewCrossOriginProtection()}
	for _, name := range hosts {
		s.hosts[hostName(name)] = true
	}
	return s
}

// Guard wraps a handler on a loopback address as the API is guarded there: it refuses requests
// that call the machine by a name that is neither local nor among hosts, and those of other
// sites' pages.
func Guard(h http.Handler, hosts []string) http.Handler { return newSites(true, hosts).guard(h) }

// guard refuses what refuse has a problem with, but for paths that others may ask.
func (s *sites) guard(h http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if !byAnyName(r.URL.Path) {
			if p := s.refuse(r); p != nil {
				p.write(w)
				return
			}
		}
		h.ServeHTTP(w, r)
	})
}

// refuse is the problem of a request that a page of another site can have made, or nil.
func (s *sites) refuse(r *http.Request) *problem {
	switch {
	case s.local && !s.names(r.Host) && (r.URL.Path != envoyPath || ofPage(r)):
		return &problem{
			Status: http.StatusMisdirectedRequest, Field: "host",
			Detail: "this server listens on a loopback address, and takes no requests to " + printable(r.Host) + ": ask localhost, or start ratelimitd with -http-hosts NAME",
		}
	case s.others.Check(r) != nil || foreign(r):
		return &problem{Status: http.StatusForbidden, Field: "origin", Detail: "pages of other sites may not use this server"}
	}
	return nil
}

// byAnyName reports whether others pass requests of theirs on to a path, with the Host and the
// Origin of their client; or whether a path tells nothing but whether the server lives. The
// forward authentication looks itself who asks: see api.foreign.
func byAnyName(path string) bool {
	return forEverybody(path) || strings.HasPrefix(path, forwardPath)
}

// envoyPath is asked by programs, which find this machine by whatever name. It takes nothing but
// POST, and browsers say with each POST where it comes from. So a page whose own name leads
// here is known for one, too.
const envoyPath = "/json"

// ofPage reports whether a browser made the request for a page.
func ofPage(r *http.Request) bool {
	return r.Header.Get("Origin") != "" || r.Header.Get("Sec-Fetch-Site") != ""
}

// forEverybody reports whether a path is one of health.
func forEverybody(path string) bool {
	switch path {
	case "/livez", "/readyz", "/healthcheck":
		return true
	}
	return false
}

// foreign reports whether a page of another origin made the request. It is for those that
// CrossOriginProtection lets pass, because they change nothing: they may not be read either.
func foreign(r *http.Request) bool {
	origin := r.Header.Get("Origin")
	if origin == "" {
		return false
	}
	u, err := url.Parse(origin)
	return err != nil || u.Host != r.Host
}

// names reports whether a Host header names this machine: localhost, an address, since no
// page can make an address lead elsewhere, or one of hosts. HTTP/1.0 has no Host.
func (s *sites) names(host string) bool {
	name := hostName(host)
	if name == "" || name == "localhost" || strings.HasSuffix(name, ".localhost") || s.hosts[name] {
		return true
	}
	_, err := netip.ParseAddr(name)
	return err == nil
}

// hostName is the name or address in a Host header, without port, brackets or final dot.
func hostName(host string) string {
	if strings.IndexByte(host, ':') >= 0 {
		if h, _, err := net.SplitHostPort(host); err == nil {
			host = h
		}
	}
	return strings.ToLower(strings.TrimSuffix(strings.Trim(host, "[]"), "."))
}

// printable is a header's text as an answer may repeat it: 100 bytes tell a person which name is meant,
// and more would let a caller fill the answer.
func printable(host string) string {
	return strings.ToValidUTF8(host[:min(len(host), 100)], "?")
}
