package sim_test

import (
	"testing"

	"github.com/distributed-rate-limiter/distributed-rate-limiter/node/sim"
)

// Charges beside requests and reservations, under every algorithm and with faults: all that is
// admitted keeps to the bound on top of the debts, and what nodes hold is what was charged.
func TestChargesKeepToTheBoundOfWhatIsAdmitted(t *testing.T) {
	var charged, left uint64
	for seed := range uint64(max(16, *seeds/5)) { //nolint:gosec // positive
		sc := reserving(*from + seed)
		for i := range sc.Streams {
			sc.Streams[i].Charge, sc.Streams[i].Cancel = 0.3, 0.5
		}
		r, err := sim.Run(sc, nil)
		if err != nil {
			t.Fatalf("seed %d: %v", seed, err)
		}
		for _, v := range r.Violations {
			t.Errorf("seed %d: %s", seed, v)
		}
		if t.Failed() {
			return
		}
		charged, left = charged+r.Charged, left+r.NotCharged
	}
	if charged < 1000 || left == 0 {
		t.Errorf("%d units were charged, %d left out: this proves nothing", charged, left)
	}
	t.Logf("%d units charged, %d above the debt cap", charged, left)
}
