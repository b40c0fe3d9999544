package sketch

import (
	"math/rand/v2"
	"sync"
	"testing"

	"pgregory.net/rapid"
)

type client struct{ hi, lo uint64 }

// TestAnEstimateIsNeverTooLow compares the sketch with one exact time for each client, under more
// clients than it has cells, some of them in the same cells.
func TestAnEstimateIsNeverTooLow(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		s := New(1)
		exact := map[client]int64{}
		pool := rapid.SliceOfN(rapid.Custom(func(t *rapid.T) client {
			narrow := rapid.Uint64Range(0, 15) // few cells, so that many share
			return client{narrow.Draw(t, "hi"), narrow.Draw(t, "lo")}
		}), 1, 50).Draw(t, "clients")
		for range rapid.IntRange(1, 200).Draw(t, "steps") {
			c := rapid.SampledFrom(pool).Draw(t, "client")
			before := s.Estimate(c.hi, c.lo)
			if before < exact[c] {
				t.Fatalf("%v: estimate %d, exact %d", c, before, exact[c])
			}
			tat := max(before, rapid.Int64Range(0, 1000).Draw(t, "now")) + rapid.Int64Range(1, 10).Draw(t, "cost")
			s.Raise(c.hi, c.lo, tat, tat)
			exact[c] = tat
			if s.Latest() < tat {
				t.Fatalf("latest is %d, after %d", s.Latest(), tat)
			}
		}
		for c, tat := range exact {
			if got := s.Estimate(c.hi, c.lo); got < tat {
				t.Fatalf("%v: estimate %d, exact %d", c, got, tat)
			}
		}
	})
}

func TestAClientAloneIsExact(t *testing.T) {
	s := New(1000)
	if got := s.Estimate(1<<40|7, 9); got != 0 {
		t.Errorf("a new client has %d", got)
	}
	s.Raise(1<<40|7, 9, 500, 500)
	s.Raise(1<<40|7, 9, 400, 400) // what is later stays
	if got := s.Estimate(1<<40|7, 9); got != 500 {
		t.Errorf("estimate %d, want 500", got)
	}
}

// TestFewClientsAreTakenForOthers fills a sketch with as many clients as it is made for.
func TestFewClientsAreTakenForOthers(t *testing.T) {
	const n = 100_000
	rnd := rand.New(rand.NewPCG(1, 2))
	s := New(n)
	for range n {
		s.Raise(rnd.Uint64(), rnd.Uint64(), 1000, 1000)
	}
	wrong := 0
	for range n {
		if s.Estimate(rnd.Uint64(), rnd.Uint64()) > 0 {
			wrong++
		}
	}
	// Each cell is used with a probability of 1-exp(-n/2^18) = 0.32, all four with 0.010.
	if part := float64(wrong) / n; part < 0.007 || part > 0.014 {
		t.Errorf("%.3f of new clients are taken for others, want 0.010", part)
	}
}

func TestClientsSideBySideAreNeverTooLow(t *testing.T) {
	s := New(1)
	var all sync.WaitGroup
	for worker := range uint64(4) {
		all.Go(func() {
			for i := range uint64(20_000) {
				hi, lo := i%7, worker // all share the cells of two rows
				tat := max(s.Estimate(hi, lo), int64(i)) + 1
				s.Raise(hi, lo, tat, tat)
				if got := s.Estimate(hi, lo); got < tat {
					t.Errorf("estimate %d after %d", got, tat)
					return
				}
			}
		})
	}
	all.Wait()
}

func BenchmarkEstimateAndRaise(b *testing.B) {
	b.ReportAllocs()
	s := New(1 << 20)
	rnd := rand.New(rand.NewPCG(1, 2))
	for i := int64(0); b.Loop(); i++ {
		hi, lo := rnd.Uint64(), rnd.Uint64()
		s.Raise(hi, lo, s.Estimate(hi, lo)+i, i)
	}
}
