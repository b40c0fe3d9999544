package node_test

import (
	"slices"
	"testing"
	"time"

	"github.com/distributed-rate-limiter/distributed-rate-limiter/node"
)

// A message about the previous window may still be under way when a client's TAT
// passes. Whoever forgets the client at that moment has nothing left for the
// message's counts to drain behind.
func TestForgettingAClientWaitsForTheMessagesOfThePreviousWindow(t *testing.T) {
	const burst = 3600 // one unit a second, so units are seconds of the TAT
	l := newLab(t, 2, node.Config{Limit: burst, Window: time.Hour})
	a, b := l.nodes[0], l.nodes[1]
	boundary := epoch.Add(90 * time.Second) // the window before it is 60 s long
	until := func(at time.Time) { l.run(at.Sub(l.now)) }

	until(boundary.Add(-70 * time.Second)) // in the window before that
	a.take("", "alice", 70)                // the TAT is the boundary
	until(boundary.Add(-20 * time.Millisecond))
	l.hold = func(m mail) bool { return m.kind == "delta" }
	a.take("", "alice", 1000) // urgent: sent before the boundary, arrives after it
	until(boundary.Add(10 * time.Millisecond))
	for range 8 { // a whole sweep
		b.Housekeep()
	}
	l.release(nil)
	l.run(2 * time.Millisecond)
	if got, want := b.peek("", "alice").Remaining, a.peek("", "alice").Remaining; got != want || want != burst-1000 {
		t.Errorf("the peer would let %d pass, the node that admitted %d, want %d", got, want, burst-1000)
	}
}

// A client that is idle when its limit changes is counted under the old revision until it asks
// again. What it used by then has to outlive the windows of that revision.
func TestIdleClientsAreHeldForTheLimitThatIsInForce(t *testing.T) {
	day := node.Policy{Limit: 100, Window: 24 * time.Hour}
	for name, before := range map[string]node.Policy{
		"gcra":    {Limit: 100, Window: 15 * time.Second},
		"fixed":   {Algorithm: node.FixedWindow, Limit: 100, Window: 2 * time.Second},
		"sliding": {Algorithm: node.SlidingWindow, Limit: 100, Window: 2 * time.Second},
		"parts":   {Algorithm: node.SlidingWindow, Limit: 100, Window: 2 * time.Second, Resolution: 4},
	} {
		for change, overrides := range map[string][]node.Override{
			"to a day": nil, "to an override": {{Clients: []string{"alice"}, Limit: 80}},
		} {
			t.Run(name+" "+change, func(t *testing.T) {
				t.Parallel()
				l := newLab(t, 2, with(before))
				l.nodes[0].take("", "alice", 50)
				after := day
				after.Overrides = overrides
				must(t, errorOf(l.nodes[1].Node.SetLimit("default", after)))
				l.run(5 * time.Second)
				l.join(with(before)) // it learns of clients from a snapshot
				l.run(75 * time.Second)
				limit := day.Limit
				if overrides != nil {
					limit = overrides[0].Limit
				}
				// A little of the use has drained by the change, and a little since.
				if left := l.left("", "alice"); slices.Min(left) < limit-50 || slices.Max(left) > limit-46 {
					t.Errorf("%v are left of %d, of which 50 were used at the change", left, limit)
				}
			})
		}
	}
}
