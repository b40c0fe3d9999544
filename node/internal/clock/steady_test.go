package clock_test

import (
	"math/rand/v2"
	"testing"
	"time"

	"github.com/distributed-rate-limiter/distributed-rate-limiter/node/internal/clock"
)

// Whatever somebody does to the wall clock, time less the jumps advances by the lesser of what
// both clocks do, and never steps back.
func TestSteadyAdvancesByTheLesserOfTwoClocks(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 2))
	for range 200 {
		wall, mono := int64(1e18), time.Duration(random.Int64N(1e12))
		s := clock.NewSteady(wall, func() time.Duration { return mono })
		last := wall
		for range 50 {
			dw, dm := random.Int64N(3e9), random.Int64N(3e9)
			wall, mono = wall+dw, mono+time.Duration(dm)
			got := wall - s.Jumped(wall)
			if want := last + min(dw, dm); got != want {
				t.Fatalf("%d ns passed while the wall clock went %d and the other %d", got-last, dw, dm)
			}
			last = got
			if again := wall - s.Jumped(wall); again != got {
				t.Fatalf("a second look says %d ns more", again-got)
			}
		}
	}
	s := clock.NewSteady(5, nil)
	if got := s.Jumped(1e18); got != 0 {
		t.Errorf("without another clock it jumped by %d", got)
	}
}
