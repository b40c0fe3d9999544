package crdt_test

import (
	"maps"
	"math/rand/v2"
	"testing"

	"pgregory.net/rapid"

	"github.com/distributed-rate-limiter/distributed-rate-limiter/crdt"
)

// place is where a digest knows counters: one client's, in one life and window.
type place struct {
	key   crdt.Key
	life  crdt.Life
	start int64
}

type grown struct {
	place
	gain crdt.Count
}

var places = rapid.Custom(func(t *rapid.T) place {
	small := rapid.Uint64Range(0, 3)
	return place{
		key: crdt.Key{Hi: small.Draw(t, "hi"), Lo: small.Draw(t, "lo")},
		life: crdt.Life{
			Revision: crdt.Stamp{At: int64(small.Draw(t, "at")), By: crdt.Replica(small.Draw(t, "by"))},
			Reset:    crdt.Stamp{At: int64(small.Draw(t, "reset"))},
		},
		start: width * int64(small.Draw(t, "window")),
	}
})

var growths = rapid.SliceOf(rapid.Custom(func(t *rapid.T) grown {
	return grown{place: places.Draw(t, "place"), gain: counts.Draw(t, "gain")}
}))

func digest(all []grown) (d crdt.Digest) {
	for _, g := range all {
		d.Grow(g.key, g.life, g.start, g.gain)
	}
	return d
}

// totals is what a digest stands for; empty counters are not there.
func totals(all []grown) map[place]crdt.Count {
	m := map[place]crdt.Count{}
	for _, g := range all {
		c := m[g.place]
		add(&c, g.gain)
		if c != (crdt.Count{}) {
			m[g.place] = c
		}
	}
	return m
}

func TestDigestIsEqualIfAndOnlyIfTheCountersAre(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		a, b := growths.Draw(t, "a"), growths.Draw(t, "b")
		if rapid.Bool().Draw(t, "alike") && len(a) > 0 { // differ in one thing at most
			b = append([]grown(nil), a...)
			g := &b[rapid.IntRange(0, len(b)-1).Draw(t, "which")]
			switch rapid.IntRange(0, 6).Draw(t, "how") {
			case 0:
				g.gain.P++
			case 1:
				g.gain.N++
			case 2:
				g.gain.P, g.gain.N = g.gain.N, g.gain.P
			case 3:
				g.start += width
			case 4:
				g.life.Revision.At++
			case 5:
				g.life.Reset, g.life.Revision = g.life.Revision, g.life.Reset
			case 6:
				g.key.Hi, g.key.Lo = g.key.Lo, g.key.Hi
			}
		}
		if equal, same := digest(a) == digest(b), maps.Equal(totals(a), totals(b)); equal != same {
			t.Fatalf("digests equal %t, counters equal %t", equal, same)
		}
	})
}

func TestDigestIsLinearAndOrderIndependent(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		all := growths.Draw(t, "growths")
		want := digest(all)
		if got := digest(rapid.Permutation(all).Draw(t, "shuffled")); got != want {
			t.Fatalf("in another order %x, want %x", got, want)
		}
		var atOnce crdt.Digest
		for p, c := range totals(all) {
			atOnce.Grow(p.key, p.life, p.start, c)
		}
		if atOnce != want {
			t.Fatalf("grown at once %x, in steps %x", atOnce, want)
		}
		cut := rapid.IntRange(0, len(all)).Draw(t, "cut")
		if sum := digest(all[:cut]) + digest(all[cut:]); sum != want {
			t.Fatalf("in two halves %x, want %x", sum, want)
		}
	})
}

func TestShrinkUndoesGrow(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		all := growths.Draw(t, "growths")
		d := digest(all)
		before := d
		d.Shrink(crdt.Key{Lo: 9}, crdt.Life{}, now, crdt.Count{})
		if d != before {
			t.Fatal("losing nothing changed the digest")
		}
		for p, c := range totals(all) {
			d.Shrink(p.key, p.life, p.start, c)
		}
		if d != 0 {
			t.Fatalf("%x is left", d)
		}
	})
}

// The digest of what Merge gained is that of the counters it arrived at, whatever
// came how often and in which order.
func TestDigestFollowsMerge(t *testing.T) {
	key := crdt.Key{Hi: 1, Lo: 2}
	rapid.Check(t, func(t *rapid.T) {
		s := crdt.New(now)
		ds := map[crdt.Replica]*crdt.Digest{}
		all := rapid.SliceOf(messages).Draw(t, "messages")
		for _, m := range rapid.Permutation(append(all, all...)).Draw(t, "twice") {
			if ds[m.from] == nil {
				ds[m.from] = new(crdt.Digest)
			}
			g := s.Merge(&seventh.frame, m.from, m.start, m.row)
			ds[m.from].Grow(key, crdt.Life{}, m.start, g.Cur)
			ds[m.from].Grow(key, crdt.Life{}, m.start-width, g.Prev)
		}
		for r, d := range ds {
			var want crdt.Digest
			row, _ := s.RowOf(r)
			want.Grow(key, crdt.Life{}, now, row.Cur.Count)
			want.Grow(key, crdt.Life{}, now-width, row.Prev.Count)
			if *d != want {
				t.Fatalf("replica %d: %x, want %x", r, *d, want)
			}
		}
	})
}

// Neighbouring clients, lives and windows have unlike weights: no two of three hundred
// thousand collide. A reset is no revision.
func TestDigestsOfSingleUnitsDiffer(t *testing.T) {
	seen := map[crdt.Digest]place{}
	for hi := range uint64(10) {
		for lo := range uint64(10) {
			for at := range int64(10) {
				for by := range crdt.Replica(10) {
					for window := range int64(10) {
						stamp := crdt.Stamp{At: at, By: by}
						lives := []crdt.Life{{Revision: stamp}, {Reset: stamp}, {Revision: stamp, Reset: crdt.Stamp{At: 3}}}
						if stamp == (crdt.Stamp{}) {
							lives = lives[:1]
						}
						for _, life := range lives {
							p := place{crdt.Key{Hi: hi, Lo: lo}, life, window * 60_000_000_000}
							d := digest([]grown{{p, crdt.Count{P: 1}}})
							if q, ok := seen[d]; ok || d == 0 {
								t.Fatalf("%+v and %+v both have %x", p, q, d)
							}
							seen[d] = p
						}
					}
				}
			}
		}
	}
}

func TestPartitionsDivideTheKeys(t *testing.T) {
	const seed, each = 5, 100
	rnd := rand.New(rand.NewPCG(seed, seed))
	var seen [crdt.Partitions]int
	for range crdt.Partitions * each {
		k := crdt.Key{Hi: rnd.Uint64(), Lo: rnd.Uint64()}
		p := k.Partition()
		if p < 0 || p >= crdt.Partitions {
			t.Fatalf("partition %d", p)
		}
		if (crdt.Key{Hi: k.Hi, Lo: rnd.Uint64()}).Partition() != p {
			t.Fatalf("the low half of %x moves its partition", k)
		}
		seen[p]++
	}
	for p, n := range seen {
		if n < each/2 || n > each*2 {
			t.Errorf("seed %d: partition %d has %d keys of %d", seed, p, n, crdt.Partitions*each)
		}
	}
	for hi, want := range map[uint64]int{0: 0, 1<<56 - 1: 0, 1 << 56: 1, 1<<64 - 1: crdt.Partitions - 1} {
		if got := (crdt.Key{Hi: hi}).Partition(); got != want {
			t.Errorf("partition of %x is %d, want %d", hi, got, want)
		}
	}
}
