package node_test

import (
	"context"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/distributed-rate-limiter/distributed-rate-limiter/node"
)

// silenced is a transport that loses what it sends of some kinds.
type silenced struct {
	node.Transport

	kinds *atomic.Pointer[string] // with spaces around each
}

func (s silenced) Publish(subject string, data []byte) error {
	if kinds := s.kinds.Load(); kinds != nil && strings.Contains(*kinds, " "+kindOf(subject)+" ") {
		return nil
	}
	return s.Transport.Publish(subject, data)
}

// held are two nodes in a bubble whose accounts are full: each has half of a burst of 8, and a unit
// drains in a second. lose makes messages of these kinds disappear.
func held(t *testing.T, change func(*node.Config)) (nodes []*node.Node, lose func(kinds string)) {
	t.Helper()
	var network node.Memory
	kinds := new(atomic.Pointer[string])
	names := []string{"a", "b"}
	for _, name := range names {
		cfg := node.Config{
			Name: name, Roster: names, Transport: silenced{network.Transport(), kinds},
			Limits: map[string]node.Policy{node.DefaultLimit: {Limit: 8, Window: 8 * time.Second, Consistency: node.Bounded}},
		}
		if change != nil {
			change(&cfg)
		}
		n, err := node.Open(context.Background(), cfg)
		must(t, err)
		nodes = append(nodes, n)
	}
	time.Sleep(20 * time.Second)
	return nodes, func(list string) { list = " " + list + " "; kinds.Store(&list) }
}

// timed is how long a request took, and what came of it.
func timed(n *node.Node, q node.Request) (time.Duration, node.Decision) {
	began := time.Now()
	d := n.Do(q)
	return time.Since(began), d
}

func bubble(t *testing.T, change func(*node.Config), test func(t *testing.T, nodes []*node.Node, lose func(string))) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		nodes, lose := held(t, change)
		defer closeAll(nodes)
		test(t, nodes, lose)
	})
}

func TestAHeldRequestPassesWhenALoanComes(t *testing.T) {
	bubble(t, nil, func(t *testing.T, nodes []*node.Node, _ func(string)) {
		q := node.Request{Client: "c", Hold: t.Context()}
		var all sync.WaitGroup
		for range 8 {
			all.Go(func() {
				if elapsed, d := timed(nodes[0], q); !d.Allowed || elapsed > 5*time.Millisecond {
					t.Errorf("after %v the answer is %+v", elapsed, d)
				}
			})
		}
		all.Wait()
		s := nodes[0].Stats()
		if l := s.Limits[0]; l.Allowed != 8 || l.Denied != 0 || l.Rights.Held == 0 || l.Rights.Short != 0 || s.Holding != 0 {
			t.Errorf("it counts %+v and %+v, and %d wait", l, l.Rights, s.Holding)
		}
		if elapsed, d := timed(nodes[0], q); d.Allowed || d.Reason != node.ReasonOverLimit || elapsed > 0 {
			t.Errorf("the ninth gets %+v after %v", d, elapsed)
		}
	})
}

func TestARequestIsHeldForAsLongAsTheLimitSays(t *testing.T) {
	for hold, want := range map[time.Duration]time.Duration{0: node.DefaultHold, 5 * time.Millisecond: 5 * time.Millisecond, node.NoHold: 0} {
		change := func(cfg *node.Config) {
			p := cfg.Limits[node.DefaultLimit]
			p.Hold = hold
			cfg.Limits[node.DefaultLimit] = p
		}
		bubble(t, change, func(t *testing.T, nodes []*node.Node, lose func(string)) {
			lose("want")
			n := nodes[0]
			n.Take("c", 4)
			elapsed, d := timed(n, node.Request{Client: "c", Hold: t.Context()})
			if d.Allowed || d.Reason != node.ReasonShort || elapsed != want {
				t.Errorf("with hold %v it takes %v: %+v", hold, elapsed, d)
			}
			if l := n.Stats().Limits[0]; l.Denied != 1 || l.Rights.Short != 1 || (l.Rights.Held == 1) != (want > 0) {
				t.Errorf("with hold %v it counts %+v and %+v", hold, l, l.Rights)
			}
			if elapsed, d := timed(n, node.Request{Client: "c"}); d.Allowed || elapsed > 0 {
				t.Errorf("without a door it takes %v: %+v", elapsed, d)
			}
			if elapsed, _ := timed(n, node.Request{Client: "c", Peek: true, Hold: t.Context()}); elapsed > 0 {
				t.Errorf("a peek takes %v", elapsed)
			}
		})
	}
}

// The other has spent all it had, and nobody heard of that: it answers, and lends nothing.
func TestNothingIsHeldWhileAQuestionHasFoundNothing(t *testing.T) {
	change := func(cfg *node.Config) {
		p := cfg.Limits[node.DefaultLimit]
		p.Hold = node.MaxHold
		cfg.Limits[node.DefaultLimit] = p
	}
	bubble(t, change, func(t *testing.T, nodes []*node.Node, lose func(string)) {
		lose("delta beat")
		nodes[1].Take("c", 4)
		nodes[0].Take("c", 4)
		elapsed, d := timed(nodes[0], node.Request{Client: "c", Hold: t.Context()})
		if d.Allowed || d.Reason != node.ReasonShort || elapsed >= 2*time.Millisecond { // after which it would look by itself
			t.Errorf("the answer takes %v: %+v", elapsed, d)
		}
		for range 10 {
			if elapsed, d := timed(nodes[0], node.Request{Client: "c", Hold: t.Context()}); d.Allowed || elapsed > 0 {
				t.Errorf("during the pause the answer takes %v: %+v", elapsed, d)
			}
		}
	})
}

func TestAHeldRequestWhoseCallerGoesAwayGivesUpItsPlace(t *testing.T) {
	bubble(t, nil, func(t *testing.T, nodes []*node.Node, lose func(string)) {
		lose("want")
		n := nodes[0]
		n.Take("c", 4)
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan time.Duration)
		go func() {
			elapsed, _ := timed(n, node.Request{Client: "c", Hold: ctx})
			done <- elapsed
		}()
		time.Sleep(time.Millisecond)
		if got := n.Stats().Holding; got != 1 {
			t.Errorf("%d wait", got)
		}
		cancel()
		if elapsed := <-done; elapsed != time.Millisecond || n.Stats().Holding != 0 {
			t.Errorf("it waits for %v, and %d still do", elapsed, n.Stats().Holding)
		}
		deadline, stop := context.WithTimeout(t.Context(), 2*time.Millisecond)
		defer stop()
		if elapsed, d := timed(n, node.Request{Client: "c", Hold: deadline}); elapsed > 2*time.Millisecond || d.Allowed {
			t.Errorf("with a deadline in 2 ms it takes %v: %+v", elapsed, d)
		}
		go func() {
			elapsed, _ := timed(n, node.Request{Client: "c", Hold: t.Context()})
			done <- elapsed
		}()
		synctest.Wait()
		began := time.Now()
		if must(t, n.Close()); <-done > time.Since(began) || n.Stats().Holding != 0 {
			t.Error("a closed node holds requests")
		}
	})
}

func TestNoMoreThanABurstIsHeldForAClient(t *testing.T) {
	bubble(t, nil, func(t *testing.T, nodes []*node.Node, lose func(string)) {
		lose("want")
		n := nodes[0]
		n.Take("c", 4)
		var all sync.WaitGroup
		for range 8 {
			all.Go(func() { n.Do(node.Request{Client: "c", Hold: t.Context()}) })
		}
		synctest.Wait()
		if got := n.Stats().Holding; got != 8 {
			t.Errorf("%d wait, want a burst", got)
		}
		if elapsed, d := timed(n, node.Request{Client: "c", Hold: t.Context()}); elapsed > 0 || d.Reason != node.ReasonShort {
			t.Errorf("one more takes %v: %+v", elapsed, d)
		}
		if elapsed, d := timed(n, node.Request{Client: "other", Cost: 5, Hold: t.Context()}); elapsed == 0 || d.Allowed {
			t.Errorf("another client's takes %v: %+v", elapsed, d)
		}
		all.Wait()
		if l := n.Stats().Limits[0]; l.Denied != 10 || l.Rights.Short != 10 || l.Rights.Held != 9 {
			t.Errorf("it counts %+v and %+v", l, l.Rights)
		}
	})
}

func TestSeveralLimitsAreHeldForLoansAlone(t *testing.T) {
	change := func(cfg *node.Config) {
		cfg.Limits["tight"] = node.Policy{Limit: 1, Window: time.Hour}
		cfg.Limits["loose"] = node.Policy{Limit: 1000, Window: time.Hour}
	}
	bubble(t, change, func(t *testing.T, nodes []*node.Node, _ func(string)) {
		n := nodes[0]
		q := node.Request{Client: "c", Cost: 6, Limit: "loose", Also: []node.Check{{Limit: node.DefaultLimit}}, Hold: t.Context()}
		if _, d := timed(n, q); !d.Allowed || n.Stats().Limits[0].Rights.Held != 1 {
			t.Errorf("for a loan the answer is %+v", d)
		}
		q.Client, q.Also = "d", append(q.Also, node.Check{Limit: "tight", Cost: 1})
		n.Do(node.Request{Client: "d", Limit: "tight"})
		if elapsed, d := timed(n, q); d.Allowed || elapsed > 0 || d.Limit != "tight" {
			t.Errorf("for what no loan brings it takes %v: %+v", elapsed, d)
		}
		if got := n.DoDetailed(q); len(got.Each) != 3 || got.Fault != nil {
			t.Errorf("the details are %+v", got)
		}
	})
}

func TestAReservationIsHeld(t *testing.T) {
	bubble(t, nil, func(t *testing.T, nodes []*node.Node, _ func(string)) {
		r := nodes[0].Reserve(node.Request{Client: "c", Cost: 6, Hold: t.Context()})
		if !r.Allowed || r.Cost != 6 {
			t.Fatalf("the answer is %+v", r.Decision)
		}
		if back := r.Cancel(); back != 6 {
			t.Errorf("%d come back", back)
		}
		if d := nodes[0].DoDetailed(node.Request{Client: "d", Cost: 6, Hold: t.Context()}); !d.Allowed || len(d.Each) != 1 {
			t.Errorf("the details are %+v", d)
		}
	})
}

func TestHoldCostsOtherLimitsNothing(t *testing.T) {
	cfg := boundedConfig(3, 90, 0)
	cfg.Limits["plain"] = node.Policy{Limit: 1e9, Window: time.Second}
	cfg.Limits[node.DefaultLimit] = node.Policy{Limit: 9000, Window: 90 * time.Second, Consistency: node.Bounded}
	l := newLab(t, 3, cfg)
	l.run(200 * time.Second)
	n := l.nodes[0].Node
	ctx := t.Context()
	for _, limit := range []string{"plain", node.DefaultLimit} {
		n.Do(node.Request{Client: "c", Limit: limit})
		if got := testing.AllocsPerRun(1000, func() { n.Do(node.Request{Client: "c", Limit: limit, Hold: ctx}) }); got > 0 {
			t.Errorf("%v allocations for a decision by %s", got, limit)
		}
	}
}
