package doortest

import (
	"context"
	"testing"
	"time"

	"github.com/distributed-rate-limiter/distributed-rate-limiter/node"
)

// burst is that of Held's limit: more than the half that a node has by itself.
const burst = 16

// Held fails the test unless a door holds requests for a bounded limit. open makes the door of a
// node, and returns what takes a unit of the client by it and reports whether that may pass. Of two
// nodes one gets a whole burst, so half of that has to wait for loans of the other.
func Held(t *testing.T, client string, open func(n *node.Node) (take func() bool)) {
	t.Helper()
	var network node.Memory
	var nodes []*node.Node
	names := []string{"a", "b"}
	for _, name := range names {
		n, err := node.Open(context.Background(), node.Config{
			Name: name, Roster: names, Transport: network.Transport(),
			Limits: map[string]node.Policy{node.DefaultLimit: {Limit: burst, Window: time.Second, Consistency: node.Bounded, Hold: node.MaxHold}},
		})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = n.Close() })
		nodes = append(nodes, n)
	}
	take, held := open(nodes[0]), false
	for deadline := time.Now().Add(time.Minute); !held; {
		if time.Now().After(deadline) {
			t.Fatal("no burst passes whole with requests that wait")
		}
		time.Sleep(50 * time.Millisecond) // the accounts fill up
		before := nodes[0].Stats().Limits[0]
		if x, err := nodes[1].Explain("", client); err != nil || x.Right.Own < burst/2 {
			continue
		}
		passed := 0
		for range burst {
			if take() {
				passed++
			}
		}
		after := nodes[0].Stats().Limits[0]
		held = passed == burst && after.Rights.Held > before.Rights.Held && after.Denied == before.Denied
	}
}
