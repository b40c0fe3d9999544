package node_test

import (
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/distributed-rate-limiter/distributed-rate-limiter/node"
)

// kinds are one limit of each kind, of n units in about as long.
func kinds(n int64) map[string]node.Policy {
	return map[string]node.Policy{
		"gcra":      {Limit: n, Window: time.Hour},
		"fixed":     {Algorithm: node.FixedWindow, Limit: n, Window: time.Hour},
		"day":       {Algorithm: node.FixedWindow, Limit: n, Calendar: 4, TimeZone: "Europe/Berlin"},
		"sliding":   {Algorithm: node.SlidingWindow, Limit: n, Window: time.Hour},
		"segmented": {Algorithm: node.SlidingWindow, Limit: n, Window: time.Hour, Resolution: 6},
		"finer":     {Algorithm: node.SlidingWindow, Limit: n, Window: time.Hour, Resolution: 12},
	}
}

// Whatever a limit becomes, what was used of it stays used, and no more than that.
func TestAChangeOfAlgorithmKeepsWhatWasUsed(t *testing.T) {
	for _, from := range slices.Sorted(maps.Keys(kinds(1))) {
		for _, to := range slices.Sorted(maps.Keys(kinds(1))) {
			for _, limit := range []int64{200, 100, 30, 10} { // up, as it was, down, below what was used
				t.Run(fmt.Sprintf("%s to %s of %d", from, to, limit), func(t *testing.T) {
					l := newLab(t, 3, with(kinds(100)[from]))
					for i, n := range []int{5, 10, 5} {
						l.nodes[i].take("", "alice", n)
					}
					l.run(time.Second)
					must(t, errorOf(l.nodes[1].Node.SetLimit("default", kinds(limit)[to])))
					l.run(soonAfter)
					left := l.left("", "alice")
					// Of GCRA a part of a unit has drained; units are rounded up.
					if want := max(0, limit-20); slices.Min(left) != slices.Max(left) || left[0] > want+1 || left[0] < want-1 {
						t.Errorf("%v are left, want %d everywhere", left, want)
					}
					l.agree("", "bob", limit)
					if d := l.nodes[2].peek("", "alice"); d.ResetAfter > 26*time.Hour {
						t.Errorf("locked out for %v", d.ResetAfter)
					}
				})
			}
		}
	}
}

// The change overtakes deltas from before it, or they overtake the change, in any order;
// traffic goes on on all nodes meanwhile. In the end all nodes agree, and on no more than
// there was.
func TestChangesDuringTrafficAgreeInBothOrders(t *testing.T) {
	names := slices.Sorted(maps.Keys(kinds(1)))
	for seed := range uint64(60) {
		rnd := rand.New(rand.NewPCG(seed, 2)) //nolint:gosec // a test's
		from, to := names[rnd.IntN(len(names))], names[rnd.IntN(len(names))]
		limit := 50 + 50*rnd.Int64N(4)
		l := newLab(t, 3, with(kinds(100)[from]))
		held := []string{"delta", "limits"}[rnd.IntN(2)]
		l.hold = func(m mail) bool { return m.kind == held && (m.to == 2 || m.from == 2) }
		admitted := int64(0)
		traffic := func(n int) {
			for range n {
				admitted += int64(l.nodes[rnd.IntN(3)].take("", "alice", 1))
				l.run(5 * time.Millisecond)
			}
		}
		traffic(20)
		must(t, errorOf(l.nodes[rnd.IntN(3)].Node.SetLimit("default", kinds(limit)[to])))
		traffic(30)
		l.run(soonAfter)
		l.release(func(m []mail) { rnd.Shuffle(len(m), func(i, j int) { m[i], m[j] = m[j], m[i] }) })
		traffic(20)
		l.run(5 * time.Second)
		left := l.left("", "alice")
		want := max(0, limit-admitted)
		if slices.Min(left) != slices.Max(left) || left[0] > want+1 || left[0] < want-4 {
			t.Errorf("seed %d, %s to %s of %d, %s held: %v are left of %d, %d were admitted", seed, from, to, limit, held, left, limit, admitted)
		}
	}
}

// Who joins soon after a change gets rows of the windows before it, which are not live any more. They
// tell it what was used by then.
func TestWhoJoinsAfterAChangeKnowsWhatWasUsedBefore(t *testing.T) {
	for kind, before := range map[string]node.Policy{
		"sliding": {Algorithm: node.SlidingWindow, Limit: 100, Window: 2 * time.Second},
		"gcra":    {Limit: 100, Window: 15 * time.Second},
	} {
		for name, after := range kinds(100) {
			t.Run(kind+" to "+name, func(t *testing.T) {
				t.Parallel()
				l := newLab(t, 2, with(before))
				until := func(at time.Time) { l.run(at.Sub(l.now)) }
				edge := l.now.Truncate(before.Window).Add(before.Window)
				until(edge.Add(-100 * time.Millisecond))
				l.nodes[0].take("", "alice", 50)
				until(edge.Add(100 * time.Millisecond)) // in the next window
				l.nodes[1].take("", "alice", 1)
				must(t, errorOf(l.nodes[0].Node.SetLimit("default", after)))
				until(edge.Add(before.Window + 100*time.Millisecond))
				l.nodes[0].peek("", "alice") // it is under the new rule there
				l.join(with(before))
				l.run(1400 * time.Millisecond)
				if err := l.nodes[2].Node.Ready(); err != nil {
					t.Fatal(err)
				}
				if left := l.left("", "alice"); slices.Min(left) != slices.Max(left) || left[0] > 60 {
					t.Errorf("%v are left of 100, of which more than 40 were used at the change", left)
				}
			})
		}
	}
}

// A node that has not heard of a change goes on under the rule before. What it tells of later windows
// takes nothing away from what was carried over.
func TestLateRowsOfLaterWindowsKeepWhatWasCarriedOver(t *testing.T) {
	before := with(node.Policy{Algorithm: node.SlidingWindow, Limit: 100, Window: 2 * time.Second})
	for name, after := range kinds(100) {
		for _, idle := range []bool{false, true} {
			t.Run(fmt.Sprint(name, " idle ", idle), func(t *testing.T) {
				t.Parallel()
				l := newLab(t, 2, before)
				until := func(d time.Duration) { l.run(epoch.Add(d).Sub(l.now)) }
				l.nodes[0].take("", "alice", 50)
				until(4010 * time.Millisecond) // in the next window
				l.lose = func(m mail) bool { return m.to == 1 }
				must(t, errorOf(l.nodes[0].Node.SetLimit("default", after)))
				until(4500 * time.Millisecond)
				if !idle {
					l.nodes[0].take("", "alice", 1) // it is under the new rule there
				}
				until(6100 * time.Millisecond)
				l.nodes[1].take("", "alice", 1)
				l.run(soonAfter)
				if left := l.nodes[0].peek("", "alice").Remaining; left > 60 {
					t.Errorf("%d are left of 100, of which some 44 were used at the change", left)
				}
			})
		}
	}
}
