package crdt

import "math/bits"

// Partitions is the number of parts into which keys are divided: the grain of digests and
// of repair. More parts fetch less for one difference, but make more digests; fewer do the
// opposite. It is part of the wire format.
const Partitions = 256

// Partition is the partition that contains k.
func (k Key) Partition() int { return int(k.Hi >> 56) }

// Slot is the key under which digests count one of several states of client k; k itself for
// the first.
func (k Key) Slot(slot int) Key {
	k.Lo += uint64(slot) * 0x9e3779b97f4a7c15 //nolint:gosec // not negative
	return k
}

// Digest sums the counters of one replica in one window over many clients. So two nodes can
// compare what they know of that replica in eight bytes. It is linear: growing a counter by
// g adds g times a weight, which depends on the client, its life and the window. So a
// digest follows each change in any order, without knowing the value before. Different
// states collide with probability about 2^-64. Origins have a digest of their own, see
// Origin.
type Digest uint64

// Grow adds to d that the counters of client k, in the window at start and in one life of
// it, grew by gain.
func (d *Digest) Grow(k Key, l Life, start int64, gain Count) {
	if gain == (Count{}) {
		return
	}
	w := weight(k, l, start)
	*d += Digest(gain.P*w + gain.N*bits.RotateLeft64(w, 32))
}

// Shrink takes away what Grow added, for a client whose state was replaced or dropped.
func (d *Digest) Shrink(k Key, l Life, start int64, loss Count) {
	if loss == (Count{}) {
		return
	}
	w := weight(k, l, start)
	*d -= Digest(loss.P*w + loss.N*bits.RotateLeft64(w, 32))
}

// Origin adds to d that client k carries in one life origin o out of the window at start.
func (d *Digest) Origin(k Key, l Life, start, o int64) {
	*d += Digest(mix(weight(k, l, start) + uint64(o)))
}

// weight mixes its arguments into an odd number, so that no gain is annihilated.
// k is a keyed hash already; the rest only has to be spread (the finaliser of
// SplitMix64, Steele, Lea and Flood, OOPSLA 2014).
func weight(k Key, l Life, start int64) uint64 {
	x := k.Lo ^ bits.RotateLeft64(k.Hi, 23)
	x = mix(x + uint64(start))
	x = mixStamp(x, l.Revision)
	if l.Reset != (Stamp{}) {
		x = mixStamp(bits.Reverse64(x), l.Reset) // so that a reset is no revision
	}
	return x | 1
}

func mixStamp(x uint64, s Stamp) uint64 {
	if s != (Stamp{}) {
		x = mix(x + uint64(s.At))
		x = mix(x + uint64(s.By))
	}
	return x
}

func mix(x uint64) uint64 {
	x += 0x9e3779b97f4a7c15
	x = (x ^ x>>30) * 0xbf58476d1ce4e5b9
	x = (x ^ x>>27) * 0x94d049bb133111eb
	return x ^ x>>31
}
