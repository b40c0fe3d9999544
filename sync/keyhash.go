package sync

import (
	"math/bits"

	"github.com/distributed-rate-limiter/distributed-rate-limiter/crdt"
)

// KeyHash makes clients' keys: SipHash-1-3 with 128 bits of output (Aumasson and Bernstein,
// INDOCRYPT 2012), which has read a prefix already. Every decision hashes an id, so it takes
// the fewest rounds for which nobody knows how to make keys collide without the secret.
// Message tags are SipHash-2-4, because forging one does more harm. It is a value: adding to
// a copy leaves the original as it is. It allocates nothing. Make one with Secret.KeyHash.
type KeyHash struct {
	v0, v1, v2, v3 uint64
	tail           uint64 // the bytes after the last whole word, in its low end
	n              int    // how many bytes were read
}

// KeyHash is the hash under the secret that has read nothing yet.
func (s Secret) KeyHash() KeyHash {
	return KeyHash{
		v0: s.k0 ^ 0x736f6d6570736575, v1: s.k1 ^ 0x646f72616e646f6d ^ 0xee,
		v2: s.k0 ^ 0x6c7967656e657261, v3: s.k1 ^ 0x7465646279746573,
	}
}

// Add is h after it has read b, too.
func (h KeyHash) Add(b []byte) KeyHash {
	for _, c := range b {
		h.tail |= uint64(c) << (h.n % 8 * 8)
		if h.n++; h.n%8 == 0 {
			h.v0, h.v1, h.v2, h.v3 = sipRound(h.v0, h.v1, h.v2, h.v3^h.tail)
			h.v0, h.tail = h.v0^h.tail, 0
		}
	}
	return h
}

// Sum is the key of what h has read, followed by id.
func (h *KeyHash) Sum(id string) crdt.Key {
	v0, v1, v2, v3, tail := h.v0, h.v1, h.v2, h.v3, h.tail
	n, shift, all := h.n+len(id), uint(h.n)%8*8, id //nolint:gosec // not negative
	for len(id) >= 8 {                              // all shifts are below 64, and the compiler need not see to that
		m := load(id)
		w := tail | m<<(shift&63)
		v0, v1, v2, v3 = sipRound(v0, v1, v2, v3^w)
		v0 ^= w
		tail = m >> 1 >> (63 - shift&63) // 0 if shift is
		id = id[8:]
	}
	var rest uint64
	if len(all) >= 8 {
		rest = load(all[len(all)-8:]) >> 1 >> (63 - 8*uint(len(id))&63) // 0 if nothing is left
	} else {
		for i := range len(id) {
			rest |= uint64(id[i]) << (i * 8)
		}
	}
	w := tail | rest<<(shift&63)
	if shift+8*uint(len(id)) >= 64 {
		v0, v1, v2, v3 = sipRound(v0, v1, v2, v3^w)
		v0 ^= w
		w = rest >> 1 >> (63 - shift&63)
	}
	w |= uint64(n) << 56 //nolint:gosec // its low byte is wanted
	v0, v1, v2, v3 = sipRound(v0, v1, v2, v3^w)
	v0, v1, v2, v3 = sipRound(v0^w, v1, v2^0xee, v3)
	v0, v1, v2, v3 = sipRound(v0, v1, v2, v3)
	v0, v1, v2, v3 = sipRound(v0, v1, v2, v3)
	hi := v0 ^ v1 ^ v2 ^ v3
	v0, v1, v2, v3 = sipRound(v0, v1^0xdd, v2, v3)
	v0, v1, v2, v3 = sipRound(v0, v1, v2, v3)
	v0, v1, v2, v3 = sipRound(v0, v1, v2, v3)
	return crdt.Key{Hi: hi, Lo: v0 ^ v1 ^ v2 ^ v3}
}

// load reads the first 8 bytes of s; the compiler makes one load of it.
func load(s string) uint64 {
	_ = s[7]
	return uint64(s[0]) | uint64(s[1])<<8 | uint64(s[2])<<16 | uint64(s[3])<<24 |
		uint64(s[4])<<32 | uint64(s[5])<<40 | uint64(s[6])<<48 | uint64(s[7])<<56
}

// sipRound is SipHash's round. It takes and returns values, so that they stay in registers.
func sipRound(v0, v1, v2, v3 uint64) (_, _, _, _ uint64) {
	v0, v2 = v0+v1, v2+v3
	v1, v3 = bits.RotateLeft64(v1, 13)^v0, bits.RotateLeft64(v3, 16)^v2
	v0, v2 = bits.RotateLeft64(v0, 32)+v3, v2+v1
	return v0, bits.RotateLeft64(v1, 17) ^ v2, bits.RotateLeft64(v2, 32), bits.RotateLeft64(v3, 21) ^ v0
}
