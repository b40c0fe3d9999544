package node_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/distributed-rate-limiter/distributed-rate-limiter/node"
)

// A client that is over its limit at every node makes each of them ask once for each round, and not
// while a round has found nothing.
func TestAClientOverItsLimitCostsNoMoreThanAQuestionForEachRound(t *testing.T) {
	const seconds, perMillisecond = 5, 4
	l := newBounded(t, 3, 100, 0)
	before := l.sent("want")
	for range seconds * 1000 {
		for _, m := range l.nodes {
			m.take("", "c", perMillisecond)
		}
		l.run(time.Millisecond)
	}
	for _, m := range l.nodes {
		s := m.Node.Stats()
		asked, short := s.Limits[0].Rights.Asked, s.Limits[0].Rights.Short
		t.Logf("n%d: %d short, %d questions", m.index, short, asked)
		// A round in vain is followed by a pause that doubles up to 100 ms. Now and then one finds what
		// another node has just earned.
		if asked > 2*seconds*10 {
			t.Errorf("n%d asks %d times in %d s", m.index, asked, seconds)
		}
	}
	after := l.sent("want")
	for i := range after {
		if got := after[i] - before[i]; got > 2*2*seconds*10 {
			t.Errorf("n%d sends %d questions in %d s, want at most one to each peer in a round", i, got, seconds)
		}
	}
}

// sent is how many messages of a kind each node sent.
func (l *lab) sent(kind string) (out []uint64) {
	for _, m := range l.nodes {
		out = append(out, m.Node.Stats().Sync.Sent[kind].Messages)
	}
	return out
}

// A flood of clients that all lack tokens is denied. It takes no more of the network than there is for
// loans, whatever its size, and leaves no memory behind.
func TestAFloodOfShortClientsDegradesToDenial(t *testing.T) {
	const clients = 20_000
	const lending = 1<<20 + 1<<18 + 1<<15 // bytes in the first second, and a message: docs/adr/0012
	l := newBounded(t, 2, 80, 0)
	m := l.nodes[0]
	traffic := func() uint64 {
		s := m.Node.Stats().Sync
		return s.Sent["want"].Bytes + s.Sent["loan"].Bytes
	}
	before := traffic()
	for range 10 { // the same ones come again all the time
		for i := range clients {
			if d := m.Node.Do(node.Request{Client: fmt.Sprint(i), Cost: 80}); d.Reason != node.ReasonShort && !d.Allowed && d.Reason != node.ReasonOverLimit {
				t.Fatalf("client %d gets %+v", i, d)
			}
		}
		l.run(100 * time.Millisecond)
	}
	if got := traffic() - before; got > lending {
		t.Errorf("the flood makes the node send %d bytes in a second, want at most %d", got, lending)
	}
	if got := m.Node.Stats(); got.Clients > clients+1 || got.Holding > 0 {
		t.Errorf("%d clients are held, and %d requests wait", got.Clients, got.Holding)
	}
	l.pass(5 * time.Minute)
	l.pass(time.Minute)
	if got := m.Node.Stats().Clients; got > 0 {
		t.Errorf("%d clients are still held minutes later", got)
	}
}
