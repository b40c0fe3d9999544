package sim

import (
	"fmt"
	"testing"
	"time"

	"github.com/distributed-rate-limiter/distributed-rate-limiter/node"
)

// TestAFullTableKeepsTheBoundOfWindows floods the tables of three nodes under the window algorithms,
// and lets a client that they hold and one that finds no room send bursts everywhere, window after
// window.
func TestAFullTableKeepsTheBoundOfWindows(t *testing.T) {
	for _, p := range []node.Policy{
		{Limit: 20, Window: 2 * time.Second, Algorithm: node.FixedWindow},
		{Limit: 20, Window: 2 * time.Second, Algorithm: node.SlidingWindow},
		{Limit: 20, Window: 2 * time.Second, Algorithm: node.SlidingWindow, Resolution: 4},
	} {
		sc := cluster(3, p, 50*ms, 3*ms, 9*time.Second)
		sc.MaxClients = 5
		sc.Streams = []Stream{hit(time.Second, 1, 1)}
		for i := range 60 {
			sc.Streams = append(sc.Streams, Stream{Client: fmt.Sprintf("flood-%d", i), Burst: 5, Start: 1500 * ms, Period: time.Second})
		}
		for _, client := range []string{"flood-59", victim} {
			sc.Streams = append(sc.Streams, Stream{Client: client, Burst: 30, Start: 3 * time.Second, Period: 700 * ms})
		}
		r, err := Run(sc, nil)
		if err != nil {
			t.Fatal(err)
		}
		for _, v := range r.Violations {
			t.Errorf("%v, %d parts: %s", p.Algorithm, p.Resolution, v)
		}
	}
}
