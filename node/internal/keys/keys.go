// Package keys writes the ids of clients that doors find out themselves: from an address, a
// header, a path. A client is the same one whichever door it comes through, and clients of two
// kinds are never the same.
package keys

import (
	"crypto/sha256"
	"encoding/base64"
	"net/netip"
	"strings"

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

// Marked is a value with the kind of key that it is, which has no sign of equality in it.
// Addresses have no such mark, and no sign of equality either.
func Marked(kind, value string) string {
	if len(value) <= MaxValue {
		return kind + "=" + value
	}
	return hashed(kind, value)
}

func hashed(kind, value string) string {
	sum := sha256.Sum256([]byte(value))
	return kind + "#=" + base64.RawURLEncoding.EncodeToString(sum[:])
}

// Join makes one key of several. Other keys make another one, and one is that key itself.
func Join(parts ...string) string {
	if len(parts) == 1 {
		return parts[0]
	}
	var b strings.Builder
	for i, part := range parts {
		if i > 0 {
			b.WriteByte('|')
		}
		_, _ = escaped.WriteString(&b, part) // a Builder takes everything
	}
	if b.Len() > limit.MaxClientID {
		return hashed("joined", b.String())
	}
	return b.String()
}

// escaped makes the mark between joined keys stand for itself in none of them.
var escaped = strings.NewReplacer(`\`, `\\`, `|`, `\|`)
