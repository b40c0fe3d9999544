package grpclimit

import (
	"context"
	"errors"
	"net/netip"
	"strings"

	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/peer"

	"github.com/distributed-rate-limiter/distributed-rate-limiter/node/internal/keys"
	"github.com/distributed-rate-limiter/distributed-rate-limiter/node/internal/proxies"
)

// ErrNoKey says that a call does not have what its key is made of. It never counts for a
// client that all such calls share.
var ErrNoKey = keys.ErrNoKey

// Key says which client a call counts for. Make one by the functions of this package. The zero
// Key is none. Immutable; safe for concurrent use.
type Key struct{ keys.Key[context.Context] }

// ByPeer counts by the address of the connection's other end. Behind a proxy that is the proxy:
// see ByTrustedProxies.
func ByPeer() Key {
	return byAddress(func(ctx context.Context) (netip.Addr, error) { return noAddress(proxies.Peer(remote(ctx))) }, nil)
}

// ByTrustedProxies counts by the client's address that the metadata x-forwarded-for names: from
// the right, the first that is not in one of these networks, such as 10.0.0.0/8. That of a
// peer that is in none of them counts for nothing: the peer is the client then.
func ByTrustedProxies(networks ...string) Key {
	trusted, err := proxies.Parse(networks...)
	if len(networks) == 0 {
		err = errors.New("no proxies are named: give their networks, or use ByPeer")
	}
	return byAddress(func(ctx context.Context) (netip.Addr, error) {
		return noAddress(trusted.Client(remote(ctx), metadata.ValueFromIncomingContext(ctx, "x-forwarded-for")))
	}, err)
}

func byAddress(address func(context.Context) (netip.Addr, error), fault error) Key {
	return Key{keys.ByAddress(address, fault)}
}

func noAddress(addr netip.Addr, err error) (netip.Addr, error) {
	if err != nil {
		return addr, keys.Missing("the connection has no IP address")
	}
	return addr, nil
}

// remote is the address of a call's other end, "" if it has none.
func remote(ctx context.Context) string {
	if p, ok := peer.FromContext(ctx); ok && p.Addr != nil {
		return p.Addr.String()
	}
	return ""
}

// IPv6 returns the key with another number of bits by which IPv6 addresses count, 1 to 128.
// The default is 64. The key must be one of addresses.
func (k Key) IPv6(bits int) Key { return Key{k.Key.IPv6(bits)} }

// ByMetadata counts by a value of the call's metadata, such as an API key, as name=value. The
// client writes it: use it only where an earlier interceptor refuses calls with a value that
// nobody gave out. A call that lacks it, or repeats it, has no key.
func ByMetadata(name string) Key {
	name = strings.ToLower(name)
	return Key{keys.ByValue(name, func(ctx context.Context) (string, error) {
		return keys.Single("call", name, metadata.ValueFromIncomingContext(ctx, name))
	}, nil)}
}

// ByContext counts by a value that an earlier interceptor put into the call's context under
// this key, a string or a fmt.Stringer, as name=value.
func ByContext(name string, key any) Key {
	var fault error
	if key == nil {
		fault = errors.New("ByContext must have a key")
	}
	return Key{keys.ByValue(name, func(ctx context.Context) (string, error) { return keys.Text(ctx.Value(key)), nil }, fault)}
}

// ByFunc counts by what a function finds, as name=value. A call for which that is empty has no
// key. The function's error goes to Config.Failed.
func ByFunc(name string, find func(context.Context) (string, error)) Key {
	return Key{keys.ByValue(name, find, nil)}
}

// Join counts by several keys together: each combination is a client of its own.
func Join(all ...Key) Key { return Key{keys.All(inner(all))} }

// FirstOf counts by the first key that a call has. Give the keys names of their own, since only
// the name and the value count. Of ByContext("user") and ByMetadata("user"), a stranger who sends
// the metadata would be that user.
func FirstOf(all ...Key) Key { return Key{keys.FirstOf(inner(all))} }

func inner(all []Key) (in []keys.Key[context.Context]) {
	for _, k := range all {
		in = append(in, k.Key)
	}
	return in
}
