package node_test

import (
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/distributed-rate-limiter/distributed-rate-limiter/node"
)

// lone is a node without a network, 60 a minute and a burst of 100, in a bubble.
func lone(t *testing.T) *node.Limiter {
	t.Helper()
	n, err := node.Open(t.Context(), node.Config{Limit: 60, Window: time.Minute, Burst: 100, Now: time.Now})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = n.Close() })
	return n.Limiter("")
}

func TestSettlingAReservation(t *testing.T) {
	for _, c := range []struct {
		name            string
		estimate        int64
		wait            time.Duration
		actual          int64
		returned, after int64 // given back, and remaining right after
	}{
		{"less than the estimate gives the difference back", 80, 0, 30, 50, 70},
		{"cancelled at once gives all back", 80, 0, 0, 80, 100},
		{"what has drained is not given back", 80, 30 * time.Second, 0, 50, 100},
		{"all drained gives nothing back", 20, 30 * time.Second, 0, 0, 100},
		{"the estimate itself changes nothing", 80, 0, 80, 0, 20},
		{"more charges the rest", 30, 0, 80, -50, 20},
		{"more than there is becomes a debt", 80, 0, 180, -100, 0},
		{"more than the debt cap is left out", 80, 0, 300, -120, 0},
		{"a negative actual is none", 80, 0, -5, 80, 100},
		{"too late changes nothing", 80, 61 * time.Second, 0, 0, 81},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				l := lone(t)
				r := l.Reserve("alice", c.estimate)
				if !r.Allowed {
					t.Fatalf("%+v", r.Decision)
				}
				time.Sleep(c.wait)
				if got := r.Commit(c.actual); got != c.returned {
					t.Errorf("returned %d, want %d", got, c.returned)
				}
				if got := l.Peek("alice", 1).Remaining; got != c.after {
					t.Errorf("%d remain, want %d", got, c.after)
				}
				if got := r.Cancel(); got != 0 {
					t.Errorf("settled twice: %d", got)
				}
			})
		})
	}
}

func TestADebtIsPaidBack(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := lone(t)
		l.Reserve("alice", 100).Commit(160) // 60 units beyond the burst: a minute
		time.Sleep(60 * time.Second)
		if l.Take("alice", 1).Allowed {
			t.Error("allowed before the debt was paid")
		}
		time.Sleep(time.Second)
		if !l.Take("alice", 1).Allowed {
			t.Error("denied after the debt was paid")
		}
	})
}

func TestADeniedReservationHasNothingToSettle(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := lone(t)
		l.Take("alice", 90)
		r := l.Reserve("alice", 20)
		if r.Allowed || r.Cancel() != 0 || l.Peek("alice", 1).Remaining != 10 {
			t.Errorf("%+v, %+v remain", r.Decision, l.Peek("alice", 1))
		}
	})
}

// What others took after the reservation keeps the TAT up, but that is theirs.
func TestOthersCostDoesNotRenewWhatHasDrained(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := lone(t)
		r := l.Reserve("alice", 10)
		time.Sleep(5 * time.Second)
		l.Take("alice", 50)
		time.Sleep(5 * time.Second)
		if got := r.Cancel(); got != 0 {
			t.Errorf("gave %d back, all of it had drained", got)
		}
	})
}

func TestAReservationOfALifeThatIsOverChangesNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n, err := node.Open(t.Context(), node.Config{Limit: 60, Window: time.Minute, Burst: 100, Now: time.Now})
		if err != nil {
			t.Fatal(err)
		}
		defer n.Close()
		l := n.Limiter("")
		r := l.Reserve("alice", 50)
		if err := n.Reset("", "alice"); err != nil {
			t.Fatal(err)
		}
		l.Take("alice", 70)
		if r.Cancel() != 0 || l.Peek("alice", 1).Remaining != 30 {
			t.Errorf("%+v", l.Peek("alice", 1))
		}
	})
}

func TestAReservationIsSettledOnceHoweverManyTry(t *testing.T) {
	now := time.Unix(1_900_000_000, 0)
	n, err := node.Open(t.Context(), node.Config{Limit: 60, Window: time.Minute, Burst: 100, Now: func() time.Time { return now }})
	if err != nil {
		t.Fatal(err)
	}
	defer n.Close()
	l := n.Limiter("")
	r := l.Reserve("alice", 60)
	var total atomic.Int64
	var all sync.WaitGroup
	for range 50 {
		all.Go(func() { total.Add(r.Cancel()) })
	}
	all.Wait()
	if total.Load() != 60 || l.Peek("alice", 1).Remaining != 100 {
		t.Errorf("%d given back, %+v", total.Load(), l.Peek("alice", 1))
	}
}

func TestWhatIsGivenBackReachesTheOtherNodes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var network node.Memory
		nodes := cluster(t, &network, names(3)...)
		defer closeAll(nodes)
		time.Sleep(3 * time.Second)
		r := nodes[0].Limiter("").Reserve("alice", 100)
		time.Sleep(time.Second)
		if d := nodes[1].Limiter("").Peek("alice", 1); d.Remaining > 2 {
			t.Fatalf("%+v", d)
		}
		r.Commit(40)
		time.Sleep(time.Second)
		for _, n := range nodes {
			if d := n.Limiter("").Peek("alice", 1); d.Remaining < 60 || d.Remaining > 64 {
				t.Errorf("%d remain, want 60 and what drained", d.Remaining)
			}
		}
	})
}

// A part of a sliding window counts in full until the last of its time is a window ago. Until then
// what was reserved in it can come back.
func TestAReservationComesBackAsLongAsItsPartCounts(t *testing.T) {
	const window, parts = 10 * time.Second, 2
	l := newLab(t, 1, with(node.Policy{Algorithm: node.SlidingWindow, Limit: 10, Window: window, Resolution: parts}))
	n := l.nodes[0]
	l.run(l.now.Truncate(window / parts).Add(window / parts).Sub(l.now)) // a part begins
	gone := l.now.Add(window + window/parts)
	q := node.Request{Client: "alice", Cost: 4, Timeout: time.Minute}
	last, late := n.Node.Reserve(q), n.Node.Reserve(q)
	l.run(gone.Sub(l.now) - time.Millisecond)
	n.Housekeep()
	if got := n.peek("", "alice").Remaining; got != 2 {
		t.Fatalf("%d are left, want 2: the part does not count any more", got)
	}
	if s := last.Settle(0); s.Returned != 4 || s.Short != 0 {
		t.Errorf("%+v while the part counts, want 4 back", s)
	}
	l.run(time.Millisecond)
	if s := late.Settle(0); s.Returned != 0 || s.Short != node.ShortWindow {
		t.Errorf("%+v when the part counts no more, want ShortWindow", s)
	}
}
