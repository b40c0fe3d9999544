package httplimit

import (
	"errors"
	"fmt"
	"net/http"
	"net/netip"
	"strings"

	"github.com/distributed-rate-limiter/distributed-rate-limiter/node/internal/keys"
	"github.com/distributed-rate-limiter/distributed-rate-limiter/node/internal/proxies"
	"github.com/distributed-rate-limiter/distributed-rate-limiter/node/limit"
)

// ErrNoKey says that a request does not have what its key is made of. It never counts for a
// client that all such requests share.
var ErrNoKey = errors.New("httplimit: the request has no key")

// noKey is an ErrNoKey that a client may read.
type noKey string

func (e noKey) Error() string { return "httplimit: " + string(e) }

func (e noKey) Is(target error) bool { return target == ErrNoKey }

// Key says which client a request counts for. Make one by the functions of this package. The
// zero Key is none. Immutable; safe for concurrent use.
type Key struct {
	find    func(*http.Request) (string, error)
	address func(*http.Request) (netip.Addr, error) // of a key that is an address
	bits    int                                     // of an IPv6 address that count
	fault   error                                   // what is wrong with it, for New
}

// ByRemoteAddr counts by the address of the connection's other end. Behind a proxy that is the
// proxy: see ByTrustedProxies.
func ByRemoteAddr() Key {
	return byAddress(func(r *http.Request) (netip.Addr, error) { return proxies.Peer(r.RemoteAddr) })
}

// ByTrustedProxies counts by the client's address that X-Forwarded-For names: from the right,
// the first that is not in one of these networks, such as 10.0.0.0/8. Whatever stands left of
// it could be the client's own writing. The header of a peer that is in none of the networks
// counts for nothing: the peer is the client then. If all addresses are trusted, the leftmost
// is the client.
func ByTrustedProxies(networks ...string) Key {
	trusted, err := parseProxies(networks)
	k := byAddress(func(r *http.Request) (netip.Addr, error) { return trusted.Client(r.RemoteAddr, r.Header) })
	k.fault = err
	return k
}

// ByProxyHeader counts by the address in a header that a proxy sets itself, such as
// CF-Connecting-IP, if the peer is in one of these networks. Otherwise the peer is the client.
// A trusted peer's request without the header, or with anything but one address in it, has no
// key.
func ByProxyHeader(header string, networks ...string) Key {
	trusted, err := parseProxies(networks)
	k := byAddress(func(r *http.Request) (netip.Addr, error) {
		if !trusted.Trusts(r.RemoteAddr) {
			return proxies.Peer(r.RemoteAddr)
		}
		text, err := single(r, header)
		if err != nil {
			return netip.Addr{}, err
		}
		addr, ok := limit.ParseAddress(text)
		if !ok {
			return netip.Addr{}, noKey(header + " has no address")
		}
		return addr, nil
	})
	k.fault = errors.Join(err, nameFault(header))
	return k
}

func parseProxies(networks []string) (proxies.Trusted, error) {
	if len(networks) == 0 {
		return proxies.Trusted{}, errors.New("no proxies are named: give their networks, or use ByRemoteAddr")
	}
	return proxies.Parse(networks...)
}

func byAddress(address func(*http.Request) (netip.Addr, error)) Key {
	k := Key{address: address}
	return k.IPv6(keys.IPv6Bits)
}

// IPv6 returns the key with another number of bits by which IPv6 addresses count, 1 to 128.
// The default is 64. The key must be one of addresses.
func (k Key) IPv6(bits int) Key {
	if k.address == nil || bits < 1 || bits > 128 {
		k.fault = errors.Join(k.fault, fmt.Errorf("IPv6(%d) must be of a key of addresses, and from 1 to 128", bits))
		return k
	}
	k.bits = bits
	k.find = func(r *http.Request) (string, error) {
		addr, err := k.address(r)
		if errors.Is(err, proxies.ErrNoAddress) {
			return "", noKey("the connection has no IP address")
		}
		if err != nil {
			return "", err
		}
		return keys.Network(addr, k.bits), nil
	}
	return k
}

// ByHeader counts by the value of a header, such as an API key, as name=value with the name in
// small letters. The client writes it: use it only where something before the middleware
// refuses requests with a value that nobody gave out. Otherwise a client takes a new value for
// each request, or another's. A request without the header has no key, and neither has one
// that repeats it.
func ByHeader(name string) Key {
	mark := strings.ToLower(name)
	return Key{fault: nameFault(name), find: func(r *http.Request) (string, error) {
		value, err := single(r, name)
		if err != nil {
			return "", err
		}
		return keys.Marked(mark, value), nil
	}}
}

// ByContext counts by a value that an earlier handler put into the request's context under
// this key, a string or a fmt.Stringer, as name=value. Without one, a request has no key.
func ByContext(name string, key any) Key {
	k := ByFunc(name, func(r *http.Request) (string, error) {
		switch v := r.Context().Value(key).(type) {
		case string:
			return v, nil
		case fmt.Stringer:
			return v.String(), nil
		default:
			return "", nil
		}
	})
	if key == nil {
		k.fault = errors.Join(k.fault, errors.New("ByContext must have a key"))
	}
	return k
}

// ByFunc counts by what a function finds, as name=value. A request for which that is empty has
// no key. The function's error goes to Config.Failed.
func ByFunc(name string, find func(*http.Request) (string, error)) Key {
	k := Key{fault: nameFault(name)}
	if find == nil {
		k.fault = errors.Join(k.fault, errors.New("ByFunc must have a function"))
		return k
	}
	k.find = func(r *http.Request) (string, error) {
		value, err := find(r)
		switch {
		case err != nil:
			return "", err
		case value == "":
			return "", noKey("the request has no " + name)
		}
		return keys.Marked(name, value), nil
	}
	return k
}

// Join counts by several keys together: each combination is a client of its own. A request
// that lacks one of them has no key.
func Join(all ...Key) Key {
	return several("Join", all, func(r *http.Request) (string, error) {
		parts := make([]string, len(all))
		for i, k := range all {
			part, err := k.find(r)
			if err != nil {
				return "", err
			}
			parts[i] = part
		}
		return keys.Join(parts...), nil
	})
}

// FirstOf counts by the first key that a request has: by user, say, and strangers by address.
func FirstOf(all ...Key) Key {
	return several("FirstOf", all, func(r *http.Request) (string, error) {
		for _, k := range all {
			if found, err := k.find(r); !errors.Is(err, ErrNoKey) {
				return found, err
			}
		}
		return "", ErrNoKey
	})
}

func several(what string, all []Key, find func(*http.Request) (string, error)) Key {
	var faults []error
	if len(all) == 0 {
		faults = append(faults, errors.New(what+" must have keys"))
	}
	for i, k := range all {
		switch {
		case k.fault != nil:
			faults = append(faults, k.fault)
		case k.find == nil:
			faults = append(faults, fmt.Errorf("key %d of %s is the zero Key", i, what))
		}
	}
	return Key{find: find, fault: errors.Join(faults...)}
}

// single is the value of a header that a request has once.
func single(r *http.Request, name string) (string, error) {
	switch values := r.Header.Values(name); {
	case len(values) > 1:
		return "", noKey("the request has " + name + " more than once")
	case len(values) == 0 || values[0] == "":
		return "", noKey("the request has no " + name)
	default:
		return values[0], nil
	}
}

// nameFault says what is wrong with the name of a header or of a kind of key.
func nameFault(name string) error {
	ok := name != "" && len(name) <= keys.MaxValue
	for _, c := range []byte(name) {
		ok = ok && (c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' || c == '-' || c == '_' || c == '.')
	}
	if !ok {
		return fmt.Errorf("the name %q must be 1 to %d of A-Z, a-z, 0-9, -, _ and the dot", name, keys.MaxValue)
	}
	return nil
}
