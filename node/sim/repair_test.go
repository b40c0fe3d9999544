package sim_test

import (
	"encoding/json"
	"os"
	"testing"

	"github.com/distributed-rate-limiter/distributed-rate-limiter/node/sim"
)

// What was lost is repaired whoever is left to tell of it. mostE is the largest excess, in
// units: what is repaired too late shows in it.
func TestWhatWasLostIsRepaired(t *testing.T) {
	for name, mostE := range map[string]float64{
		"origin-never-repaired-burst": 3, // a client that stays at the node that missed an origin
	} {
		text, err := os.ReadFile("testdata/repair/" + name + ".json")
		if err != nil {
			t.Fatal(err)
		}
		var sc sim.Scenario
		if err := json.Unmarshal(text, &sc); err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		r := check(t, name, sc)
		if r.E > mostE+1e-3 {
			t.Errorf("%s: E is %.3f, want at most %.0f", name, r.E, mostE)
		}
	}
	for name, seeds := range map[string][]uint64{
		"origins": {50030962, 50039563, 50020110},
	} {
		for _, seed := range seeds {
			check(t, name, sim.Random(seed))
		}
	}
}

func check(t *testing.T, name string, sc sim.Scenario) sim.Result {
	t.Helper()
	r, err := sim.Run(sc, nil)
	if err != nil {
		t.Fatalf("%s: %v", name, err)
	}
	for _, v := range r.Violations {
		t.Errorf("%s, seed %d: %s", name, sc.Seed, v)
	}
	return r
}
