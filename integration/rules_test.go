package integration_test

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/distributed-rate-limiter/distributed-rate-limiter/gcra"
	"github.com/distributed-rate-limiter/distributed-rate-limiter/node"
	"github.com/distributed-rate-limiter/distributed-rate-limiter/node/httpapi"
)

// inForceWithin is how soon after the request a change has to be in force on all nodes.
const inForceWithin = time.Second

// put changes a limit through one node's HTTP interface.
func put(t *testing.T, n *node.Node, name, body string) {
	t.Helper()
	server := httptest.NewServer(httpapi.New(httpapi.Config{Node: n, Loopback: true}))
	defer server.Close()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodPut, server.URL+"/v1/limits/"+name, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	resp, err := server.Client().Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = resp.Body.Close() }()
	if resp.StatusCode != http.StatusOK {
		t.Fatalf("PUT %s: %s", body, resp.Status)
	}
}

// revisionOf is since when a node has its limit, by the node's clock, which is the wall's.
func revisionOf(n *node.Node, name string) time.Time {
	for _, l := range n.Stats().Limits {
		if l.Name == name {
			return l.Revision
		}
	}
	return time.Time{}
}

// excessAcross is excess where the limit became another one at an instant: what was used
// by then is carried over, rounded up to whole units.
func (l *ledger) excessAcross(at time.Time, next gcra.Policy) (worst float64, err error) {
	g := l.gcra
	changed, err := gcra.New(next)
	if err != nil {
		return 0, err
	}
	all, level := l.inOrder(), gcra.Level{Base: gcra.Never}
	for _, e := range all {
		if !e.admitted {
			continue
		}
		t := all[0].answered.UnixNano() + int64(e.answered.Sub(all[0].answered)) // monotonic
		if g != changed && t >= at.UnixNano() {
			owed := g.UnitsOver(max(0, g.TAT(level)-at.UnixNano()))
			g, level = changed, gcra.Level{Base: at.UnixNano(), Count: min(owed, uint64(next.Burst))}
		}
		if g.TAT(level) < t {
			level = gcra.Level{Base: t}
		}
		level.Count++
		p := g.Policy()
		worst = max(worst, float64(g.TAT(level)-t)*float64(p.Limit)/float64(p.Window)-float64(p.Burst))
	}
	return worst, nil
}

// A PUT at one node changes all nodes at one instant, within a second, while all of them
// are asked for more than the limit; and E stays within the bound, of the wider of the
// two limits.
func TestAPutChangesAllNodesUnderLoad(t *testing.T) {
	for name, to := range map[string]gcra.Policy{
		"up":     {Limit: 2400, Window: time.Minute, Burst: 40},
		"down":   {Limit: 600, Window: time.Minute, Burst: 10},
		"window": {Limit: 1200, Window: 30 * time.Second, Burst: 20},
		"burst":  {Limit: 1200, Window: time.Minute, Burst: 60},
	} {
		t.Run(name, func(t *testing.T) {
			overEachNetwork(t, func(t *testing.T, net network) {
				c := &cluster{t: t, net: net}
				for range 3 {
					c.open(node.Config{Limits: limits(map[string]gcra.Policy{"fast": fast})})
				}
				c.await("three nodes that hear each other", c.together)
				tr := c.trial("fast", fast)
				release := tr.press("alice", 5*time.Millisecond)
				eventually(t, "some load", func() bool { return len(tr.ledger("alice").inOrder()) > 600 })
				asked := time.Now()
				put(t, c.nodes[1], "fast", fmt.Sprintf(`{"limit":%d,"window":"%v","burst":%d}`, to.Limit, to.Window, to.Burst))
				eventually(t, "the change on all nodes", func() bool {
					for _, n := range c.nodes {
						if p := n.Limits()["fast"]; p.Limit != to.Limit || p.Window != to.Window || p.Burst != to.Burst {
							return false
						}
					}
					return true
				})
				at := revisionOf(c.nodes[0], "fast")
				for _, n := range c.nodes {
					if r := revisionOf(n, "fast"); !r.Equal(at) || r.Sub(asked) > inForceWithin {
						t.Errorf("in force at %v, %v after it was asked for; elsewhere at %v", r, r.Sub(asked), at)
					}
				}
				before := len(tr.ledger("alice").inOrder())
				eventually(t, "more load", func() bool { return len(tr.ledger("alice").inOrder()) > before+600 })
				release()
				e, err := tr.ledger("alice").excessAcross(at, to)
				if err != nil {
					t.Fatal(err)
				}
				wider := to
				if fast.Burst > to.Burst {
					wider = fast
				}
				rate := max(float64(to.Limit)/to.Window.Seconds(), float64(fast.Limit)/fast.Window.Seconds())
				bound := 2*(float64(wider.Burst)+rate*staleness.Seconds()) + rate*clockOffset.Seconds() + 3 // units rounded up by each node
				t.Logf("E is %.1f, the bound %.1f; in force %v after it was asked for", e, bound, at.Sub(asked).Round(time.Millisecond))
				if e > bound {
					t.Errorf("E is %.1f units, the bound %.1f", e, bound)
				}
				tr.policy = to
				tr.converges(time.Now(), "alice")
			})
		})
	}
}

// Over real NATS, all nodes together admit a window's limit, and what is reserved on one
// node is settled through another.
func TestWindowsAndReservationsWorkOverNATS(t *testing.T) {
	overEachNetwork(t, func(t *testing.T, net network) {
		c := &cluster{t: t, net: net}
		for range 3 {
			c.open(node.Config{Limits: map[string]node.Policy{
				"strict": {Algorithm: node.SlidingWindow, Limit: 30, Window: time.Hour, Resolution: 6, MaxOvershoot: 0.01},
				"day":    {Algorithm: node.FixedWindow, Limit: 30, Window: 24 * time.Hour, MaxOvershoot: 0.01},
			}})
		}
		c.await("three nodes that hear each other", c.together)
		for _, name := range []string{"strict", "day"} {
			left := func(want int64) func() bool {
				return func() bool {
					for _, n := range c.nodes {
						if n.Limiter(name).Peek("alice", 1).Remaining != want {
							return false
						}
					}
					return true
				}
			}
			r := c.nodes[0].Reserve(node.Request{Client: "alice", Limit: name, Cost: 20})
			token, err := r.Token()
			if !r.Allowed || err != nil {
				t.Fatalf("%s: %+v, %v", name, r.Decision, err)
			}
			c.await("all know of the reservation", left(10))
			if back, err := c.nodes[2].Commit(t.Context(), token, 5); back != 15 || err != nil {
				t.Fatalf("%s: settled elsewhere: %d, %v", name, back, err)
			}
			if back, err := c.nodes[1].Cancel(t.Context(), token); back != 15 || err != nil {
				t.Fatalf("%s: settled again: %d, %v", name, back, err)
			}
			c.await("all know that it was settled", left(25))
			admitted := int64(0)
			for i := range 30 {
				if c.nodes[i%3].Limiter(name).Allow("alice") {
					admitted++
					c.await("all know what was admitted", left(25-admitted))
				}
			}
			if admitted != 25 {
				t.Errorf("%s: %d admitted of the 25 that were left", name, admitted)
			}
		}
	})
}
