package node_test

import (
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/distributed-rate-limiter/distributed-rate-limiter/node"
)

// While a file is rolled out node by node, all nodes decide alike, and nobody warns. Nodes
// that do decide differently say so, and say when they do not any more.
func TestNodesWarnOfOtherLimitsOnlyWhileTheyDecideDifferently(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var network node.Memory
		var log record
		open := func(name string, limit int64) *node.Node {
			n, err := node.Open(t.Context(), node.Config{
				Name: name, Limits: limited(limit), Transport: network.Transport(), Now: time.Now, Logger: log.logger(),
			})
			must(t, err)
			return n
		}
		a, b, c := open("a", 10), open("b", 20), open("c", 10)
		defer func() { must(t, a.Close()); must(t, b.Close()); must(t, c.Close()) }()
		told := func(when string, other, again bool) {
			t.Helper()
			time.Sleep(5 * time.Second)
			text := log.take()
			if strings.Contains(text, "peer has other limits") != other || strings.Contains(text, "peer has the same limits again") != again {
				t.Errorf("%s: %s", when, text)
			}
			for _, p := range a.Stats().Sync.Peers {
				if want := other && p.Node == "b" && p.State == node.PeerAlive; p.OtherLimits != want {
					t.Errorf("%s: %s is configured otherwise: %v", when, p.Node, p.OtherLimits)
				}
			}
		}
		restart := func(limit int64) {
			must(t, b.Close())
			time.Sleep(time.Second)
			b = open("b", limit)
		}
		told("nodes that differ", true, false)
		restart(10)
		told("a restart with the right file", false, true)
		for _, n := range []*node.Node{a, b, c} {
			_, err := n.Configure(limited(20))
			must(t, err)
			told("a rolling change", false, false)
		}
		_, err := b.SetLimit("api", limited(5)["api"])
		must(t, err)
		told("a set limit", false, false)
		_, err = b.DeleteLimit("api")
		must(t, err)
		told("a limit that is as configured again", false, false)
		restart(20)
		told("a restart", false, false)
	})
}

func limited(n int64) map[string]node.Policy {
	return map[string]node.Policy{"api": {Limit: n, Window: time.Minute}}
}

// A file that is rolled out by restarts lets nodes count by different policies for a while.
// What the node with the higher limit admits counts on the other one, which refuses nothing
// and calls nobody a liar.
func TestARestartWithAHigherLimitIsNoLie(t *testing.T) {
	for _, set := range []bool{false, true} { // whether somebody set the limit and took that back meanwhile
		synctest.Test(t, func(t *testing.T) {
			var network node.Memory
			var log record
			open := func(name string, limit int64) *node.Node {
				n, err := node.Open(t.Context(), node.Config{
					Name: name, Limits: limited(limit), Transport: network.Transport(), Now: time.Now, Logger: log.logger(),
				})
				must(t, err)
				return n
			}
			a, b := open("a", 100), open("b", 100)
			time.Sleep(5 * time.Second)
			must(t, b.Close())
			time.Sleep(time.Second)
			b = open("b", 1000)
			defer func() { must(t, a.Close()); must(t, b.Close()) }()
			if set {
				time.Sleep(5 * time.Second)
				_, err := a.SetLimit("api", limited(10)["api"])
				must(t, err)
				time.Sleep(5 * time.Second)
				_, err = a.DeleteLimit("api")
				must(t, err)
				time.Sleep(time.Second)
			}
			for i := range 10 {
				if i == 5 {
					time.Sleep(5 * time.Second) // the first five may come before b's first beat
				}
				if d := b.Do(node.Request{Client: "c", Limit: "api", Cost: 100}); !d.Allowed {
					t.Fatalf("b denies request %d: %+v", i, d)
				}
			}
			time.Sleep(5 * time.Second)
			if d := a.Do(node.Request{Client: "c", Limit: "api"}); d.Allowed {
				t.Errorf("set %v: a does not count what b admitted: %+v", set, d)
			}
			for _, n := range []*node.Node{a, b} {
				if lost := n.Stats().RowsLost["excess"]; lost != 0 {
					t.Errorf("set %v: %s refused %d rows", set, n.Stats().Name, lost)
				}
				for _, r := range n.Stats().DegradedReasons {
					t.Errorf("set %v: %s is degraded: %+v", set, n.Stats().Name, r)
				}
			}
			if text := log.take(); strings.Contains(text, "more than one node can have admitted") {
				t.Errorf("set %v: %s", set, text)
			}
		})
	}
}
