package node_test

import (
	"fmt"
	"os"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/distributed-rate-limiter/distributed-rate-limiter/node"
)

func TestAFullTableKeepsWhoIsKnownExactByWindows(t *testing.T) {
	const known, unknown, burst = 500, 20_000, 10
	n := alone(t, node.Config{Limits: map[string]node.Policy{"default": {Limit: burst, Window: time.Hour, Algorithm: node.FixedWindow}}, MaxClients: known})
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
	if allowed < unknown*9/10 {
		t.Errorf("only %d of %d unknown clients passed", allowed, unknown)
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
	// A peek at a client without room shows what it used.
	n.Take("somebody", 4)
	if d := n.Do(node.Request{Client: "somebody", Peek: true}); !d.Allowed || d.Remaining > burst-4 {
		t.Errorf("somebody new after 4 units: %+v", d)
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

// crowded are limits of ten a minute, one for each way to count.
var crowded = map[string]node.Policy{
	"gcra":                    {Limit: 10, Window: time.Minute},
	"fixed window":            {Limit: 10, Window: time.Minute, Algorithm: node.FixedWindow},
	"sliding window":          {Limit: 10, Window: time.Minute, Algorithm: node.SlidingWindow},
	"sliding window in parts": {Limit: 10, Window: time.Minute, Algorithm: node.SlidingWindow, Resolution: 6},
}

// TestNewcomersPassWhileAFloodFillsTheTable is what -on-full share promises: a flood of new ids
// neither resets those that are known, nor keeps newcomers out, nor gives anybody more.
func TestNewcomersPassWhileAFloodFillsTheTable(t *testing.T) {
	for name, p := range crowded {
		t.Run(name, func(t *testing.T) { flooded(t, p, 1000, 20, 150*time.Second) })
	}
}

// TestLongNewcomersPassWhileAFloodFillsTheTable takes five minutes of the node's time, which are some
// of ours.
func TestLongNewcomersPassWhileAFloodFillsTheTable(t *testing.T) {
	if os.Getenv("RATELIMIT_LONG") != "1" {
		t.Log("set RATELIMIT_LONG=1 for five minutes at 2,000 newcomers and 20,000 flood ids a second")
		return
	}
	for name, p := range crowded {
		t.Run(name, func(t *testing.T) { flooded(t, p, 100_000, 2000, 5*time.Minute) })
	}
}

// flooded fills a table of a size. For a while, so many newcomers come each second, and ten times as
// many ids that come once. A newcomer sends five requests within its limit of ten a minute, a second
// apart. Those that are known go on asking for more than they may have.
func flooded(t *testing.T, p node.Policy, size, newcomers int, lasting time.Duration) {
	t.Helper()
	const requests = 5
	limit := int(p.Limit)
	l := newLab(t, 1, node.Config{Limits: map[string]node.Policy{"default": p}, MaxClients: size})
	n := l.nodes[0]
	for i := range size {
		n.Node.Allow("known " + strconv.Itoa(i))
	}
	began, passed, sent, denied := l.now, make([]int, 0, 1<<10), make([]int, 0, 1<<10), 0
	allowed := map[string]int{} // of some who are known
	for second := range int(lasting / time.Second) {
		for i := range 10 * newcomers {
			if !n.Node.Allow("flood " + strconv.Itoa(second) + " " + strconv.Itoa(i)) {
				denied++
			}
			if i%10 == 0 {
				passed, sent = append(passed, 0), append(sent, 0)
			}
		}
		for i := max(0, len(sent)-requests*newcomers); i < len(sent); i++ {
			if sent[i]++; n.Node.Allow("newcomer " + strconv.Itoa(i)) {
				passed[i]++
			}
		}
		for i := range 20 {
			client := "known " + strconv.Itoa(i)
			for range 3 {
				if n.Node.Allow(client) {
					allowed[client]++
				}
			}
		}
		l.now = l.now.Add(time.Second)
		n.Housekeep()
	}
	done, whole := 0, 0
	for i := range sent {
		if sent[i] == requests {
			if done++; passed[i] == requests {
				whole++
			}
		}
	}
	t.Logf("%d of %d newcomers got all of their %d requests; %d of %d flood ids were denied; %d clients held", whole, done, requests, denied,
		int(lasting/time.Second)*10*newcomers, n.Node.Stats().Clients)
	if done < newcomers*10 || float64(whole) < 0.9*float64(done) {
		t.Errorf("only %d of %d newcomers got all of their requests", whole, done)
	}
	most := limit + int(l.now.Sub(began)*time.Duration(limit)/time.Minute)
	if p.Algorithm != node.GCRA { // the windows that the stretch touches
		most = limit * (int(l.now.Sub(began)/time.Minute) + 2)
	}
	for client, units := range allowed {
		if units > most {
			t.Errorf("%s got %d units, at most %d are its own", client, units, most)
		}
	}
	// Nobody without room gets more than anybody else.
	for i := range 50 {
		got := 0
		for range 2 * limit {
			if n.Node.Allow("greedy " + strconv.Itoa(i)) {
				got++
			}
		}
		if got > limit {
			t.Errorf("a client that found no room got %d units at once, of %d", got, limit)
		}
	}
	if s := n.Node.Stats(); s.Overflowed < uint64(len(sent)) { //nolint:gosec // a count
		t.Errorf("only %d decisions found no room: the table was hardly full", s.Overflowed)
	} else if s.Clients > size {
		t.Errorf("%d clients in a table for %d", s.Clients, size)
	}
}

// TestAClientTakesWhatItUsedWithoutRoomIntoTheTable lets a client use most of its limit while the table
// is full, and then gives it room, in which a new burst would be for the asking.
func TestAClientTakesWhatItUsedWithoutRoomIntoTheTable(t *testing.T) {
	cfg := hourly(10)
	cfg.Limits = map[string]node.Policy{"quick": {Limit: 1, Window: time.Second}}
	cfg.MaxClients = 1
	l := newLab(t, 1, cfg)
	m := l.nodes[0]
	take := func(limit, client string, cost int64) node.Decision {
		return m.Node.Do(node.Request{Limit: limit, Client: client, Cost: cost})
	}
	take("quick", "first", 1)
	if d := take("", "late", 7); !d.Allowed {
		t.Fatalf("a client without room: %+v", d)
	}
	if d := m.peek("", "late"); d.Remaining != 3 || m.Node.Stats().Clients != 1 {
		t.Fatalf("%d left, want 3; %d clients", d.Remaining, m.Node.Stats().Clients)
	}
	if d := take("", "late", 4); d.Allowed {
		t.Fatal("4 of the last 3 passed without room")
	}
	l.run(time.Minute) // the first is forgotten
	if got := m.Node.Stats().Clients; got != 0 {
		t.Fatalf("%d clients, want none", got)
	}
	if d := m.peek("", "late"); d.Remaining != 3 {
		t.Errorf("%d left before it is in the table, want 3", d.Remaining)
	}
	if d := take("", "late", 4); d.Allowed {
		t.Error("4 of the last 3 passed, once there was room")
	}
	if d := take("", "late", 3); !d.Allowed || m.Node.Stats().Clients != 1 {
		t.Errorf("the last 3: %+v, %d clients", d, m.Node.Stats().Clients)
	}
}

// TestANodeSaysThatItsTableFills, once at four fifths and once at the cap, and again only after it
// had room.
func TestANodeSaysThatItsTableFills(t *testing.T) {
	var log record
	l := newLab(t, 1, node.Config{Limit: 1, Window: time.Second, MaxClients: 10, Logger: log.logger()})
	n := l.nodes[0]
	lines := func() (nearly, full int) {
		text := log.String()
		return strings.Count(text, "the client table is nearly full"), strings.Count(text, "the client table is full")
	}
	for round := range 2 {
		for i, want := range [][2]int{6: {0, 0}, 7: {1, 0}, 8: {1, 0}, 9: {1, 1}} {
			n.Node.Allow("client " + strconv.Itoa(i))
			n.Housekeep()
			n.Housekeep()
			if nearly, full := lines(); nearly != want[0]+round || full != want[1]+round {
				t.Errorf("round %d, %d clients: told %d and %d times, want %d and %d", round, i+1, nearly, full, want[0]+round, want[1]+round)
			}
		}
		l.now = l.now.Add(time.Minute)
		for range 8 {
			n.Housekeep()
		}
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
