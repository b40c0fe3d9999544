package sync

import (
	"crypto/hkdf"
	"crypto/sha256"
	"encoding/binary"

	"github.com/dchest/siphash"

	"github.com/distributed-rate-limiter/distributed-rate-limiter/crdt"
)

const tagSize = 8 // bytes of SipHash's short form

// Secret is a key derived from the cluster's, for message tags or for client hashes. Every
// node of a cluster needs the same one: nodes drop and count messages made under another.
// The zero value is a key like any other, and public. Safe for concurrent use.
type Secret struct{ k0, k1 uint64 }

// DefaultClusterKey is the cluster key of a configuration without one. It is public, so
// it guards against accidents only: set a key of your own.
const DefaultClusterKey = "distributed-rate-limiter default cluster key"

// NewSecret derives the key for one purpose from the cluster key (HKDF, RFC 5869, with
// SHA-256 and without a salt).
func NewSecret(clusterKey []byte, purpose string) Secret {
	const size = 16
	b, err := hkdf.Key(sha256.New, clusterKey, nil, purpose, size)
	if err != nil {
		panic("sync: derive a key: " + err.Error()) // only if size were too large
	}
	return Secret{k0: binary.LittleEndian.Uint64(b), k1: binary.LittleEndian.Uint64(b[8:])}
}

// tagSecret is the key of a cluster's broadcasts: the name of the cluster is part of it, so
// that a message of one cluster is none of another that has the same cluster key.
func tagSecret(clusterKey []byte, cluster string) Secret {
	return NewSecret(clusterKey, "message tag of cluster "+cluster)
}

// to is the key of messages that are addressed to one incarnation. The tag covers the
// receiver in this way without a byte on the wire: a message that was recorded is void for
// every other incarnation. The zero Replica addresses everybody.
func (s Secret) to(r crdt.Replica) Secret {
	if r == 0 {
		return s
	}
	hi, lo := s.Hash128(binary.LittleEndian.AppendUint64(make([]byte, 0, 8), uint64(r)))
	return Secret{k0: hi, k1: lo}
}

// Hash128 is SipHash-2-4-128 of b under the secret (Aumasson and Bernstein, INDOCRYPT
// 2012). It allocates nothing.
func (s Secret) Hash128(b []byte) (hi, lo uint64) { return siphash.Hash128(s.k0, s.k1, b) }

// seal appends the tag to b.
func (s Secret) seal(b []byte) []byte {
	return binary.LittleEndian.AppendUint64(b, siphash.Hash(s.k0, s.k1, b))
}

// opens reports whether b ends with the tag of what comes before.
func (s Secret) opens(b []byte) bool {
	if len(b) < tagSize {
		return false
	}
	body, tag := b[:len(b)-tagSize], b[len(b)-tagSize:]
	return siphash.Hash(s.k0, s.k1, body) == binary.LittleEndian.Uint64(tag)
}

// seals tells messages that one replica may read from everything else. It is a value, and
// safe for concurrent use.
type seals struct {
	self     crdt.Replica
	everyone Secret // of broadcasts
	own      Secret // of what is addressed to self
}

func newSeals(s Secret, self crdt.Replica) seals { return seals{self, s, s.to(self)} }

// check looks at the size and at the tag of a message, at the cost of one pass over it.
func (s *seals) check(data []byte) error {
	if len(data) > MaxMessage {
		return ErrOversize
	}
	key := &s.everyone
	// Version and kind are one byte each, and the tag covers them.
	if len(data) > 1 && Kind(data[1]).addressed() {
		key = &s.own
	}
	if !key.opens(data) {
		return ErrTag
	}
	return nil
}
