package sim_test

import (
	"testing"

	"github.com/distributed-rate-limiter/distributed-rate-limiter/node/sim"
)

func TestWhoConformsIsNeverDenied(t *testing.T) {
	t.Parallel()
	for name, sc := range sim.Conformers() {
		r, err := sim.Run(sc, nil)
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		for _, v := range r.Violations {
			t.Errorf("%s: %s", name, v)
		}
		if r.Conforming < 10 {
			t.Errorf("%s: %d requests conformed: too few to prove anything", name, r.Conforming)
		}
	}
}
