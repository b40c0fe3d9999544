package node_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"testing"
	"testing/synctest"
	"time"

	"github.com/distributed-rate-limiter/distributed-rate-limiter/node"
)

// Three nodes under traffic that asks for far more than it may have, while the limit
// changes, admit about what one node would have that got all of it: no change gives
// a burst away, and none locks anybody out. The lone node is the oracle.
func TestChangesUnderTrafficAdmitWhatOneNodeWould(t *testing.T) {
	start := node.Policy{Limit: 100, Window: 10 * time.Second}
	for _, c := range []struct {
		name    string
		changes []node.Policy
	}{
		{"none", nil},
		{"up", []node.Policy{{Limit: 300, Window: 10 * time.Second}}},
		{"down", []node.Policy{{Limit: 20, Window: 10 * time.Second}}},
		{"up and down", []node.Policy{{Limit: 300, Window: 10 * time.Second}, {Limit: 50, Window: 10 * time.Second}}},
		{"wider window", []node.Policy{{Limit: 100, Window: time.Minute}}},
		{"narrower window", []node.Policy{{Limit: 100, Window: 2 * time.Second}}},
		{"more burst", []node.Policy{{Limit: 100, Window: 10 * time.Second, Burst: 400}}},
		{"less burst", []node.Policy{{Limit: 100, Window: 10 * time.Second, Burst: 10}}},
		{"to and fro", []node.Policy{{Limit: 10, Window: time.Second, Burst: 5}, {Limit: 1000, Window: time.Minute, Burst: 500}, start}},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				var network node.Memory
				var nodes []*node.Node
				for i := range 4 { // the last one is alone, and gets everything
					cfg := node.Config{Name: fmt.Sprintf("n%d", i), Limit: start.Limit, Window: start.Window, Now: time.Now}
					if i < 3 {
						cfg.Transport = network.Transport()
					}
					n, err := node.Open(context.Background(), cfg)
					must(t, err)
					nodes = append(nodes, n)
				}
				defer closeAll(nodes)
				time.Sleep(3 * time.Second)
				central, rnd := nodes[3], rand.New(rand.NewPCG(1, 1))
				admitted, ideal, most := 0, 0, 0
				traffic := func(d time.Duration) {
					for end := time.Now().Add(d); time.Now().Before(end); {
						if nodes[rnd.IntN(3)].Allow("alice") {
							admitted++
						}
						if central.Allow("alice") {
							ideal++
						}
						most = max(most, admitted-ideal)
						time.Sleep(5 * time.Millisecond)
					}
				}
				traffic(20 * time.Second)
				for i, p := range c.changes {
					must(t, errorOf(nodes[i%3].SetLimit("default", p)))
					must(t, errorOf(central.SetLimit("default", p)))
					traffic(20 * time.Second)
				}
				// At 200 requests a second, 50 ms of staleness are 10 of them; each
				// change may bring that once more.
				slack := 12 * (1 + len(c.changes))
				if most > slack || ideal-admitted > slack {
					t.Errorf("admitted %d, one node %d; at most %d ahead", admitted, ideal, most)
				}
				if ideal < 100 {
					t.Errorf("the load proves nothing: one node admitted %d", ideal)
				}
			})
		})
	}
}

// A reset under traffic gives the client one burst, not one from each node.
func TestAResetUnderTrafficGivesOneBurst(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var network node.Memory
		nodes := cluster(t, &network, names(3)...)
		defer closeAll(nodes)
		time.Sleep(3 * time.Second)
		admitted := 0
		traffic := func(n int) {
			for i := range n {
				if nodes[i%3].Allow("alice") {
					admitted++
				}
				time.Sleep(5 * time.Millisecond)
			}
		}
		traffic(1000) // 5 s
		before := admitted
		must(t, nodes[1].Reset("", "alice"))
		traffic(1000)
		// The burst, and what drains in 5 s at 100 per minute, and some staleness.
		if got := admitted - before; got < 100 || got > 100+9+12 {
			t.Errorf("%d passed after the reset", got)
		}
	})
}

// A node that leaves says bye: it counts no more for the bound, and what it admitted
// still does.
func TestWhatANodeAdmittedStaysWhenItLeaves(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var network node.Memory
		nodes := cluster(t, &network, names(3)...)
		defer closeAll(nodes)
		time.Sleep(3 * time.Second)
		if !nodes[0].Take("alice", 60).Allowed {
			t.Fatal("denied")
		}
		must(t, nodes[0].Close()) // it has not flushed yet
		time.Sleep(100 * time.Millisecond)
		for _, n := range nodes[1:] {
			if d := n.Do(node.Request{Client: "alice", Peek: true}); d.Remaining < 40 || d.Remaining > 41 || d.Degraded {
				t.Errorf("%+v", d)
			}
			s := n.Stats()
			if s.Degraded || s.Limits[0].OvershootBound > 103 { // 100, and what drains in a second or two
				t.Errorf("degraded %v, bound %v with one peer left", s.Degraded, s.Limits[0].OvershootBound)
			}
		}
	})
}
