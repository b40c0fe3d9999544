package integration_test

import (
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/nats-io/nats.go"

	"github.com/distributed-rate-limiter/distributed-rate-limiter/gcra"
	"github.com/distributed-rate-limiter/distributed-rate-limiter/node"
	deltasync "github.com/distributed-rate-limiter/distributed-rate-limiter/sync"
)

// gated is a transport that delivers nothing while its gate is held.
type gated struct {
	deltasync.Transport
	gate sync.Mutex
}

type waiting struct {
	deltasync.Handler
	gate *sync.Mutex
}

func (w waiting) Receive(p deltasync.Packet) {
	w.gate.Lock()
	defer w.gate.Unlock()
	w.Handler.Receive(p)
}

// Open implements deltasync.Transport.
func (g *gated) Open(subjects []string, h deltasync.Handler) error {
	return g.Transport.Open(subjects, waiting{h, &g.gate})
}

func TestSlowConsumerLosesMessagesAndCatchesUp(t *testing.T) {
	if testing.Short() {
		t.Skip("real servers and real seconds")
	}
	t.Parallel()
	const enough = 100 // messages dropped because the queue was full
	h := newHub(t, "-a", "127.0.0.1")
	c := &cluster{t: t, net: h}
	both := limits(map[string]gcra.Policy{"fast": fast, "slow": slow})
	for range 2 {
		c.open(node.Config{Limits: both})
	}
	conn, err := nats.Connect(h.join().URL, nats.NoEcho(), nats.ErrorHandler(func(_ *nats.Conn, _ *nats.Subscription, err error) {
		t.Log("n2: ", err)
	}))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(conn.Close)
	late := &gated{Transport: deltasync.NATS(conn)}
	c.open(node.Config{Limits: both, Transport: late})
	c.await("three nodes that hear each other", c.together)
	tr, still := c.trial("fast", fast), c.trial("slow", slow)
	stopAlice, stopBob := tr.press("alice", 10*time.Millisecond), still.press("bob", 10*time.Millisecond)
	strewn, stopStrewing := still.strew(time.Millisecond)

	befell := trouble{groups: 2}
	late.gate.Lock()
	release := sync.OnceFunc(late.gate.Unlock)
	t.Cleanup(release)
	stalled := time.Now()
	dropped := func() uint64 { return c.nodes[2].Stats().Sync.Dropped["queue"] }
	c.await("the queue of the stalled node runs over", func() bool { return dropped() >= enough })
	overflow := time.Since(stalled)
	// It hears nobody and is heard: a partition in one direction.
	c.await("the stalled node says that it hears nobody", func() bool { return shows(t, c.nodes[2], true, true) })
	for i, n := range c.nodes[:2] {
		c.await(fmt.Sprintf("n%d says that it is not heard", i), func() bool { return shows(t, n, true, true) })
		for _, p := range n.Stats().Sync.Peers {
			if p.HearsUs != (p.Node != "n2") || p.State != node.PeerAlive {
				t.Errorf("n%d says that %s hears it: %t, and is %v", i, p.Node, p.HearsUs, p.State)
			}
		}
	}

	stopBob()
	stopStrewing()
	release()
	mended := time.Now()
	befell.apart = still.converges(mended, append(strewn(), "bob")...).Sub(stalled)
	still.owes("bob")
	t.Logf("%d messages dropped, the first %d after %v, of %d clients; stalled for %v", dropped(), enough,
		overflow.Round(time.Millisecond), len(strewn()), mended.Sub(stalled).Round(time.Millisecond))
	c.await("nobody complains any more", func() bool {
		for _, n := range c.nodes {
			if !shows(t, n, false, false) {
				return false
			}
		}
		return true
	})
	stopAlice()
	tr.converges(time.Now(), "alice")
	tr.judge("alice", befell)
	still.judge("bob", befell)
}
