package node_test

import (
	"context"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/distributed-rate-limiter/distributed-rate-limiter/node"
)

// pass lets time go on without the network: nodes do their housekeeping, and nothing else.
func (l *lab) pass(d time.Duration) {
	l.now = l.now.Add(d)
	for range 16 { // the whole table, twice
		l.now = l.now.Add(time.Second)
		for _, m := range l.nodes {
			m.Housekeep()
		}
	}
}

func TestAChangeEmptiesTheAccounts(t *testing.T) {
	l := newBounded(t, 2, 100, 0)
	for _, m := range l.nodes { // it is known, and its accounts are nearly full
		if got := m.take("", "known", 1); got != 1 {
			t.Fatal("it is denied before the change")
		}
	}
	p := boundedConfig(2, 100, 0).Limits[node.DefaultLimit]
	p.Limit, p.Burst, p.Window = 1000, 1000, 10*time.Second
	_, err := l.nodes[0].Node.SetLimit(node.DefaultLimit, p)
	must(t, err)
	l.run(300 * time.Millisecond)
	// A tenth of a second at most since the change: what each earns of 100 a second.
	for _, m := range l.nodes {
		for _, client := range []string{"c", "known"} {
			if got := m.take("", client, 1000); got > 5 {
				t.Errorf("n%d admits %d of %s right after the change", m.index, got, client)
			}
		}
	}
	l.run(25 * time.Second)
	if got := l.nodes[0].take("", "d", 1000); got != 500 {
		t.Errorf("%d pass once the accounts are full again, want half of the new burst", got)
	}
}

func TestAClientIsRememberedUntilItsAccountIsFull(t *testing.T) {
	cfg := boundedConfig(2, 60, 0)
	cfg.Limits[node.DefaultLimit] = node.Policy{Limit: 60, Burst: 1200, Window: time.Minute, Consistency: node.Bounded}
	l := newLab(t, 2, cfg)
	l.pass(time.Hour) // all are full, and nobody knows the client
	m := l.nodes[0]
	if got := m.take("", "c", 1200); got != 600 {
		t.Fatalf("%d pass, want half", got)
	}
	// By the counts the bucket is full 600 s later. The account, at half the rate, is so after 1,200 s.
	l.pass(900 * time.Second)
	if got := m.take("", "c", 1200); got < 400 || got > 480 {
		t.Errorf("%d pass 900 s later, want what half the rate earns", got)
	}
}

func TestUnknownClientsOfAFullTableShareAnAccount(t *testing.T) {
	for _, full := range []node.OnFull{node.FullShare, node.FullOpen} {
		cfg := boundedConfig(2, 80, 0)
		cfg.MaxClients, cfg.OnFull = 1, full
		l := newLab(t, 2, cfg)
		l.run(16 * time.Second)
		m := l.nodes[0]
		m.take("", "first", 1)
		if got := m.take("", "c", 100); got != 40 {
			t.Errorf("%v: %d pass for an unknown client, want half", full, got)
		}
	}
}

func TestAnAccountAfterASharedOneBeginsWithNothing(t *testing.T) {
	cfg := boundedConfig(2, 60, 0)
	cfg.MaxClients = 1
	cfg.Limits[node.DefaultLimit] = node.Policy{Limit: 60, Burst: 1200, Window: time.Minute, Consistency: node.Bounded}
	cfg.Limits["quick"] = node.Policy{Limit: 1, Window: time.Second}
	l := newLab(t, 2, cfg)
	l.pass(time.Hour) // all accounts are full
	m := l.nodes[0]
	m.take("quick", "first", 1)
	if got := m.take("", "c", 1200); got != 600 {
		t.Fatalf("%d pass for an unknown client, want half", got)
	}
	l.pass(2 * time.Minute) // the first is forgotten
	if x, err := m.Node.Explain("", "c"); err != nil || x.Shared {
		t.Fatalf("%v: the client still shares: %v", err, x.Shared)
	}
	if got := m.take("", "c", 1200); got > 90 {
		t.Errorf("%d pass, want what half the rate earned since", got)
	}
}

func TestSeveralLimitsTakeAllOrNothingOfTheAccounts(t *testing.T) {
	cfg := boundedConfig(2, 80, 0)
	cfg.Limits["tight"] = node.Policy{Limit: 1, Window: time.Hour}
	l := newLab(t, 2, cfg)
	l.run(16 * time.Second)
	m := l.nodes[0]
	q := node.Request{Client: "c", Also: []node.Check{{Limit: "tight"}}}
	if d := m.Node.Do(q); !d.Allowed {
		t.Fatalf("denied: %+v", d)
	}
	for range 100 {
		if d := m.Node.Do(q); d.Allowed {
			t.Fatal("the tight limit let two pass")
		}
	}
	if got := m.take("", "c", 100); got != 39 {
		t.Errorf("%d are left of 40, want 39", got)
	}
}

func TestASettlementGivesOwnTokensBackAndNoBorrowedOnes(t *testing.T) {
	l := newBounded(t, 2, 80, 0)
	m := l.nodes[0]
	r := m.Node.Limiter("").Reserve("c", 40)
	if !r.Allowed {
		t.Fatalf("denied: %+v", r.Decision)
	}
	if back := r.Cancel(); back != 40 {
		t.Fatalf("%d came back", back)
	}
	if got := m.take("", "c", 100); got != 40 {
		t.Errorf("%d pass after the settlement, want the whole share", got)
	}
	for range 20 { // borrow
		m.Node.Take("c", 1)
		l.run(5 * time.Millisecond)
	}
	x, err := m.Node.Explain("", "c")
	must(t, err)
	if x.Right == nil || x.Right.Borrowed < 5 || x.Right.Room != 40 {
		t.Fatalf("the right is %+v, want some that is borrowed", x.Right)
	}
	r = m.Node.Limiter("").Reserve("c", 5)
	before, err := m.Node.Explain("", "c")
	must(t, err)
	r.Cancel()
	after, err := m.Node.Explain("", "c")
	must(t, err)
	if after.Right.Own+after.Right.Borrowed > before.Right.Own+before.Right.Borrowed {
		t.Errorf("before the settlement the right is %+v, after it %+v: borrowed tokens came back", before.Right, after.Right)
	}
}

// TestBusyNodesStayWithinTheCap lets many goroutines of real nodes take and wait at once, while
// loans go back and forth. It is for the race detector, too.
func TestBusyNodesStayWithinTheCap(t *testing.T) {
	var network node.Memory
	const burst, window = 30, 300 * time.Millisecond
	names := []string{"a", "b", "c"}
	var nodes []*node.Node
	began := time.Now()
	for _, name := range names {
		n, err := node.Open(t.Context(), node.Config{
			Name: name, Roster: names, Transport: network.Transport(),
			Limits: map[string]node.Policy{node.DefaultLimit: {Limit: burst, Window: window, Consistency: node.Bounded}},
		})
		must(t, err)
		t.Cleanup(func() { _ = n.Close() })
		nodes = append(nodes, n)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	var admitted atomic.Int64
	var all sync.WaitGroup
	const waits = 60
	for i, n := range nodes {
		for k := range 4 {
			all.Go(func() {
				for range waits / 4 {
					if i == 0 && k < 2 {
						if err := n.Wait(ctx, "client"); err != nil {
							t.Errorf("a request that waits: %v", err)
							return
						}
						admitted.Add(1)
					} else if n.Allow("client") {
						admitted.Add(1)
					}
					time.Sleep(time.Millisecond) // a load, and no wait for anything
				}
			})
		}
	}
	all.Wait()
	elapsed := time.Since(began)
	if most := burst + int64(float64(burst)*float64(elapsed)/float64(window)) + 1; admitted.Load() > most {
		t.Errorf("%d units passed in %v, want at most %d", admitted.Load(), elapsed, most)
	}
	if admitted.Load() == 0 {
		t.Error("nothing passed")
	}
}

// A borrower that asks again says what it still holds. The lender counts no less than that as lent,
// or both could spend it.
func TestALenderCountsAllThatABorrowerHolds(t *testing.T) {
	l := newBounded(t, 2, 100, 0)
	borrower, lender := l.nodes[0], l.nodes[1]
	borrower.take("", "c", 50) // all of its own
	held, asked := 0, uint64(0)
	for step := range 200 {
		borrower.take("", "c", 1+step%3)
		l.run(3 * time.Millisecond)
		b, err := borrower.Node.Explain("", "c")
		must(t, err)
		o, err := lender.Node.Explain("", "c")
		must(t, err)
		if b.Right == nil || o.Right == nil {
			t.Fatal("no right is explained")
		}
		if o.Right.Lent < b.Right.Borrowed-1e-6 {
			t.Fatalf("step %d: the borrower holds %.3f, and the lender counts %.3f as lent", step, b.Right.Borrowed, o.Right.Lent)
		}
		if b.Right.Borrowed > 0 {
			held++
		}
		asked = borrower.Node.Stats().Limits[0].Rights.Asked
	}
	if held < 10 || asked < 3 {
		t.Fatalf("it held something in %d steps and asked %d times: that proves nothing", held, asked)
	}
}
