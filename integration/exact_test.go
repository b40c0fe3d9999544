package integration_test

import (
	"fmt"
	"math/big"
	"math/rand/v2"
	"os"
	"testing"
	"time"

	"github.com/distributed-rate-limiter/distributed-rate-limiter/crdt"
	"github.com/distributed-rate-limiter/distributed-rate-limiter/gcra"
)

// One node's whole decision, crdt.State under gcra.GCRA, against GCRA as the
// continuous-state leaky bucket of ITU-T I.371, in exact arithmetic. Where a unit
// drains in a whole number of nanoseconds every decision is the same. Where it does
// not, a request may pass less than 2 ns early, or wait less than 1 ns more for each
// window of the busy period.

// bucket is the textbook's, in 1/Limit nanoseconds: content X at the last compliance
// time LCT, with a depth of Burst·T.
type bucket struct {
	limit, window, depth, content *big.Int
	last                          int64
}

func newBucket(p gcra.Policy) *bucket {
	return &bucket{
		limit: big.NewInt(p.Limit), window: big.NewInt(int64(p.Window)), content: new(big.Int),
		depth: new(big.Int).Mul(big.NewInt(p.Burst), big.NewInt(int64(p.Window))),
	}
}

// excess is by how much cost at t would overflow the bucket, if that is positive.
func (b *bucket) excess(t, cost int64) (level, excess *big.Int) {
	level = new(big.Int).Mul(big.NewInt(t-b.last), b.limit)
	level.Sub(b.content, level)
	if level.Sign() < 0 {
		level.SetInt64(0)
	}
	level.Add(level, new(big.Int).Mul(big.NewInt(cost), b.window))
	return level, new(big.Int).Sub(level, b.depth)
}

// whenConforms is the first nanosecond at which cost conforms.
func (b *bucket) whenConforms(cost int64) int64 {
	_, x := b.excess(b.last, cost)
	x.Add(x, b.limit).Sub(x, big.NewInt(1))
	return b.last + x.Div(x, b.limit).Int64()
}

func decideExactly(t *testing.T, seed uint64, whole bool, n int) {
	t.Helper()
	rnd := rand.New(rand.NewPCG(seed, seed))
	allowed, differ := 0, 0
	for done := 0; done < n; {
		p := gcra.Policy{Limit: 1 + rnd.Int64N(1000), Burst: 1 + rnd.Int64N(300)}
		p.Window = time.Duration(p.Limit * (1_000_000 + rnd.Int64N(10_000_000)))
		if !whole {
			p.Window += time.Duration(rnd.Int64N(p.Limit))
		}
		g, err := gcra.New(p)
		if err != nil {
			t.Fatal(err)
		}
		width := int64(15*time.Second) + rnd.Int64N(int64(45*time.Second))
		if rnd.IntN(2) == 0 {
			width = max(1, g.Depth()/1000)
		}
		f := crdt.Frame{Width: width, Drain: g.Drain}
		at := int64(1_795_392_000_000_000_000) + rnd.Int64N(1e15)
		s, b := crdt.New(f.Start(at)), newBucket(p)
		b.last = at
		about := fmt.Sprintf("seed %d: %+v, windows of %v", seed, p, time.Duration(width))
		kinds, windows := 5+2*rnd.IntN(2), 1 // may the bucket get full?
		for range 2000 {
			cost := 1 + rnd.Int64N(p.Burst)/(1+rnd.Int64N(p.Burst))
			switch rnd.IntN(kinds) {
			case 0, 1:
			case 2, 3, 4: // around the instant at which the cost begins to conform
				at = max(at, b.whenConforms(cost)-1+rnd.Int64N(3))
			case 5:
				at += rnd.Int64N(g.Depth())
			case 6: // around a change of windows
				at += width - at%width - 1 + rnd.Int64N(3)
			}
			if f.Start(at) > s.Start() {
				s.Roll(&f, f.Start(at))
				windows++
			}
			admitted, origin := g.Admit(gcra.Level{Base: s.Base(), Count: s.Count()}, at, cost)
			level, excess := b.excess(at, cost)
			if conforms := excess.Sign() <= 0; admitted != conforms {
				differ++
				early, late := new(big.Int).Lsh(b.limit, 1), new(big.Int).Mul(b.limit, big.NewInt(-int64(windows)))
				if whole || admitted && excess.Cmp(early) >= 0 || !admitted && excess.Cmp(late) <= 0 {
					t.Fatalf("%s, decision %d: cost %d at %d: admitted %t, the excess is %v/%v ns after %d windows",
						about, done, cost, at, admitted, excess, b.limit, windows)
				}
			}
			if admitted {
				if origin != gcra.Never {
					s.Raise(origin)
					windows = 1
				}
				s.Admit(uint64(cost))
				b.content, b.last = level, at
				allowed++
			}
			done++
		}
	}
	if allowed < n/5 || allowed > n-n/5 {
		t.Errorf("seed %d: %d of %d requests were allowed: too one-sided to prove much", seed, allowed, n)
	}
	if !whole && differ == 0 {
		t.Errorf("seed %d: no request came close enough to the exact boundary", seed)
	}
	t.Logf("%d decisions, %d allowed, %d within the rounding", n, allowed, differ)
}

func TestOneNodeDecidesAsTheTextbook(t *testing.T) {
	decideExactly(t, 1, true, 1_000_000)
	decideExactly(t, 2, false, 500_000)
}

func TestLongOneNodeDecidesAsTheTextbook(t *testing.T) {
	if os.Getenv("RATELIMIT_LONG") != "1" {
		t.Log("set RATELIMIT_LONG=1 for ten million decisions")
		return
	}
	for seed := range uint64(10) {
		decideExactly(t, 100+seed, true, 1_000_000)
		decideExactly(t, 200+seed, false, 1_000_000)
	}
}
