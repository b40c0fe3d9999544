package node_test

import (
	"context"
	"fmt"
	"log/slog"
	"testing"
	"testing/synctest"
	"time"

	"github.com/distributed-rate-limiter/distributed-rate-limiter/node"
)

// cluster opens n nodes on one in-memory network, inside a synctest bubble.
func cluster(t *testing.T, network *node.Memory, names ...string) []*node.Node {
	t.Helper()
	var nodes []*node.Node
	for _, name := range names {
		n, err := node.Open(context.Background(), node.Config{
			Name: name, Limit: 100, Window: time.Minute,
			Transport: network.Transport(), Now: time.Now, Logger: slog.New(slog.NewTextHandler(t.Output(), nil)),
		})
		if err != nil {
			t.Fatal(err)
		}
		nodes = append(nodes, n)
	}
	return nodes
}

func closeAll(nodes []*node.Node) {
	for _, n := range nodes {
		_ = n.Close()
	}
}

func names(n int) []string {
	var out []string
	for i := range n {
		out = append(out, fmt.Sprintf("n%d", i))
	}
	return out
}

func TestThreeNodesShareOneLimit(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var network node.Memory
		nodes := cluster(t, &network, names(3)...)
		defer closeAll(nodes)
		time.Sleep(3 * time.Second)
		for _, n := range nodes {
			if err := n.Ready(); err != nil {
				t.Fatal(err)
			}
		}
		allowed := 0
		for i := range 300 {
			if nodes[i%3].Allow("alice") {
				allowed++
			}
			time.Sleep(5 * time.Millisecond)
		}
		// 1.5 s at 100 per minute refill 2.5 units.
		if allowed < 100 || allowed > 100+3+12 {
			t.Errorf("allowed %d of 300", allowed)
		}
		time.Sleep(time.Second)
		for _, n := range nodes {
			d := n.Do(node.Request{Client: "alice", Peek: true})
			t.Logf("%+v", d)
			st := n.Stats()
			for _, p := range st.Sync.Peers {
				t.Logf("%s %+v", st.Name, p)
			}
			t.Logf("gaps %d mismatches %d repairs %d timeouts %d", st.Sync.Gaps, st.Sync.Mismatches, st.Sync.Repairs, st.Sync.Timeouts)
		}
		late := cluster(t, &network, "late")
		defer closeAll(late)
		time.Sleep(time.Second)
		if err := late[0].Ready(); err != nil {
			t.Errorf("%v %+v", err, late[0].Stats().Sync)
		}
		if late[0].Do(node.Request{Client: "alice", Cost: 50}).Allowed {
			t.Error("a node that joined late let a spent client pass")
		}
	})
}
