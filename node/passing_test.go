package node

import (
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/distributed-rate-limiter/distributed-rate-limiter/crdt"
)

// deaf is a protocol that knows a peer and reaches nobody.
type deaf struct{ unborn }

func (deaf) Present(r crdt.Replica) bool { return r == 7 }

func TestSettlingWithoutANetworkHasAnEnd(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		now := time.Unix(1_700_000_040, 0)
		n, err := build(Config{Name: "a", Limit: 10, Window: time.Hour, Now: func() time.Time { return now }}, 1)
		if err != nil {
			t.Fatal(err)
		}
		n.protocol = deaf{}
		if _, err := n.Commit(t.Context(), "8.1", 3); !errors.Is(err, ErrUnknownReservation) {
			t.Errorf("of a node that is not there: %v", err)
		}
		commit := func(token string) <-chan error {
			out := make(chan error, 1)
			go func() {
				_, err := n.Commit(t.Context(), token, 3)
				out <- err
			}()
			synctest.Wait()
			return out
		}
		settled := commit("7.1")
		now = now.Add(61 * time.Second)
		n.housekeep()
		synctest.Wait()
		select {
		case err := <-settled:
			if !errors.Is(err, ErrUnknownReservation) {
				t.Errorf("after its time: %v", err)
			}
		default:
			t.Fatal("who waits for the answer waits for ever")
		}
		settled = commit("7.2")
		close(n.stop)
		if err := <-settled; !errors.Is(err, ErrUnconfirmed) || !errors.Is(err, ErrClosed) {
			t.Errorf("after the end: %v", err)
		}
	})
}
