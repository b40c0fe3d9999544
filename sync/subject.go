package sync

import (
	"strconv"
	"strings"

	"github.com/distributed-rate-limiter/distributed-rate-limiter/crdt"
)

// subjects builds and parses <prefix>.v1.<cluster>.<kind>.<node>.<incarnation>. Node and
// incarnation are two tokens, so that one permission per node name covers all its
// incarnations. No subject holds a client's name (N8).
type subjects struct{ base string }

func newSubjects(prefix, cluster string) subjects {
	return subjects{base: prefix + ".v" + strconv.Itoa(Version) + "." + cluster + "."}
}

// incarnation is the spelling of a replica in subjects and in logs.
func incarnation(r crdt.Replica) string { return strconv.FormatUint(uint64(r), 36) }

// of is the subject of one replica's messages of kind k, or of requests to it.
func (s subjects) of(k Kind, node string, r crdt.Replica) string {
	return s.base + k.String() + "." + node + "." + incarnation(r)
}

// broadcast matches everybody's messages of kind k.
func (s subjects) broadcast(k Kind) string { return s.base + k.String() + ".*.*" }

// parse takes a subject apart; ok is false if it is none of this cluster's.
func (s subjects) parse(subject string) (k Kind, node string, r crdt.Replica, ok bool) {
	rest, ok := strings.CutPrefix(subject, s.base)
	if !ok {
		return 0, "", 0, false
	}
	token, rest, _ := strings.Cut(rest, ".")
	node, inc, ok := strings.Cut(rest, ".")
	if !ok {
		return 0, "", 0, false
	}
	for k = 1; k < kindEnd; k++ {
		if k.String() == token {
			n, err := strconv.ParseUint(inc, 36, 64)
			r = crdt.Replica(n)
			// Only one spelling of an incarnation counts: requests go to the subject made
			// from the number.
			return k, node, r, err == nil && ValidName(node) && incarnation(r) == inc
		}
	}
	return 0, "", 0, false
}

// ValidName reports whether name can be a node's or a cluster's name, one token of a
// subject: 1 to 64 of A-Z, a-z, 0-9, _ and -.
func ValidName(name string) bool {
	if name == "" || len(name) > maxName {
		return false
	}
	for _, c := range []byte(name) {
		switch {
		case 'a' <= c && c <= 'z', 'A' <= c && c <= 'Z', '0' <= c && c <= '9', c == '_', c == '-':
		default:
			return false
		}
	}
	return true
}
