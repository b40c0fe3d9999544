package main

import (
	"bytes"
	"context"
	"log/slog"
	"os"
	"path/filepath"
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
// ahead it was one incarnation, of which time never stepped back. It goes on with what it took over
// last, although all its files are faulty by then.
func TestADaemonWhoseClockWasAheadStartsAgain(t *testing.T) {
	var log journal
	var clock wrongly
	dir := t.TempDir()
	write := func(name, text string) string {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	if err := os.Mkdir(filepath.Join(dir, "rules"), 0o700); err != nil {
		t.Fatal(err)
	}
	write("rules/edge.yaml", envoyRules)
	by := call{args: []string{
		"-config", write("c.yaml", "limit: 100\n"), "-envoy-config", filepath.Join(dir, "rules"),
		"-http", "127.0.0.1:0", "-grpc", "127.0.0.1:0", "-admin-token-file", write("token", "admin-0123456789abcdef"),
	}}
	o, err := parse(by)
	if err != nil {
		t.Fatal(err)
	}
	p, err := newPlan(&o.settings, slog.New(slog.NewTextHandler(&log, nil)))
	if err != nil {
		t.Fatal(err)
	}
	p.node.Now = clock.now
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	done := make(chan error, 1)
	go func() { done <- serveOn(ctx, p, newReloader(by, &o, p)) }()
	eventually(t, "it serves", func() bool { return log.count("ratelimitd serves") == 1 })
	write("c.yaml", "limit: 7\n")
	eventually(t, "it takes the file over", func() bool { return log.count("configuration reloaded") == 1 })
	write("rules/more.yaml", "domain: more\n")
	eventually(t, "it takes the rules over", func() bool { return log.count("Envoy's rules reloaded") == 1 })
	write("rules/edge.yaml", "descriptorz: []\n")
	write("c.yaml", "limit: many\n")
	write("token", "")
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
	if err := <-done; err != nil {
		t.Error(err)
	}
	if got := p.node.Limits["default"].Limit; got != 7 || p.node.ConfiguredAt.IsZero() {
		t.Errorf("the limit is %d, configured at %v", got, p.node.ConfiguredAt)
	}
	if got := p.envoy.service.Rules(); got == nil || got.Domains() != 2 {
		t.Errorf("the rules are %+v", got)
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
