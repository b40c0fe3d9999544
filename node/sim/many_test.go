package sim_test

import (
	"testing"
	"time"

	"github.com/distributed-rate-limiter/distributed-rate-limiter/node"
	"github.com/distributed-rate-limiter/distributed-rate-limiter/node/sim"
)

// Among many nodes the quantum of a cold client is one unit. Its messages leave with the flush all
// the same, and a client that sends much through all nodes gets no more than among few.
func TestManyNodesSendFewMessages(t *testing.T) {
	for _, c := range []struct {
		nodes  int
		most   float64 // messages a node and second
		excess float64 // of the hot client
	}{
		{16, 25, 25},
		{64, 35, 25},
	} {
		const lasts = time.Second
		sc := sim.Scenario{
			Seed: 1, Nodes: c.nodes, Policy: node.Policy{Limit: 100, Window: time.Minute}, Duration: lasts,
			Link:    sim.Link{DelayMin: time.Millisecond, DelayMax: 3 * time.Millisecond},
			Streams: []sim.Stream{{Client: "cold", Clients: 10_000, Rate: 3000}},
		}
		r, err := sim.Run(sc, nil)
		if err != nil {
			t.Fatal(err)
		}
		each := float64(r.Messages) / lasts.Seconds() / float64(c.nodes)
		t.Logf("%d nodes: %.1f messages a node and second, %.0f bytes an admission", c.nodes, each, float64(r.Bytes)/float64(r.Admitted))
		if each > c.most {
			t.Errorf("%d nodes: %.1f messages a node and second, want at most %.0f", c.nodes, each, c.most)
		}
		sc.Streams = []sim.Stream{{Client: "hot", Rate: 1000}}
		hot, err := sim.Run(sc, nil)
		if err != nil {
			t.Fatal(err)
		}
		t.Logf("%d nodes: E is %.1f of a burst of 100", c.nodes, hot.E)
		if hot.E > c.excess {
			t.Errorf("%d nodes: E is %.1f, want at most %.0f", c.nodes, hot.E, c.excess)
		}
		for _, v := range append(r.Violations, hot.Violations...) {
			t.Errorf("%d nodes: %s", c.nodes, v)
		}
	}
}
