package sim_test

import (
	"testing"
	"time"

	"github.com/distributed-rate-limiter/distributed-rate-limiter/node"
	"github.com/distributed-rate-limiter/distributed-rate-limiter/node/sim"
)

func TestPrototype(t *testing.T) {
	sc := sim.Scenario{
		Seed: 1, Nodes: 10, Policy: node.Policy{Limit: 100, Window: time.Second, Burst: 100},
		Duration: 20 * time.Second,
		Link: sim.Link{DelayMin: time.Millisecond, DelayMax: 3 * time.Millisecond},
		Streams: []sim.Stream{{Client: "a", Rate: 5000}},
	}
	r, err := sim.Run(sc, nil)
	if err != nil { t.Fatal(err) }
	t.Logf("%+v", r)
	r2, _ := sim.Run(sc, nil)
	if r2.Trace != r.Trace { t.Error("trace differs") }
}
