// Package keys writes the ids of clients that doors find out themselves: from an address, a
// header, a path. A client is the same one whichever door it comes through. Keys of two names
// are never the same client, and neither are one key and several joined. Where a value comes
// from does not count: the header "user" and the context's "user" make one client of one value.
package keys

import (
	"crypto/sha256"
	"encoding/base64"
	"net/netip"
	"strings"

	"github.com/distributed-rate-limiter/distributed-rate-limiter/node/internal/proxies"
	"github.com/distributed-rate-limiter/distributed-rate-limiter/node/limit"
)

// IPv6Bits is how many bits of an IPv6 address count, unless somebody says otherwise: providers
// give a subscriber at least a /64. Raising it lets a subscriber have as many accounts as
// addresses; lowering it makes neighbours share one.
const IPv6Bits = limit.DefaultIPv6Prefix

// MaxValue is the longest value that stands in a key as it is. Longer ones are hashed. Raising
// it makes lists of clients hard to read; lowering it hashes names that people know.
const MaxValue = 128

// Network is the network by which an address counts: an IPv4 address by itself, and an IPv6
// address by its first bits, 1 to 128, as the first address of that network. A limit's
// overrides for networks so find it.
func Network(addr netip.Addr, bits int) string {
	if addr.Is6() && bits < 128 {
		if n, err := addr.Prefix(bits); err == nil {
			addr = n.Addr()
		}
	}
	return addr.String()
}

// Origin is who asks over a connection, for node.Request.Origin: the network of its address, or
// the text itself if that is no address.
func Origin(remote string) string {
	addr, err := proxies.Peer(remote)
	if err != nil {
		return remote
	}
	return Network(addr, IPv6Bits)
}

// Marked is a value with the name of its key, which NameFault has found well-formed. Addresses
// have no name, and no sign of equality either. The mark between joined keys stands in a value
// behind a backslash, so that no value looks like several keys.
func Marked(name, value string) string {
	if len(value) <= MaxValue {
		return name + "=" + escaped.Replace(value)
	}
	return hashed(name, value)
}

func hashed(name, value string) string {
	sum := sha256.Sum256([]byte(value))
	return name + "#=" + base64.RawURLEncoding.EncodeToString(sum[:])
}

// escaped makes the mark between joined keys stand for itself in none of them.
var escaped = strings.NewReplacer(`\`, `\\`, `|`, `\|`)

// Join makes one key of several, which are networks or marked. Other keys make another one, and
// one is that key itself.
func Join(parts ...string) string {
	joined := strings.Join(parts, "|")
	if len(parts) > 1 && len(joined) > limit.MaxClientID {
		return hashed("joined|", joined) // which is the name of no single key
	}
	return joined
}
