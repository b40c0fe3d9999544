package main

import (
	"bytes"
	"context"
	"log/slog"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// journal is a log that goroutines write while a test reads it.
type journal struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (j *journal) Write(b []byte) (int, error) {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.text.Write(b)
}

func (j *journal) count(msg string) int {
	j.mu.Lock()
	defer j.mu.Unlock()
	return strings.Count(j.text.String(), msg)
}

// wrongly is a clock that can be set, and counts who read it while it was wrong.
type wrongly struct{ ahead, read atomic.Int64 }

func (w *wrongly) now() time.Time {
	d := w.ahead.Load()
	if d != 0 {
		w.read.Add(1)
	}
	return time.Now().Add(time.Duration(d))
}

// A node whose clock was 8 h ahead for a moment starts again with the right one. While it was
// ahead it was one incarnation, of which time never stepped back.
func TestADaemonWhoseClockWasAheadStartsAgain(t *testing.T) {
	var log journal
	var clock wrongly
	plans := 0
	again := func() (*plan, error) {
		plans++
		p, err := newPlan(defaults(), slog.New(slog.NewTextHandler(&log, nil)))
		if err == nil {
			p.node.Now = clock.now
		}
		return p, err
	}
	first, err := again()
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	done := make(chan error, 1)
	reloads := func(p *plan) *reloader { return newReloader(nil, nil, &options{}, p) }
	go func() { done <- serveOn(ctx, first, reloads, again) }()
	eventually(t, "it serves", func() bool { return log.count("ratelimitd serves") == 1 })
	clock.ahead.Store(int64(8 * time.Hour))
	eventually(t, "the node reads the wrong time", func() bool { return clock.read.Load() > 0 })
	if log.count("starting again") != 0 {
		t.Error("it starts again though its time is that of the clock")
	}
	clock.ahead.Store(0)
	eventually(t, "it serves again", func() bool { return log.count("ratelimitd serves") == 2 })
	if log.count("starting again under a new incarnation") != 1 || log.count("msg=stopped") != 1 {
		t.Errorf("it did not stop in order: %d, %d", log.count("starting again under a new incarnation"), log.count("msg=stopped"))
	}
	cancel()
	if err := <-done; err != nil || plans != 2 {
		t.Errorf("%d plans, %v", plans, err)
	}
}

func TestAGlanceAtAWrongWallClockStartsNothing(t *testing.T) {
	var l lookout
	for i, ahead := range []time.Duration{0, time.Hour, time.Hour, 0, time.Hour, time.Hour} {
		if l.rejoins(ahead) {
			t.Errorf("at look %d", i)
		}
	}
	if !l.rejoins(time.Hour) {
		t.Error("it counts apart for ever")
	}
}
