package node_test

import (
	"context"
	"errors"
	"sync/atomic"
	"testing"
	"time"

	"github.com/distributed-rate-limiter/distributed-rate-limiter/node"
)

// A node whose clock was wrong for a moment has a time that peers refuse: it says so, and
// takes no change that would hold on this node alone.
func TestNodeAheadOfItsWallClockSaysSoAndRefusesChanges(t *testing.T) {
	var off atomic.Int64
	began := time.Now()
	var net node.Memory
	s, err := node.NewStepper(node.Config{
		Name: "a", Limit: 10, Window: time.Minute, Transport: net.Transport(),
		Now: func() time.Time { return began.Add(time.Duration(off.Load())) },
	}, 1)
	must(t, err)
	s.Housekeep()
	if s.Node.Stats().ClockAhead != 0 {
		t.Fatal("ahead from the start")
	}
	off.Store(int64(8 * time.Hour))
	s.Node.Allow("alice")
	off.Store(int64(5 * time.Second))
	s.Housekeep()
	if st := s.Node.Stats(); !st.Degraded || st.ClockAhead < 7*time.Hour {
		t.Errorf("degraded %v, ahead by %v", st.Degraded, st.ClockAhead)
	}
	p := node.Policy{Limit: 5, Window: time.Minute}
	if _, err := s.Node.SetLimit("default", p); !errors.Is(err, node.ErrClockAhead) {
		t.Errorf("a limit was set: %v", err)
	}
	if _, err := s.Node.DeleteLimit("default"); !errors.Is(err, node.ErrClockAhead) {
		t.Errorf("a limit was deleted: %v", err)
	}
	if _, err := s.Node.Configure(map[string]node.Policy{"default": p}); !errors.Is(err, node.ErrClockAhead) {
		t.Errorf("limits were configured: %v", err)
	}
	off.Store(int64(9 * time.Hour))
	s.Housekeep()
	if _, err := s.Node.SetLimit("default", p); err != nil {
		t.Errorf("the wall clock has caught up: %v", err)
	}
}

// Beyond the last instant that can be counted no node starts, and one that runs denies what
// its limit denied before.
func TestNoNodeCountsBeyondTheLatestInstant(t *testing.T) {
	for _, year := range []int{2117, 2150, 2262, 2300, 9000} {
		at := time.Date(year, 1, 2, 0, 0, 0, 0, time.UTC)
		cfg := node.Config{Name: "n", Limit: 10, Window: time.Minute, Now: func() time.Time { return at }}
		if n, err := node.Open(context.Background(), cfg); err == nil {
			_ = n.Close()
			t.Errorf("%d: started", year)
		}
		var off atomic.Bool
		began := time.Now()
		cfg.Now = func() time.Time {
			if off.Load() {
				return at
			}
			return began
		}
		n, err := node.Open(context.Background(), cfg)
		must(t, err)
		passed := 0
		for range 1000 {
			if n.Allow("x") {
				passed++
			}
			off.Store(true)
		}
		if passed != 10 {
			t.Errorf("%d: %d of a limit of 10 passed", year, passed)
		}
		_ = n.Close()
	}
}
