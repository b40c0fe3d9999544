package sync

import (
	"encoding/binary"
	"encoding/hex"
	"os"
	"strings"
	"testing"

	"github.com/dchest/siphash"

	"github.com/distributed-rate-limiter/distributed-rate-limiter/crdt"
)

// Line i is what the reference implementation (github.com/veorq/SipHash, built with one and
// three rounds) makes of the bytes 0 to i-1 under the key of the bytes 0 to 15. Every way to
// cut the bytes into a prefix and an id gives the same.
func TestKeyHashIsSipHash13(t *testing.T) {
	text, err := os.ReadFile("testdata/siphash-1-3-128.txt")
	if err != nil {
		t.Fatal(err)
	}
	lines := strings.Fields(string(text))
	if len(lines) != 64 {
		t.Fatalf("%d vectors, want 64", len(lines))
	}
	var in [64]byte
	for i := range in {
		in[i] = byte(i)
	}
	s := Secret{k0: binary.LittleEndian.Uint64(in[0:]), k1: binary.LittleEndian.Uint64(in[8:])}
	for n, line := range lines {
		out, err := hex.DecodeString(line)
		if err != nil {
			t.Fatal(err)
		}
		want := crdt.Key{Hi: binary.LittleEndian.Uint64(out), Lo: binary.LittleEndian.Uint64(out[8:])}
		for a := range n + 1 {
			for b := a; b <= n; b++ {
				h := s.KeyHash().Add(in[:a])
				h = h.Add(in[a:b])
				if got := h.Sum(string(in[b:n])); got != want {
					t.Fatalf("%d bytes, cut at %d and %d: %x, want %x", n, a, b, got, want)
				}
			}
		}
	}
}

// BenchmarkKeyHash is the hash of every decision, beside SipHash-2-4 of a copied id.
func BenchmarkKeyHash(b *testing.B) {
	s := NewSecret([]byte("key"), "client hash")
	const prefix, id = "default\x00", "client-0000000000001"
	var k crdt.Key
	b.Run("kept prefix", func(b *testing.B) {
		h := s.KeyHash().Add([]byte(prefix))
		for b.Loop() {
			k = h.Sum(id)
		}
	})
	b.Run("SipHash-2-4", func(b *testing.B) {
		var buf [128]byte
		for b.Loop() {
			k.Hi, k.Lo = siphash.Hash128(s.k0, s.k1, append(append(buf[:0], prefix...), id...))
		}
	})
	if k == (crdt.Key{}) {
		b.Error("no key")
	}
}
