package sim

import (
	"cmp"
	"testing"
	"time"

	"github.com/distributed-rate-limiter/distributed-rate-limiter/node"
)

// conformers are hand-made scenarios of a client that must never be denied, in
// circumstances that could tempt a node to: denials are found there that hardly any
// random request would come upon.
func conformers() map[string]Scenario {
	out := map[string]Scenario{
		"full bursts of a rate that no nanosecond divides": lone(node.Policy{Limit: 7, Window: time.Second, Burst: 14}),
		"full bursts of a seventh of an hour":              lone(node.Policy{Limit: 7, Window: time.Hour}),
		"full bursts of hundreds a second":                 lone(node.Policy{Limit: 977, Window: time.Second}),
		"one unit at a time":                               lone(node.Policy{Limit: 7, Window: time.Second, Burst: 1}),
	}

	// A node whose clock is wrong by an hour must not lock out the others' clients.
	wrong := cluster(3, perSecond(10, 30), 50*ms, 3*ms, 30*time.Second)
	wrong.Clocks = []time.Duration{time.Hour}
	wrong.Streams = []Stream{{Client: "good", Rate: 30, Conforming: true, Slack: 200 * ms}}
	out["spread over nodes, the clock of one an hour ahead"] = wrong

	// Clocks apart, around changes of windows.
	apart := cluster(3, perSecond(10, 30), 50*ms, 3*ms, 40*time.Second)
	apart.Clocks = []time.Duration{-400 * ms, 0, 400 * ms}
	apart.Streams = []Stream{
		{Client: "good", Rate: 30, Conforming: true, Slack: 1100 * ms},
		{Client: "greedy", Rate: 50},
	}
	out["spread over nodes, clocks apart"] = apart
	return out
}

// lone is one node that is asked for all that a policy allows, to the unit and
// nanosecond.
func lone(p node.Policy) Scenario {
	sc := cluster(1, p, 50*ms, 0, 50*time.Second)
	sc.Streams = []Stream{
		{Client: "good", Burst: int(cmp.Or(p.Burst, p.Limit)), Start: 100 * ms, Period: 730 * ms, Conforming: true},
		{Client: "fine", Rate: 100, Conforming: true},
	}
	return sc
}

func TestWhoConformsIsNeverDenied(t *testing.T) {
	t.Parallel()
	for name, sc := range conformers() {
		r, err := Run(sc, nil)
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
