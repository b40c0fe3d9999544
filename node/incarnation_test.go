package node

import (
	"context"
	"log/slog"
	"testing"
	"testing/synctest"
	"time"

	deltasync "github.com/distributed-rate-limiter/distributed-rate-limiter/sync"
)

// A node hears only incarnations that bear the mark of their node's name.
func TestAnIncarnationWithoutItsNodesMarkIsRefused(t *testing.T) {
	for _, of := range []string{"evil", "b"} {
		synctest.Test(t, func(t *testing.T) {
			var network Memory
			limits := Config{Limit: 10, Window: time.Minute, Now: time.Now}
			cfg := limits
			cfg.Name, cfg.Transport = "a", network.Transport()
			n, err := Open(context.Background(), cfg)
			if err != nil {
				t.Fatal(err)
			}
			cfg = limits
			cfg.Name = "evil"
			evil, err := build(cfg, deltasync.NewReplica(of, 7))
			if err != nil {
				t.Fatal(err)
			}
			engine, store := evil.engine()
			loop, err := deltasync.NewLoop(engine, store, network.Transport(), evil.now, slog.New(slog.DiscardHandler))
			if err != nil {
				t.Fatal(err)
			}
			evil.protocol = loop
			time.Sleep(5 * time.Second)
			known := deltasync.NewReplica("evil", 7) == evil.replica
			if s := n.Stats(); len(s.Sync.Peers) > 0 != known || s.Sync.Dropped["sender"] > 0 == known {
				t.Errorf("incarnation of %s, spoken for by evil: peers %+v, %d refused", of, s.Sync.Peers, s.Sync.Dropped["sender"])
			}
			_, _ = loop.Close(), n.Close()
		})
	}
}
