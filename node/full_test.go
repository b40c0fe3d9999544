package node_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/distributed-rate-limiter/distributed-rate-limiter/node"
)

func TestAFullTableKeepsWhoIsKnownExact(t *testing.T) {
	const known, unknown, burst = 500, 20_000, 10
	n := alone(t, node.Config{Limit: burst, Window: time.Hour, MaxClients: known})
	clients := ids(known + unknown)
	for i, c := range clients[:known] {
		if !n.Take(c, int64(i%burst+1)).Allowed {
			t.Fatal("a new client was denied")
		}
	}
	allowed := 0
	for _, c := range clients[known:] {
		if n.Allow(c) {
			allowed++
		}
	}
	// 256 entries are shared, so each has many clients by now.
	if allowed != 256*burst {
		t.Errorf("%d of %d unknown clients passed, want %d shares of %d", allowed, unknown, 256, burst)
	}
	s := n.Stats()
	if s.Clients != known || s.Overflowed != unknown {
		t.Errorf("%d clients and %d overflowed, want %d and %d", s.Clients, s.Overflowed, known, unknown)
	}
	for i, c := range clients[:known] {
		left := int64(burst - i%burst - 1)
		if d := n.Do(node.Request{Client: c, Peek: true}); d.Remaining != left {
			t.Fatalf("%s has %d left, want %d", c, d.Remaining, left)
		}
	}
	// A peek at an unknown client shows the share that it would take from.
	if d := n.Do(node.Request{Client: "somebody", Peek: true}); d.Allowed || d.Remaining != 0 {
		t.Errorf("somebody new: %+v", d)
	}
}

func TestAFullTableMayLetTheUnknownPass(t *testing.T) {
	const known = 100
	n := alone(t, node.Config{Limit: 1, Window: time.Hour, MaxClients: known, OnFull: node.FullOpen})
	clients := ids(2 * known)
	for _, c := range clients {
		n.Allow(c)
	}
	for _, c := range clients[known:] {
		if d := n.Take(c, 1); !d.Allowed || d.Reason != node.ReasonFull || d.Limit != "default" || d.Quota != 1 {
			t.Fatalf("an unknown client: %+v", d)
		}
		if !n.Do(node.Request{Client: c, Peek: true}).Allowed {
			t.Fatal("a peek says that it would not pass")
		}
	}
	for _, c := range clients[:known] {
		if n.Allow(c) {
			t.Fatal("a known client has no limit")
		}
	}
	if s := n.Stats(); s.Clients != known || s.Overflowed != 2*known {
		t.Errorf("%d clients, %d overflowed", s.Clients, s.Overflowed)
	}
}

// What peers say of unknown clients takes no place at the cap, is counted, and
// does not touch those that are known.
func TestPeersCannotFillATable(t *testing.T) {
	const most, flood = 50, 1000
	l := newLab(t, 1, hourly(10))
	cfg := hourly(10)
	cfg.MaxClients = most
	small := l.join(cfg)
	l.run(3 * time.Second)
	for _, c := range ids(most / 2) {
		small.take("", c, 3)
	}
	for _, c := range ids(flood) {
		l.nodes[0].take("", c, 4)
	}
	l.run(2 * time.Second)
	s := small.Node.Stats()
	if s.Clients != most || s.RowsLost["table_full"] == 0 {
		t.Errorf("%d clients, lost %v", s.Clients, s.RowsLost)
	}
	for _, c := range ids(most / 2) {
		if got := small.peek("", c).Remaining; got != 3 {
			t.Fatalf("%s has %d left, want 3 of 10 after 3 here and 4 there", c, got)
		}
	}
}

// A client is forgotten once its newest window is at most the last but one and its
// TAT is not in a live window, and not before.
func TestAClientIsForgottenWhenItMayBe(t *testing.T) {
	const width = 15 * time.Second // of windows, for a short limit
	for _, c := range []struct {
		name       string
		cfg        node.Config
		keep, gone time.Duration // from a window's start on
		also       func(*lab)
	}{
		{"idle", node.Config{Limit: 5, Window: time.Second}, 2*width - time.Second, 2*width + 9*time.Second, nil},
		{"in debt", node.Config{Limit: 5, Window: 5 * time.Minute}, 6*time.Minute - time.Second, 6*time.Minute + 10*time.Second, nil},
		{"reset", node.Config{Limit: 5, Window: time.Second}, 4*time.Minute - time.Second, 4*time.Minute + 10*time.Second, func(l *lab) { must(l.t, l.nodes[0].Node.Reset("", "alice")) }},
	} {
		t.Run(c.name, func(t *testing.T) {
			l := newLab(t, 1, c.cfg)
			l.run(time.Duration(int64(time.Minute) - l.now.UnixNano()%int64(time.Minute)))
			start := l.now
			l.nodes[0].take("", "alice", 5)
			if c.also != nil {
				c.also(l)
			}
			l.run(start.Add(c.keep).Sub(l.now))
			if got := l.nodes[0].Node.Stats().Clients; got != 1 {
				t.Errorf("%d clients after %v", got, c.keep)
			}
			l.run(start.Add(c.gone).Sub(l.now))
			if got := l.nodes[0].Node.Stats().Clients; got != 0 {
				t.Errorf("%d clients after %v", got, c.gone)
			}
		})
	}
}

// Forgetting gives nobody anything: decisions with it are those without.
func TestForgettingChangesNoDecision(t *testing.T) {
	for _, p := range []node.Config{
		{Limit: 5, Window: time.Second},
		{Limit: 3, Window: time.Minute},
		{Limit: 2, Window: 10 * time.Minute},
	} {
		forgets, keeps := newLab(t, 1, p), newLab(t, 1, p)
		for i := range 300 {
			pause := time.Duration(i*i%97) * time.Second
			for _, l := range []*lab{forgets, keeps} {
				l.now = l.now.Add(pause)
			}
			for range 16 { // every part of the table twice
				forgets.nodes[0].Housekeep()
			}
			for range 4 {
				a, b := forgets.nodes[0].Node.Take("alice", 1), keeps.nodes[0].Node.Take("alice", 1)
				if a != b {
					t.Fatalf("%v: after %v: %+v, without forgetting %+v", p, pause, a, b)
				}
			}
		}
	}
}

// Clients that come once do not pile up, however many there are.
func TestOneOffClientsDoNotPileUp(t *testing.T) {
	const perSecond, seconds = 1000, 400
	l := newLab(t, 1, node.Config{Limit: 10, Window: time.Second})
	n, most := l.nodes[0], 0
	for s := range seconds {
		l.now = l.now.Add(time.Second)
		for i := range perSecond {
			n.Node.Allow(fmt.Sprintf("visitor-%d-%d", s, i))
		}
		n.Housekeep()
		most = max(most, n.Node.Stats().Clients)
	}
	// Three windows of 15 s, and the 8 s that a sweep of the whole table takes.
	if want := perSecond * (3*15 + 8 + 1); most > want {
		t.Errorf("up to %d clients were held of %d, want at most %d", most, perSecond*seconds, want)
	}
	l.now = l.now.Add(time.Minute)
	for range 8 {
		n.Housekeep()
	}
	if got := n.Node.Stats().Clients; got != 0 {
		t.Errorf("%d clients are held after a minute without any", got)
	}
}
