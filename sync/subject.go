package sync

import (
	"strconv"
	"strings"

	"github.com/distributed-rate-limiter/distributed-rate-limiter/crdt"
)

// subjects builds and parses <prefix>.v1.<cluster>.<kind>.<node>.<incarnation>, where node
// and incarnation are the sender's. A message that is addressed to one replica has its node
// and its incarnation behind that. Node and incarnation are two tokens, so that one
// permission per node name covers all its incarnations. No subject holds a client's name (N8).
type subjects struct{ base string }

func newSubjects(prefix, cluster string) subjects {
	return subjects{base: prefix + ".v" + strconv.Itoa(Version) + "." + cluster + "."}
}

// of is the subject of one replica's broadcasts of kind k.
func (s subjects) of(k Kind, node string, r crdt.Replica) string {
	return s.base + k.String() + "." + node + "." + incarnation(r)
}

// between is the subject of a replica's messages of kind k that are addressed to another.
func (s subjects) between(k Kind, node string, r crdt.Replica, toNode string, to crdt.Replica) string {
	return s.of(k, node, r) + "." + toNode + "." + incarnation(to)
}

// broadcasts matches everybody's broadcasts.
func (s subjects) broadcasts() string { return s.base + "*.*.*" }

// addressed matches what is addressed to a replica, whoever sends it.
func (s subjects) addressed(node string, r crdt.Replica) string {
	return s.base + "*.*.*." + node + "." + incarnation(r)
}

// parse takes a subject apart. ok is false if it is none of this cluster's, or if it has a
// receiver although messages of its kind are broadcasts, or the other way round. Who the
// receiver is the tag says.
func (s subjects) parse(subject string) (k Kind, node string, r crdt.Replica, ok bool) {
	rest, ok := strings.CutPrefix(subject, s.base)
	if !ok {
		return 0, "", 0, false
	}
	var tokens [5]string
	n := 0
	for more := true; more; n++ {
		if n == len(tokens) {
			return 0, "", 0, false
		}
		tokens[n], rest, more = strings.Cut(rest, ".")
	}
	for k = 1; k < kindEnd; k++ {
		if k.String() == tokens[0] {
			number, err := strconv.ParseUint(tokens[2], 36, 64)
			node, r = tokens[1], crdt.Replica(number)
			// Only one spelling of an incarnation counts: answers go to the subject made
			// from the number.
			ok = err == nil && ValidName(node) && incarnation(r) == tokens[2]
			return k, node, r, ok && (k.addressed() && n == 5 || !k.addressed() && n == 3)
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

// NameOf makes a name of a text: what a name cannot have becomes a dash, and what is too long is cut
// off. It is empty for an empty text.
func NameOf(text string) string {
	token := []byte(text[:min(len(text), maxName)])
	for i, b := range token {
		if !ValidName(string(b)) {
			token[i] = '-'
		}
	}
	return string(token)
}
