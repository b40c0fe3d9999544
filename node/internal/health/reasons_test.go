package health

import (
	"slices"
	"testing"
	"time"

	"github.com/distributed-rate-limiter/distributed-rate-limiter/node/internal/limits"
	deltasync "github.com/distributed-rate-limiter/distributed-rate-limiter/sync"
)

// healthy is what a node of a healthy pair sees.
func healthy(now int64) *Look {
	s := &deltasync.Status{
		Connected: true, Ready: true, Joined: true, Settled: true, Heard: true, Members: 2, Visible: 2, Now: now,
		Peers: []deltasync.Peer{{Node: "b", Replica: 2, State: deltasync.PeerAlive, Admits: true, HearsUs: true, HeardAgo: 900e6, StaleFor: 900e6}},
	}
	return &Look{Sight: &limits.Sight{Sync: s, Flush: 50 * time.Millisecond, Tolerance: time.Second}, Horizon: int64(10 * time.Minute)}
}

// TestEachReasonIsSaidAndEnds brings about each reason by itself: the node says it, says nothing else,
// and says it no more when it is over.
func TestEachReasonIsSaidAndEnds(t *testing.T) {
	silent := func(l *Look) { l.Sync.Peers[0].State = deltasync.PeerSuspect }
	causes := map[string]func(*Look){
		"not_connected":           func(l *Look) { l.Sync.Connected = false },
		"peer_silent":             silent,
		"one_way":                 func(l *Look) { l.Sync.Peers[0].DeafFor = deafness + 1 },
		"peer_unheard":            func(l *Look) { l.Sync.Unheard = 1 },
		"never_heard":             func(l *Look) { l.Never = true },
		"joining":                 func(l *Look) { l.Sync.Settled = false },
		"joined_without_snapshot": func(l *Look) { l.Sync.Partial = true },
		"messages_dropped":        func(l *Look) { l.Sync.Stats.Dropped = map[deltasync.Drop]uint64{deltasync.DropQueue: 1} },
		"stale":                   func(l *Look) { l.Sync.Peers[0].StaleFor = l.Sync.Peers[0].HeardAgo + tooStale + 1 },
		"rows_refused":            func(l *Look) { l.Lost = 1 },
		"clock_ahead":             func(l *Look) { l.Sync.Peers[0].Skew = -int64(l.Tolerance) - 1 },
		"isolated_open":           func(l *Look) { l.PassedIsolated = 1 },
		"table_full":              func(l *Look) { l.PassedFull = 1 },
		"table_full_open":         func(l *Look) { l.FullOpen, l.PassedFull = true, 1 },
	}
	for _, name := range Names() {
		cause := causes[name]
		if cause == nil {
			t.Errorf("nothing brings about %s: give it a cause here", name)
			continue
		}
		var w Watch
		now := int64(1_900_000_000e9)
		if got := w.Degraded(healthy(now)); len(got) > 0 {
			t.Fatalf("a healthy node is degraded by %v", got)
		}
		l := healthy(now + 1e9)
		if cause(l); !slices.Equal(w.Degraded(l), []string{name}) {
			t.Errorf("%s: degraded by %v", name, w.Degraded(l))
		}
		over := healthy(now + 1e9 + l.Horizon)
		over.Lost, over.PassedIsolated, over.PassedFull, over.FullOpen = l.Lost, l.PassedIsolated, l.PassedFull, l.FullOpen
		over.Sync.Stats = l.Sync.Stats
		if got := w.Degraded(over); len(got) > 0 {
			t.Errorf("%s: still degraded by %v after all is over", name, got)
		}
	}
}

// TestPeersThatSayNothingNewAreNotStale: silence has a reason of its own, and between two beats data
// look up to a beat old.
func TestPeersThatSayNothingNewAreNotStale(t *testing.T) {
	var w Watch
	l := healthy(1_900_000_000e9)
	l.Sync.Peers[0].HeardAgo, l.Sync.Peers[0].StaleFor = 20e9, 20e9+tooStale
	if got := w.Degraded(l); len(got) > 0 {
		t.Errorf("degraded by %v", got)
	}
}
