package node_test

import (
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
