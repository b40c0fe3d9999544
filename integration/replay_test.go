package integration_test

import (
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/nats-io/nats.go"

	"github.com/distributed-rate-limiter/distributed-rate-limiter/node"
)

// tape is what somebody without the cluster key recorded.
type tape struct {
	conn *nats.Conn

	mu   sync.Mutex
	msgs []*nats.Msg
}

// record subscribes to all that nodes say.
func record(t *testing.T, h *hub) *tape {
	t.Helper()
	conn, err := nats.Connect(h.join().URL, nats.NoEcho())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(conn.Close)
	r := &tape{conn: conn}
	if _, err := conn.Subscribe("ratelimit.>", func(m *nats.Msg) {
		r.mu.Lock()
		defer r.mu.Unlock()
		r.msgs = append(r.msgs, m)
	}); err != nil {
		t.Fatal(err)
	}
	if err := conn.Flush(); err != nil {
		t.Fatal(err)
	}
	return r
}

// of lists the messages of some kinds.
func (r *tape) of(kinds ...string) (out []*nats.Msg) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, m := range r.msgs {
		if slices.Contains(kinds, strings.Split(m.Subject, ".")[3]) {
			out = append(out, m)
		}
	}
	return out
}

// replay sends them again, with a reply subject of the sender's choice.
func (r *tape) replay(t *testing.T, msgs []*nats.Msg) {
	t.Helper()
	for _, m := range msgs {
		if err := r.conn.PublishRequest(m.Subject, "sink", m.Data); err != nil {
			t.Fatal(err)
		}
	}
	if err := r.conn.Flush(); err != nil {
		t.Fatal(err)
	}
}

// inForce is how much the limit called default allows.
func inForce(n *node.Node) int64 { return n.Limits()["default"].Limit }

// TestARecordingWithoutTheKeyDoesNothing replays all that a cluster said, to that cluster and
// to the one that is started after it.
func TestARecordingWithoutTheKeyDoesNothing(t *testing.T) {
	if testing.Short() {
		t.Skip("a real server and real seconds")
	}
	t.Parallel()
	h := newHub(t, "-a", "127.0.0.1")
	r := record(t, h)
	limits := map[string]node.Policy{
		"default": {Limit: limit, Window: time.Hour}, // nothing comes back while the test runs
		"closed":  {Limit: limit, Window: time.Hour, OnIsolation: node.IsolationClosed},
	}
	run := func() *cluster {
		c := &cluster{t: t, net: h}
		for range 2 {
			c.open(node.Config{Limits: limits})
		}
		c.await("two nodes", c.together)
		return c
	}
	c := run()
	if _, err := c.nodes[0].SetLimit("default", node.Policy{Limit: 1_000_000, Window: time.Hour}); err != nil {
		t.Fatal(err)
	}
	c.await("the other knows", func() bool { return inForce(c.nodes[1]) == 1_000_000 })
	if _, err := c.nodes[0].DeleteLimit("default"); err != nil {
		t.Fatal(err)
	}
	c.await("the other knows", func() bool { return inForce(c.nodes[1]) == limit })
	spend(c.nodes[0], "victim", 2*limit)
	if err := c.nodes[0].Reset("", "victim"); err != nil {
		t.Fatal(err)
	}
	c.await("the reset is everywhere", func() bool {
		return c.nodes[1].Do(node.Request{Client: "victim", Peek: true}).Remaining == limit
	})
	spend(c.nodes[0], "victim", 2*limit)
	late := c.open(node.Config{Limits: limits}) // asks for a snapshot
	c.await("three nodes", c.together)
	for _, kind := range []string{"beat", "delta", "limits", "reset", "snapshot", "rows"} {
		if len(r.of(kind)) == 0 {
			t.Fatalf("no %s was recorded", kind)
		}
	}

	t.Log("replaying to those who live")
	// To those who live: no answer, no reset, no limit.
	sent := func() (n uint64) {
		for _, n1 := range c.nodes {
			n += n1.Stats().Sync.Sent["rows"].Bytes
		}
		return n
	}
	stale := func() (n uint64) {
		for _, n1 := range c.nodes {
			n += n1.Stats().Sync.Dropped["stale"]
		}
		return n
	}
	bytes, before := sent(), stale()
	asked := r.of("snapshot", "repair")
	for range 100 {
		r.replay(t, asked)
	}
	r.replay(t, r.of("limits", "reset"))
	c.await("all of it arrived", func() bool { return stale() >= before+uint64(100*len(asked)) })
	if now := sent(); now != bytes {
		t.Errorf("recorded requests brought %d bytes", now-bytes)
	}
	if late.Allow("victim") {
		t.Error("a recorded reset gave the burst again")
	}
	if now := inForce(late); now != limit {
		t.Errorf("a recorded change set the limit to %d", now)
	}

	t.Log("replaying to those who come")
	// To the cluster that comes after it: no member, no limit.
	for _, n := range c.nodes {
		_ = n.Close()
	}
	all := r.of("beat", "limits", "reset", "snapshot", "repair", "pull", "bye")
	c = run()
	began := time.Now()
	for time.Since(began) < 5*time.Second { // longer than a peer may be silent
		r.replay(t, all)
		time.Sleep(200 * time.Millisecond)
	}
	for _, n := range c.nodes {
		s := n.Stats()
		if inForce(n) != limit || s.Sync.Members != 2 || s.Isolated {
			t.Errorf("%s: limit %d, %d members, isolated %v", s.Name, inForce(n), s.Sync.Members, s.Isolated)
		}
		if d := n.Do(node.Request{Client: "anybody", Limit: "closed"}); !d.Allowed {
			t.Errorf("%s: a limit closed: %+v", s.Name, d)
		}
	}
}
