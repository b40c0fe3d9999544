package node

import (
	"context"
	"errors"
	"testing"
	"time"

	deltasync "github.com/distributed-rate-limiter/distributed-rate-limiter/sync"
)

// deaf is a protocol that knows a peer and reaches nobody.
type deaf struct{ unborn }

func (deaf) Status() deltasync.Status {
	return deltasync.Status{Peers: []deltasync.Peer{{Replica: 7, State: deltasync.PeerAlive}}}
}

func TestSettlingWithoutANetworkHasAnEnd(t *testing.T) {
	now := time.Unix(1_700_000_040, 0)
	n, err := build(Config{Name: "a", Limit: 10, Window: time.Hour, Now: func() time.Time { return now }}, 1)
	if err != nil {
		t.Fatal(err)
	}
	n.protocol = deaf{}
	p, _, err := n.settle("7.1", 3)
	if err != nil {
		t.Fatal(err)
	}
	now = now.Add(passOnFor + time.Second)
	n.housekeep()
	select {
	case <-p.answered:
	default:
		t.Error("who waits for the answer waits for ever")
	}
	if len(n.settling.passing) != 0 {
		t.Error("it is kept for ever")
	}
	close(n.stop)
	if _, err := n.Settle(context.Background(), "7.2", 3); !errors.Is(err, ErrUnconfirmed) || !errors.Is(err, ErrClosed) {
		t.Errorf("after the end: %v", err)
	}
}
