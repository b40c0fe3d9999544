package sim_test

import (
	"flag"
	"fmt"
	"sync/atomic"
	"testing"

	"github.com/distributed-rate-limiter/distributed-rate-limiter/node/sim"
)

var (
	seeds = flag.Int("sim.seeds", 2000, "how many random seeds to run")
	from  = flag.Uint64("sim.from", 1, "the first seed")
)

func TestRandomClustersStayWithinTheBound(t *testing.T) {
	campaign(t, sim.Random, *seeds, "")
}

func TestCorrelatedFaultsStayWithinTheBound(t *testing.T) {
	const share = 20 // they take longer
	campaign(t, sim.Correlated, (*seeds+share-1)/share, " -correlated")
}

func TestRefundsWithoutAReservationStayWithinTheBound(t *testing.T) {
	const share = 10 // they take longer
	var refunded atomic.Uint64
	campaign(t, sim.Refunds, (*seeds+share-1)/share, " -refunds", func(r *sim.Result) { refunded.Add(r.Refunded) })
	t.Cleanup(func() {
		if t.Logf("%d units came back", refunded.Load()); refunded.Load() < 50*uint64(*seeds/share) { //nolint:gosec // positive
			t.Error("that is too few to prove anything")
		}
	})
}

func TestBoundedLimitsNeverExceedTheirCap(t *testing.T) {
	const share = 7 // they take longer
	var capped, pressed atomic.Uint64
	campaign(t, sim.Bounded, (*seeds+share-1)/share, " -bounded", func(r *sim.Result) {
		if most := r.Scenario.Policy.MaxExcess; most > 0 {
			if most < 1 {
				most *= float64(r.Scenario.Policy.Burst)
			}
			if capped.Add(1); r.E > 0.9*most {
				pressed.Add(1)
			}
		}
	})
	t.Cleanup(func() {
		t.Logf("%d of %d runs with an excess come within a tenth of it", pressed.Load(), capped.Load())
		if capped.Load() >= 50 && 10*pressed.Load() < capped.Load() {
			t.Error("that is too few to prove anything")
		}
	})
}

func TestQuotasAreNeverExceeded(t *testing.T) {
	const share = 7
	var used atomic.Uint64
	campaign(t, sim.Quotas, (*seeds+share-1)/share, " -quotas", func(r *sim.Result) {
		if r.E > 0 || r.Scenario.Policy.MaxExcess == 0 && r.Limited > 0 {
			used.Add(1)
		}
	})
	t.Cleanup(func() {
		if t.Logf("%d runs use a quota up", used.Load()); *seeds >= 500 && used.Load() < 20 {
			t.Error("that is too few to prove anything")
		}
	})
}

// In these, whole clusters died while each node was cut off, and the rest had five seconds to agree on
// what up to nine dead incarnations had counted.
func TestNodesAgreeOnManyThatDied(t *testing.T) {
	t.Parallel()
	for _, seed := range []uint64{10216, 10910, 11105} {
		r, err := sim.Run(sim.Bounded(seed), nil)
		if err != nil {
			t.Fatalf("seed %d: %v", seed, err)
		}
		for _, v := range r.Violations {
			t.Errorf("seed %d: %s", seed, v)
		}
	}
}

// campaign runs the scenarios that draw makes of count seeds.
func campaign(t *testing.T, draw func(seed uint64) sim.Scenario, count int, flags string, look ...func(*sim.Result)) {
	var decisions, conforming, failed atomic.Uint64
	const enough = 10 // failing seeds: more tell nothing new
	const workers = 8
	for k := range workers {
		t.Run(fmt.Sprint("part", k), func(t *testing.T) {
			t.Parallel()
			for seed := *from + uint64(k); seed < *from+uint64(count) && failed.Load() < enough; seed += workers {
				r, err := sim.Run(draw(seed), nil)
				if err != nil {
					t.Fatalf("seed %d: %v", seed, err)
				}
				for _, l := range look {
					l(&r)
				}
				decisions.Add(r.Decisions)
				conforming.Add(r.Conforming)
				if len(r.Violations) > 0 {
					failed.Add(1)
				}
				for _, v := range r.Violations {
					t.Errorf("seed %d: %s\nrepeat with: go run ./cmd/ratelimitctl sim -random%s -seed %d -trace -", seed, v, flags, seed)
				}
			}
		})
	}
	t.Cleanup(func() {
		t.Logf("%d seeds, %d decisions, %d of conforming clients", count, decisions.Load(), conforming.Load())
	})
}

func TestRestartsFromFilesStayWithinTheBound(t *testing.T) {
	const share = 10 // they take longer
	var restored atomic.Uint64
	campaign(t, sim.Restarts, (*seeds+share-1)/share, " -restarts", func(r *sim.Result) { restored.Add(r.Restored) })
	t.Cleanup(func() {
		if t.Logf("%d starts from a file", restored.Load()); restored.Load() < uint64(*seeds/share) { //nolint:gosec // positive
			t.Error("that is too few to prove anything")
		}
	})
}
