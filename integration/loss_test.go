package integration_test

import (
	"fmt"
	"log/slog"
	"math/rand/v2"
	"sync/atomic"
	"testing"
	"time"

	"github.com/nats-io/nats.go"

	"github.com/distributed-rate-limiter/distributed-rate-limiter/gcra"
	"github.com/distributed-rate-limiter/distributed-rate-limiter/node"
	"github.com/distributed-rate-limiter/distributed-rate-limiter/node/embednats"
)

// relay is as many servers that know nothing of each other, one for each node, and a
// forwarder between them which loses a share of all messages for each receiver.
type relay struct {
	t         *testing.T
	conns     []*nats.Conn
	seed      uint64
	loss      atomic.Int64 // in a thousand
	forwarded atomic.Int64
	lost      atomic.Int64
}

func (r *relay) join() node.NATS {
	r.t.Helper()
	i := len(r.conns)
	s, err := embednats.Start(embednats.Config{
		Name: fmt.Sprintf("server%d", i), Logger: slog.New(slog.NewTextHandler(r.t.Output(), nil)),
	})
	if err != nil {
		r.t.Fatal(err)
	}
	r.t.Cleanup(func() {
		if err := s.Close(); err != nil {
			r.t.Error(err)
		}
	})
	// What it publishes here it must not forward again.
	conn, err := nats.Connect(embednats.ProcessURL, s.InProcess(), nats.NoEcho())
	if err != nil {
		r.t.Fatal(err)
	}
	r.t.Cleanup(conn.Close)
	r.conns = append(r.conns, conn)
	return node.NATS{URL: embednats.ProcessURL, Options: []nats.Option{s.InProcess()}}
}

// start forwards between the servers there are.
func (r *relay) start() {
	r.t.Helper()
	for i, conn := range r.conns {
		random := rand.New(rand.NewPCG(r.seed, uint64(i))) //nolint:gosec // loss is to be repeatable
		sub, err := conn.Subscribe(">", func(m *nats.Msg) {
			for j, to := range r.conns {
				switch {
				case j == i:
				case random.Int64N(1000) < r.loss.Load():
					r.lost.Add(1)
				default:
					r.forwarded.Add(1)
					if err := to.PublishMsg(&nats.Msg{Subject: m.Subject, Data: m.Data}); err != nil {
						r.lost.Add(1) // the test is ending
					}
				}
			}
		})
		if err != nil {
			r.t.Fatal(err)
		}
		r.t.Cleanup(func() { _ = sub.Unsubscribe() })
	}
}

func TestLossOfATenthOfAllMessagesIsRepaired(t *testing.T) {
	if testing.Short() {
		t.Skip("real servers and real seconds")
	}
	t.Parallel()
	const (
		enough = 400 // lost messages
		// repair is how long something lost may stay unknown: the next beat shows it
		// after a second, and the question or the answer may get lost as well.
		repair = 2500 * time.Millisecond
	)
	r := &relay{t: t, seed: rand.Uint64()}
	t.Logf("seed %d", r.seed)
	c := &cluster{t: t}
	for range 3 {
		c.open(node.Config{Limits: limits(map[string]gcra.Policy{"fast": fast, "slow": slow}), NATS: r.join()})
	}
	r.start()
	c.await("three nodes that hear each other", c.together)

	r.loss.Store(100)
	tr, still := c.trial("fast", fast), c.trial("slow", slow)
	stopAlice := tr.press("alice", 10*time.Millisecond)
	stopBob := still.press("bob", 20*time.Millisecond)
	strewn, stopStrewing := still.strew(10 * time.Millisecond)
	c.await("enough is lost", func() bool { return r.lost.Load() >= enough })
	stopBob()
	stopStrewing()
	r.loss.Store(0)
	mended := time.Now()
	lost, all := r.lost.Load(), r.lost.Load()+r.forwarded.Load()
	if lost < all/20 || lost > all/5 {
		t.Errorf("%d of %d messages were lost: not about a tenth", lost, all)
	}
	t.Logf("%d of %d messages were lost, after %d clients", lost, all, len(strewn()))
	still.converges(mended, append(strewn(), "bob")...)
	still.owes("bob")
	stopAlice()
	tr.converges(time.Now(), "alice")
	for i, n := range c.nodes {
		s := n.Stats().Sync
		t.Logf("n%d: %d gaps, %d mismatches, %d repairs, %d timeouts", i, s.Gaps, s.Mismatches, s.Repairs, s.Timeouts)
		if s.Gaps == 0 || s.Repairs == 0 {
			t.Errorf("n%d saw %d gaps and asked for %d repairs: was nothing lost?", i, s.Gaps, s.Repairs)
		}
	}
	tr.judge("alice", trouble{later: repair})
	still.judge("bob", trouble{later: repair})
}
