package sync

import (
	"crypto/sha256"
	"encoding/binary"

	"github.com/dchest/siphash"
)

const tagSize = 8 // bytes of SipHash's short form

// Secret is a key derived from the cluster's, for message tags or for client hashes. Every
// node of a cluster needs the same one: nodes drop and count messages made under another.
// The zero value is a key like any other, and public. Safe for concurrent use.
type Secret struct{ k0, k1 uint64 }

// DefaultClusterKey is the cluster key of a configuration without one. It is public, so
// it guards against accidents only: set a key of your own.
const DefaultClusterKey = "distributed-rate-limiter default cluster key"

// NewSecret derives the key for one purpose from the cluster key.
func NewSecret(clusterKey []byte, purpose string) Secret {
	h := sha256.New()
	_ = binary.Write(h, binary.BigEndian, uint64(len(clusterKey)))
	h.Write(clusterKey)
	h.Write([]byte(purpose))
	sum := h.Sum(nil)
	return Secret{k0: binary.LittleEndian.Uint64(sum), k1: binary.LittleEndian.Uint64(sum[8:])}
}

// Hash128 is SipHash-2-4-128 of b under the secret (Aumasson and Bernstein, INDOCRYPT
// 2012). It allocates nothing.
func (s Secret) Hash128(b []byte) (hi, lo uint64) { return siphash.Hash128(s.k0, s.k1, b) }

// seal appends the tag to b.
func (s Secret) seal(b []byte) []byte {
	return binary.LittleEndian.AppendUint64(b, siphash.Hash(s.k0, s.k1, b))
}

// open checks the tag and returns what it covers.
func (s Secret) open(b []byte) ([]byte, bool) {
	if len(b) < tagSize {
		return nil, false
	}
	body, tag := b[:len(b)-tagSize], b[len(b)-tagSize:]
	return body, siphash.Hash(s.k0, s.k1, body) == binary.LittleEndian.Uint64(tag)
}
