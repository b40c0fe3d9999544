package node_test

import (
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"github.com/distributed-rate-limiter/distributed-rate-limiter/node"
)

var choices = map[string]node.OnIsolation{
	"keep": node.IsolationKeep, "share": node.IsolationShare, "open": node.IsolationOpen, "closed": node.IsolationClosed,
}

// members opens three nodes with a limit of each choice, 60 a minute and a burst of
// 10, and returns them with what cuts each one's network for good.
func members(t *testing.T) (nodes []*node.Node, cut []func()) {
	t.Helper()
	var network node.Memory
	limits := map[string]node.Policy{}
	for name, choice := range choices {
		limits[name] = node.Policy{Limit: 60, Window: time.Minute, Burst: 10, OnIsolation: choice}
	}
	for i := range 3 {
		transport := network.Transport()
		n, err := node.Open(t.Context(), node.Config{Name: fmt.Sprintf("n%d", i), Limits: limits, Transport: transport, Now: time.Now})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = n.Close() })
		nodes, cut = append(nodes, n), append(cut, func() { _ = transport.Close() })
	}
	time.Sleep(3 * time.Second)
	return nodes, cut
}

func TestEachChoiceDoesWhatItSaysWhileANodeIsMissing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		nodes, cut := members(t)
		n := nodes[0]
		take := func(limit string) node.Decision { return n.Limiter(limit).Take("alice", 1) }
		for name := range choices {
			if d := take(name); !d.Allowed || d.Degraded {
				t.Fatalf("%s: %+v while all are heard", name, d)
			}
		}
		cut[2]()
		time.Sleep(6 * time.Second)
		if s := n.Stats(); !s.Isolated || s.Sync.Members != 3 || s.Sync.Visible != 2 {
			t.Errorf("isolated %v, %d of %d visible, want 2 of 3", s.Isolated, s.Sync.Visible, s.Sync.Members)
		}
		// All is drained; a burst of ten is there under every choice but closed.
		for name, want := range map[string]struct {
			allowed int
			reason  node.Reason
		}{
			"keep":   {10, node.ReasonOverLimit},
			"share":  {10, node.ReasonOverLimit},
			"open":   {30, node.ReasonIsolatedOpen},
			"closed": {0, node.ReasonIsolatedClosed},
		} {
			allowed, last := 0, node.Decision{}
			for range 30 {
				if last = take(name); last.Allowed {
					allowed++
				}
			}
			if allowed != want.allowed || last.Reason != want.reason {
				t.Errorf("%s: %d allowed, then %v, want %d and %v", name, allowed, last.Reason, want.allowed, want.reason)
			}
			if !last.Degraded {
				t.Errorf("%s: not degraded", name)
			}
		}
		// The rate: in 30 s the whole limit gives 30 units, two of three nodes 20.
		for name, want := range map[string]int{"keep": 30, "share": 20} {
			for take(name).Allowed { //nolint:revive // until the burst is gone
			}
			allowed := 0
			for range 30 * 4 {
				time.Sleep(250 * time.Millisecond)
				if take(name).Allowed {
					allowed++
				}
			}
			if allowed < want-1 || allowed > want+1 {
				t.Errorf("%s: %d in 30 s, want %d", name, allowed, want)
			}
			time.Sleep(time.Minute)
		}
	})
}

func TestAShareDenialSaysWhenToComeAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		nodes, cut := members(t)
		l := nodes[0].Limiter("share")
		for range 10 {
			l.Take("bob", 1)
		}
		cut[1]()
		cut[2]()
		// Alone of three: a third of one unit a second from the moment it was noticed.
		time.Sleep(8 * time.Second)
		before := l.Peek("bob", 1)
		d := l.Take("bob", 1)
		for d.Allowed {
			d = l.Take("bob", 1)
		}
		if d.Reason != node.ReasonIsolatedShare || d.RetryAfter <= 0 || d.RetryAfter > 3*time.Second {
			t.Fatalf("%+v after %+v", d, before)
		}
		if p := l.Peek("bob", 1); p.Allowed || p.Remaining != 0 || p.RetryAfter != d.RetryAfter {
			t.Errorf("peek %+v after %+v", p, d)
		}
		time.Sleep(d.RetryAfter - time.Millisecond)
		if l.Take("bob", 1).Allowed {
			t.Error("allowed before RetryAfter")
		}
		time.Sleep(2 * time.Millisecond)
		if !l.Take("bob", 1).Allowed {
			t.Error("denied after RetryAfter")
		}
	})
}

func TestAConfiguredSizeCountsNodesThatWereNeverHeard(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var network node.Memory
		n, err := node.Open(t.Context(), node.Config{
			Name: "n1", Nodes: 2, Transport: network.Transport(), Now: time.Now,
			Limits: map[string]node.Policy{"closed": {Limit: 60, Window: time.Minute, OnIsolation: node.IsolationClosed}},
		})
		if err != nil {
			t.Fatal(err)
		}
		defer n.Close()
		time.Sleep(3 * time.Second)
		if d := n.Limiter("closed").Take("alice", 1); d.Allowed || d.Reason != node.ReasonIsolatedClosed {
			t.Errorf("%+v though the other node was never heard", d)
		}
	})
}

func TestAllIsAsBeforeOnceANodeIsBack(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		nodes, _ := members(t)
		_ = nodes[2].Close() // with a bye: nobody is missing
		time.Sleep(2 * time.Second)
		if s := nodes[0].Stats(); s.Isolated || s.Sync.Members != 2 {
			t.Errorf("isolated %v, members %d after a bye", s.Isolated, s.Sync.Members)
		}
		if d := nodes[0].Limiter("closed").Take("alice", 1); !d.Allowed {
			t.Errorf("%+v after a bye", d)
		}
	})
}

// What a client uses at one node of a group is charged to its share at the other ones
// as it comes, and not as if all of it had been used when the isolation was noticed.
func TestAClientWithinItsShareIsAllowedAtEveryNodeOfTheGroup(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		nodes, cut := members(t)
		cut[2]()
		time.Sleep(6 * time.Second)
		// Two of three share 40 a minute; 20 a minute for ten minutes are half of that.
		for range 200 {
			if !nodes[0].Limiter("share").Take("carol", 1).Allowed {
				t.Fatal("denied at the first node")
			}
			time.Sleep(3 * time.Second)
		}
		if d := nodes[1].Limiter("share").Take("carol", 1); !d.Allowed {
			t.Errorf("denied at the second: %+v", d)
		}
	})
}
