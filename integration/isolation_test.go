package integration_test

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"slices"
	"testing"
	"time"

	"github.com/distributed-rate-limiter/distributed-rate-limiter/node"
	"github.com/distributed-rate-limiter/distributed-rate-limiter/node/httpapi"
)

// status is what the node says in GET /v1/status.
func status(t *testing.T, n *node.Node) (p place) {
	t.Helper()
	answer := httptest.NewRecorder()
	request := httptest.NewRequestWithContext(t.Context(), http.MethodGet, "http://localhost/v1/status", http.NoBody)
	httpapi.New(httpapi.Config{Node: n}).ServeHTTP(answer, request)
	if err := json.Unmarshal(answer.Body.Bytes(), &p); err != nil {
		t.Fatalf("GET /v1/status: %d %s: %v", answer.Code, answer.Body, err)
	}
	return p
}

// sees waits until a decision of each node, for a client that asks for more than its
// limit, has the reason.
func sees(c *cluster, choice node.OnIsolation, why node.Reason, degraded bool) {
	c.t.Helper()
	allowed := why == node.ReasonOK || why == node.ReasonIsolatedOpen
	for _, n := range c.nodes {
		c.await(choice.String()+" decides "+why.String(), func() bool {
			d := n.Do(node.Request{Client: "impatient", Limit: choice.String()})
			if d.Reason == why && d.Allowed != allowed {
				c.t.Errorf("%s: allowed is %t, with reason %v", choice, d.Allowed, why)
			}
			return d.Reason == why && d.Degraded == degraded
		})
	}
}

func TestEachLimitDoesWhatItChoseWhenNodesAreCutOff(t *testing.T) {
	if testing.Short() {
		t.Skip("a real server and real seconds")
	}
	t.Parallel()
	const cost = 80 // of the outage to the limit that keeps on, units
	h := newHub(t, "-a", "127.0.0.1")
	c := &cluster{t: t, net: h}
	choices := []node.OnIsolation{node.IsolationKeep, node.IsolationShare, node.IsolationOpen, node.IsolationClosed}
	all := map[string]node.Policy{}
	for _, choice := range choices {
		all[choice.String()] = node.Policy{Limit: fast.Limit, Window: fast.Window, Burst: fast.Burst, OnIsolation: choice}
	}
	for range 3 {
		c.open(node.Config{Limits: all})
	}
	c.await("three nodes that hear each other", c.together)
	trials := map[node.OnIsolation]*trial{}
	var stops []func()
	for _, choice := range choices {
		trials[choice] = c.trial(choice.String(), fast)
		stops = append(stops, trials[choice].press("alice", 10*time.Millisecond))
		sees(c, choice, node.ReasonOverLimit, false)
		sees(c, choice, node.ReasonOK, false)
	}
	alice := func(choice node.OnIsolation) *ledger { return trials[choice].ledger("alice") }

	cut := time.Now()
	h.cut()
	c.await("all nodes say that they are alone", func() bool {
		for _, n := range c.nodes {
			if p := status(t, n); !shows(t, n, true, true) || !p.Degraded || !p.Node.Isolated || p.Node.Members != 3 || p.Node.Visible != 1 {
				return false
			}
		}
		return true
	})
	noticed := time.Now()
	sees(c, node.IsolationKeep, node.ReasonOverLimit, true)
	sees(c, node.IsolationKeep, node.ReasonOK, true)
	sees(c, node.IsolationShare, node.ReasonIsolatedShare, true)
	sees(c, node.IsolationShare, node.ReasonOK, true)
	sees(c, node.IsolationOpen, node.ReasonIsolatedOpen, true)
	sees(c, node.IsolationClosed, node.ReasonIsolatedClosed, true)
	c.await("the limit that keeps on is paying for it", func() bool { return alice(node.IsolationKeep).excess() >= cost })
	mending := time.Now()
	for i := range c.nodes {
		if got := alice(node.IsolationClosed).admitted(i, noticed, mending); got > 0 {
			t.Errorf("n%d: the closed limit admitted %d", i, got)
		}
		if got := alice(node.IsolationOpen).denied(i, noticed, mending); got > 0 {
			t.Errorf("n%d: the open limit denied %d", i, got)
		}
	}

	h.heal()
	c.await("all nodes are connected, and miss nobody", func() bool {
		for _, n := range c.nodes {
			if s := n.Stats(); !s.Sync.Connected || s.Isolated {
				return false
			}
		}
		return true
	})
	whole := time.Now()
	for _, stop := range stops {
		stop()
	}
	befell := trouble{groups: 3}
	for _, choice := range []node.OnIsolation{node.IsolationKeep, node.IsolationShare} {
		due := whole
		if choice == node.IsolationShare {
			due = due.Add(5 * time.Second) // shares outlast the cut by this, in case it comes back
		}
		befell.apart = trials[choice].converges(due, "alice").Sub(cut)
	}
	trials[node.IsolationKeep].owes("alice")
	// What passed while the open limit was open counts for as long as the bound looks back.
	c.await("nobody complains of anything but what the open limit let pass", func() bool {
		for _, n := range c.nodes {
			p, s := status(t, n), n.Stats()
			if !shows(t, n, true, false) || !slices.Equal(s.DegradedReasons, []string{"isolated_open"}) || !p.Degraded || p.Node.Isolated || p.Node.Visible != 3 {
				return false
			}
		}
		return true
	})
	for _, choice := range choices {
		sees(c, choice, node.ReasonOverLimit, true)
		sees(c, choice, node.ReasonOK, true)
	}
	trials[node.IsolationKeep].judge("alice", befell)
	// A shared limit pays for the time until the nodes know that they are cut off,
	// and from when they know that they are not until they know the same again.
	flat := noticed.Sub(cut) + befell.apart - whole.Sub(cut)
	trials[node.IsolationShare].judge("alice", trouble{later: flat})
	trials[node.IsolationClosed].judge("alice", trouble{later: flat})
}
