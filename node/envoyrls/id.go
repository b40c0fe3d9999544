package envoyrls

import (
	"crypto/sha256"
	"encoding/hex"

	"github.com/distributed-rate-limiter/distributed-rate-limiter/node"
)

// limitName is the name under which a node counts all buckets of this service. So they never
// meet those of other interfaces that name their policies. Another name would start all counts anew,
// and apart from nodes of the other release.
const limitName = "envoy"

// A bucket's id is domain|key=value|key=value. Values come from clients, so what divides
// them is escaped: nobody can write a value that reads like somebody else's entries.

// appendEntry appends an entry to a bucket's id. The entries keep their order, as in
// envoyproxy/ratelimit: a descriptor with the same entries in another order has another bucket.
func appendEntry(b []byte, key, value string) []byte {
	b = appendEscaped(append(b, '|'), key)
	return appendEscaped(append(b, '='), value)
}

// appendEscaped appends a text so that no part of it reads as a divider.
func appendEscaped(b []byte, text string) []byte {
	for i := range len(text) {
		switch c := text[i]; c {
		case '\\', '|', '=':
			b = append(b, '\\', c)
		default:
			b = append(b, c)
		}
	}
	return b
}

// shorten replaces an id that is too long for a node by its hash. The id begins at start. No
// other id can look like the result, since every entry has an equals sign.
func shorten(b []byte, start int) []byte {
	if len(b)-start <= node.MaxClientID {
		return b
	}
	sum := sha256.Sum256(b[start:])
	return hex.AppendEncode(append(b[:start], '|', '#'), sum[:])
}
