package node_test

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/distributed-rate-limiter/distributed-rate-limiter/node"
)

func TestPeersWithOtherLimitsInTheirConfigurationAreSeen(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var network node.Memory
		open := func(name string, limit int64) *node.Node {
			n, err := node.Open(t.Context(), node.Config{Name: name, Limit: limit, Window: time.Minute, Transport: network.Transport(), Now: time.Now})
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() { _ = n.Close() })
			return n
		}
		a := open("a", 10)
		open("b", 10)
		open("c", 20)
		time.Sleep(3 * time.Second)
		for _, p := range a.Stats().Sync.Peers {
			if want := p.Node == "c"; p.OtherLimits != want {
				t.Errorf("%s: configured otherwise: %v, want %v", p.Node, p.OtherLimits, want)
			}
		}
	})
}
