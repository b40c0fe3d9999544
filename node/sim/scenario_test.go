package sim_test

import (
	"encoding/json"
	"errors"
	"math"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/distributed-rate-limiter/distributed-rate-limiter/node"
	"github.com/distributed-rate-limiter/distributed-rate-limiter/node/sim"
)

func TestAScenarioSurvivesJSON(t *testing.T) {
	for seed := uint64(1); seed <= 200; seed++ {
		sc := sim.Random(seed)
		if seed%2 == 0 {
			sc = sim.Correlated(seed)
		}
		text, err := json.Marshal(sc)
		if err != nil {
			t.Fatalf("seed %d: %v", seed, err)
		}
		var back sim.Scenario
		if err := json.Unmarshal(text, &back); err != nil {
			t.Fatalf("seed %d: %v in %s", seed, err, text)
		}
		if !reflect.DeepEqual(sc, back) {
			t.Fatalf("seed %d: %s came back as %+v", seed, text, back)
		}
	}
}

func TestAScenarioReadsLikeWrittenByHand(t *testing.T) {
	sc := sim.Scenario{
		Nodes: 3, Policy: node.Policy{Limit: 10, Window: time.Minute}, Duration: 90 * time.Second,
		Streams: []sim.Stream{{Client: "a", Rate: 0.5}},
		Faults:  []sim.Fault{{At: 5 * time.Second, Kind: sim.FaultLimit, Nodes: []int{1}, Policy: &node.Policy{Limit: 1, Window: time.Hour, MaxOvershoot: 0.5}}},
	}
	const want = `{"nodes":3,"policy":{"limit":10,"window":"1m0s"},"duration":"1m30s","streams":[{"client":"a","rate":0.5}],` +
		`"faults":[{"at":"5s","kind":"limit","nodes":[1],"policy":{"limit":1,"window":"1h0m0s","max_overshoot":0.5}}]}`
	if got, err := json.Marshal(sc); err != nil || string(got) != want {
		t.Errorf("got  %s, %v\nwant %s", got, err, want)
	}
}

func TestAWrongScenarioIsRefusedByPath(t *testing.T) {
	for text, path := range map[string]string{
		`[]`:                              "the whole: ",
		`{"node":3}`:                      "node: no such field",
		`{"nodes":"3"}`:                   "nodes: ",
		`{"flush":50}`:                    "flush: must be a duration",
		`{"flush":"50"}`:                  "flush: time: missing unit",
		`{"link":{"loss":0.1,"delay":1}}`: "link.delay: no such field",
		`{"streams":[{},{"rate":"1"}]}`:   "streams[1].rate: ",
		`{"faults":[{"policy":{"x":1}}]}`: "faults[0].policy.x: no such field",
	} {
		var sc sim.Scenario
		if err := json.Unmarshal([]byte(text), &sc); err == nil || !strings.Contains(err.Error(), path) {
			t.Errorf("%s: got error %v, want one with %q", text, err, path)
		}
	}
}

func TestAScenarioThatCannotRunIsRefusedByField(t *testing.T) {
	good := func() sim.Scenario {
		return sim.Scenario{
			Nodes: 2, Policy: node.Policy{Limit: 10, Window: time.Second}, Duration: time.Second,
			Streams: []sim.Stream{{Rate: 1}}, Faults: []sim.Fault{{Kind: sim.FaultCrash, Nodes: []int{1}}},
		}
	}
	sc := good()
	if err := sc.Validate(); err != nil {
		t.Fatalf("the good scenario: %v", err)
	}
	for field, spoil := range map[string]func(*sim.Scenario){
		"nodes":           func(sc *sim.Scenario) { sc.Nodes = 0 },
		"duration":        func(sc *sim.Scenario) { sc.Duration = 0 },
		"flush":           func(sc *sim.Scenario) { sc.Flush = -1 },
		"skew":            func(sc *sim.Scenario) { sc.Skew = -1 },
		"drift":           func(sc *sim.Scenario) { sc.Drift = math.NaN() },
		"limit":           func(sc *sim.Scenario) { sc.Policy.Limit = 0 },
		"link.loss":       func(sc *sim.Scenario) { sc.Link.Loss = 1 },
		"link.delay_max":  func(sc *sim.Scenario) { sc.Link.DelayMin = 1 },
		"streams[0].rate": func(sc *sim.Scenario) { sc.Streams[0].Rate = 0 },
		"streams[0].node": func(sc *sim.Scenario) { sc.Streams[0].Node = 3 },
		"faults[0].nodes": func(sc *sim.Scenario) { sc.Faults[0].Nodes = nil },
		"faults[0].kind":  func(sc *sim.Scenario) { sc.Faults[0].Kind = "fire" },
		"faults[0].at":    func(sc *sim.Scenario) { sc.Faults[0].At = -1 },
	} {
		sc := good()
		spoil(&sc)
		_, err := sim.Run(sc, nil)
		wrong := &node.FieldError{}
		if !errors.As(err, &wrong) || wrong.Field != field {
			t.Errorf("%s: got %v", field, err)
		}
	}
}

func TestOneNodeAdmitsWhatACentralLimiterDoes(t *testing.T) {
	for seed := uint64(1); seed <= 20; seed++ {
		sc := sim.Random(seed)
		sc.Nodes, sc.Skew, sc.Drift, sc.Faults = 1, 0, 0, nil
		for i := range sc.Streams {
			sc.Streams[i].Node, sc.Streams[i].Cancel = 0, 0
		}
		r, err := sim.Run(sc, nil)
		if err != nil {
			t.Fatalf("seed %d: %v", seed, err)
		}
		if r.Decisions == 0 || r.Central != r.Admitted || r.CentralUnits != r.Units {
			t.Errorf("seed %d: one node admitted %d (%d units) of %d, a central limiter %d (%d)",
				seed, r.Admitted, r.Units, r.Decisions, r.Central, r.CentralUnits)
		}
	}
}

// changing is one node that goes from one way to count to another and on to a third.
func changing(seed uint64) sim.Scenario {
	sc := sim.Random(3 * seed) // of those that are judged by windows
	sc.Nodes, sc.Skew, sc.Drift, sc.Faults = 1, 0, 0, nil
	for i := range sc.Streams {
		sc.Streams[i].Node, sc.Streams[i].Cancel = 0, 0
	}
	for k := range uint64(2) {
		p := sim.Random(3 * (100*seed + k + 1)).Policy
		sc.Faults = append(sc.Faults, sim.Fault{Kind: sim.FaultLimit, At: time.Duration(1+3*k) * time.Second, Nodes: []int{1}, Policy: &p})
	}
	return sc
}

func TestOneNodeCarriesOverWhatACentralLimiterDoes(t *testing.T) {
	var decisions, admitted uint64
	for seed := uint64(1); seed <= 300; seed++ {
		r, err := sim.Run(changing(seed), nil)
		if err != nil {
			t.Fatalf("seed %d: %v", seed, err)
		}
		for _, v := range r.Violations {
			t.Errorf("seed %d: %s", seed, v)
		}
		// The clock of the change is a nanosecond off at most, and what was used is
		// rounded up to whole units.
		if diff := int64(r.CentralUnits) - int64(r.Units); diff != 0 { //nolint:gosec // small
			t.Errorf("seed %d: one node admitted %d (%d units) of %d, a central limiter %d (%d)",
				seed, r.Admitted, r.Units, r.Decisions, r.Central, r.CentralUnits)
		}
		decisions, admitted = decisions+r.Decisions, admitted+r.Admitted
	}
	if admitted == 0 || admitted == decisions {
		t.Errorf("%d of %d were admitted: this proves nothing", admitted, decisions)
	}
}

func TestExcessStaysBelowTheBoundThatKnowsNoLoad(t *testing.T) {
	var most float64
	for seed := uint64(1); seed <= 60; seed++ {
		sc := sim.Random(seed)
		sc.Faults = nil
		r, err := sim.Run(sc, nil)
		if err != nil {
			t.Fatalf("seed %d: %v", seed, err)
		}
		if r.Ceiling > 0 && r.E > r.Ceiling+1e-3 {
			t.Errorf("seed %d: E is %.3f, the bound %.3f with %d nodes, delta %v, sigma %v", seed, r.E, r.Ceiling, r.Incarnations, r.Delta, r.Sigma)
		}
		most = max(most, r.E)
	}
	if most == 0 {
		t.Error("nothing was ever over-admitted: this run proves nothing")
	}
}
