package node

import (
	"testing"
	"time"

	"github.com/distributed-rate-limiter/distributed-rate-limiter/crdt"
	"github.com/distributed-rate-limiter/distributed-rate-limiter/node/internal/tally"
	deltasync "github.com/distributed-rate-limiter/distributed-rate-limiter/sync"
)

// A reset counts as long as nodes are sure to remember it. Later it would end what was counted
// since, and give the client its burst again.
func TestAResetThatMayBeForgottenIsRefused(t *testing.T) {
	for name, c := range map[string]struct {
		policy Policy
		lasts  time.Duration
	}{
		"gcra":        {Policy{Limit: 10, Window: time.Hour}, 240 * time.Second},
		"wide window": {Policy{Limit: 10, Window: time.Hour, Algorithm: FixedWindow}, 3 * time.Hour},
	} {
		for _, age := range []time.Duration{0, c.lasts, c.lasts + 1, 24 * time.Hour} {
			at := time.Unix(1_900_000_000, 0)
			n, err := Open(t.Context(), Config{Limits: map[string]Policy{"default": c.policy}, Alone: true, Now: func() time.Time { return at }})
			if err != nil {
				t.Fatal(err)
			}
			take := func() bool { return n.Take("alice", 10).Allowed }
			if !take() {
				t.Fatal("the burst is denied")
			}
			now := n.now()
			l := n.limits.Get("default")
			reset := deltasync.ClientReset{Limit: "default", Key: l.Key("alice", nil), Stamp: crdt.Stamp{At: now - int64(age), By: 2}}
			resetter{n}.MergeResets(now, []deltasync.ClientReset{reset})
			if took, refused := take(), n.dropped.Of(tally.DropPast); took != (age <= c.lasts) || refused > 0 == took {
				t.Errorf("%s: a reset of %v ago counts: %v; %d refused", name, age, took, refused)
			}
			if err := n.Close(); err != nil {
				t.Fatal(err)
			}
		}
	}
}
