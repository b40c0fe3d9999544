package httplimit

import (
	"errors"
	"net/http"
	"net/netip"
	"strings"

	"github.com/distributed-rate-limiter/distributed-rate-limiter/node/internal/keys"
	"github.com/distributed-rate-limiter/distributed-rate-limiter/node/internal/proxies"
	"github.com/distributed-rate-limiter/distributed-rate-limiter/node/limit"
)

// ErrNoKey says that a request does not have what its key is made of. It never counts for a
// client that all such requests share.
var ErrNoKey = keys.ErrNoKey

// Key says which client a request counts for. Make one by the functions of this package. The
// zero Key is none. Immutable; safe for concurrent use.
type Key struct{ keys.Key[*http.Request] }

// ByRemoteAddr counts by the address of the connection's other end. Behind a proxy that is the
// proxy: see ByTrustedProxies.
func ByRemoteAddr() Key { return byAddress(peer, nil) }

// peer is the address of a request's other end.
func peer(r *http.Request) (netip.Addr, error) { return noAddress(proxies.Peer(r.RemoteAddr)) }

// noAddress tells the client of a connection without an address.
func noAddress(addr netip.Addr, err error) (netip.Addr, error) {
	if err != nil {
		return addr, keys.Missing("the connection has no IP address")
	}
	return addr, nil
}

// ByTrustedProxies counts by the client's address that X-Forwarded-For names: from the right,
// the first that is not in one of these networks, such as 10.0.0.0/8. Whatever stands left of
// it could be the client's own writing. The header of a peer that is in none of the networks
// counts for nothing: the peer is the client then. If all addresses are trusted, the leftmost
// is the client.
func ByTrustedProxies(networks ...string) Key {
	trusted, err := parseProxies(networks)
	return byAddress(func(r *http.Request) (netip.Addr, error) {
		return noAddress(trusted.Client(r.RemoteAddr, r.Header.Values("X-Forwarded-For")))
	}, err)
}

// ByProxyHeader counts by the address in a header that a proxy sets itself, such as
// CF-Connecting-IP, if the peer is in one of these networks. Otherwise the peer is the client.
// A trusted peer's request without the header, or with anything but one address in it, has no
// key.
func ByProxyHeader(header string, networks ...string) Key {
	trusted, err := parseProxies(networks)
	return byAddress(func(r *http.Request) (netip.Addr, error) {
		if !trusted.Trusts(r.RemoteAddr) {
			return peer(r)
		}
		text, err := single(r, header)
		if err != nil {
			return netip.Addr{}, err
		}
		addr, ok := limit.ParseAddress(text)
		if !ok {
			return netip.Addr{}, keys.Missing(header + " has no address")
		}
		return addr, nil
	}, errors.Join(err, ByHeader(header).Fault()))
}

func parseProxies(networks []string) (proxies.Trusted, error) {
	if len(networks) == 0 {
		return proxies.Trusted{}, errors.New("no proxies are named: give their networks, or use ByRemoteAddr")
	}
	return proxies.Parse(networks...)
}

func byAddress(address func(*http.Request) (netip.Addr, error), fault error) Key {
	return Key{keys.ByAddress(address, fault)}
}

// IPv6 returns the key with another number of bits by which IPv6 addresses count, 1 to 128.
// The default is 64. The key must be one of addresses.
func (k Key) IPv6(bits int) Key { return Key{k.Key.IPv6(bits)} }

// ByHeader counts by the value of a header, such as an API key, as name=value with the name in
// small letters. The client writes it: use it only where something before the middleware
// refuses requests with a value that nobody gave out. Otherwise a client takes a new value for
// each request, or another's. A request without the header has no key, and neither has one
// that repeats it.
func ByHeader(name string) Key {
	return Key{keys.ByValue(strings.ToLower(name), func(r *http.Request) (string, error) { return single(r, name) }, nil)}
}

// ByContext counts by a value that an earlier handler put into the request's context under
// this key, a string or a fmt.Stringer, as name=value. Without one, a request has no key.
func ByContext(name string, key any) Key {
	var fault error
	if key == nil {
		fault = errors.New("ByContext must have a key")
	}
	return Key{keys.ByValue(name, func(r *http.Request) (string, error) { return keys.Text(r.Context().Value(key)), nil }, fault)}
}

// ByFunc counts by what a function finds, as name=value. A request for which that is empty has
// no key. The function's error goes to Config.Failed.
func ByFunc(name string, find func(*http.Request) (string, error)) Key {
	return Key{keys.ByValue(name, find, nil)}
}

// Join counts by several keys together: each combination is a client of its own. A request
// that lacks one of them has no key.
func Join(all ...Key) Key { return Key{keys.All(inner(all))} }

// FirstOf counts by the first key that a request has: by user, say, and strangers by address.
// Give the keys names of their own, since only the name and the value count. Of ByContext("user")
// and ByHeader("User"), a stranger who sends the header would be that user.
func FirstOf(all ...Key) Key { return Key{keys.FirstOf(inner(all))} }

func inner(all []Key) (in []keys.Key[*http.Request]) {
	for _, k := range all {
		in = append(in, k.Key)
	}
	return in
}

// single is the value of a header that a request has once.
func single(r *http.Request, name string) (string, error) {
	return keys.Single("request", name, r.Header.Values(name))
}
