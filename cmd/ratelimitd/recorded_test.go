package main

import (
	"bytes"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/distributed-rate-limiter/distributed-rate-limiter/node"
)

// recordedDir has the files of a state directory as this version writes them. They are written anew by
// go test ./cmd/ratelimitd -run Recorded -args -update. Once a version is released, its files never
// change: one that reads differently has another version.
const recordedDir = "testdata/recorded"

// recordedAt is when they were recorded.
var recordedAt = time.Date(2026, 11, 27, 6, 0, 0, 0, time.UTC)

// recordedNode is the configuration of the node that wrote them.
func recordedNode() node.Config {
	return node.Config{
		Name: "n1", Limit: 10, Window: time.Hour, Now: func() time.Time { return recordedAt },
		Limits: map[string]node.Policy{
			"day":     {Limit: 10, Window: 24 * time.Hour, Algorithm: node.FixedWindow},
			"sliding": {Limit: 10, Window: time.Hour, Algorithm: node.SlidingWindow, Resolution: 6},
			"local":   {Limit: 10, Window: time.Hour, Consistency: node.Local},
		},
	}
}

// clientsOf is how many clients use up each of the limits of recordedNode.
const clientsOf = 3

// writeState writes a state directory as a daemon does.
func writeState(t *testing.T) {
	t.Helper()
	dir := t.TempDir()
	s, err := openState(dir, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	defer s.close()
	n, err := node.Open(t.Context(), recordedNode())
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = n.Close() }()
	if _, err := n.SetLimit("set", node.Policy{Limit: 7, Window: time.Minute}); err != nil {
		t.Fatal(err)
	}
	for name := range recordedNode().Limits {
		for i := range clientsOf {
			n.Limiter(name).Take(fmt.Sprint("c", i), 10)
		}
	}
	_, keep := s.rosters()
	if err := keep([]byte(recordedRoster)); err != nil {
		t.Fatal(err)
	}
	s.save(n)
	s.saveMembers([]byte(recordedMembers))
	s.note(node.Run{Incarnation: 7, Began: recordedAt.Add(-time.Hour), Until: recordedAt, Left: true})
	openCounts(s, time.Minute, slog.New(slog.DiscardHandler)).save(n, func(int) error { return nil })
	if err := os.MkdirAll(recordedDir, 0o750); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{limitsFile, membersFile, rosterFile, runFile, countsFile} {
		text, err := os.ReadFile(filepath.Join(dir, name))
		if err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(recordedDir, name), text, 0o600); err != nil {
			t.Fatal(err)
		}
	}
}

// TestRecordedStateIsRead starts a node from files that were recorded: it knows all that they say.
func TestRecordedStateIsRead(t *testing.T) {
	if *update {
		writeState(t)
	}
	dir := t.TempDir()
	if err := os.CopyFS(dir, os.DirFS(recordedDir)); err != nil {
		t.Fatal(err)
	}
	var log bytes.Buffer
	s, err := openState(dir, slog.New(slog.NewTextHandler(&log, nil)))
	if err != nil {
		t.Fatal(err)
	}
	defer s.close()
	if run := s.lastRun(); run.Incarnation != 7 || !run.Left || !run.Until.Equal(recordedAt) || !run.Began.Equal(recordedAt.Add(-time.Hour)) {
		t.Errorf("the last run is %+v", run)
	}
	if got := string(s.members()); got != recordedMembers {
		t.Errorf("the members are %s", got)
	}
	cfg := recordedNode()
	cfg.Roster, cfg.Transport = []string{"n1", "n2"}, new(node.Memory).Transport()
	cfg.SavedRoster, _ = s.rosters()
	shared, err := node.Open(t.Context(), cfg)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = shared.Close() }()
	if r := shared.Stats().Roster; !r.Open || !slices.Equal(r.Members, []string{"n1", "n2"}) || !slices.Equal(r.StruckOff, []string{"n3"}) {
		t.Errorf("the roster is %+v", r)
	}
	cfg = recordedNode()
	cfg.Now = func() time.Time { return recordedAt.Add(time.Minute) }
	cfg.SavedLimits = s.load(func([]byte) error { return nil })
	cfg.SavedMembers = s.members()
	c := openCounts(s, time.Minute, s.log)
	c.bring(&cfg)
	done := make(chan error, 1)
	brought := cfg.CountsRestored
	cfg.CountsRestored = func(r node.Restored, err error) {
		brought(r, err)
		if want := uint64(clientsOf * len(cfg.Limits)); err == nil && (r.Clients != want || r.Lost > 0) {
			err = fmt.Errorf("%+v, want %d clients", r, want)
		}
		done <- err
	}
	n, err := node.Open(t.Context(), cfg)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = n.Close() }()
	if err := <-done; err != nil {
		t.Fatal(err)
	}
	if got := n.Limits()["set"]; got.Limit != 7 || got.Window != time.Minute {
		t.Errorf("the limit that was set is %+v", got)
	}
	for name := range cfg.Limits {
		for i := range clientsOf {
			if d := n.Limiter(name).Peek(fmt.Sprint("c", i), 2); d.Allowed {
				t.Errorf("client %d has %d left under %s", i, d.Remaining, name)
			}
		}
		if d := n.Limiter(name).Peek("other", 10); !d.Allowed {
			t.Errorf("another client has %d left under %s", d.Remaining, name)
		}
	}
	if bytes.Contains(log.Bytes(), []byte("level=ERROR")) {
		t.Error(log.String())
	}
}

// The recorded files name these other nodes.
const (
	recordedMembers = `{"version":1,"members":["n2","n3"]}`
	recordedRoster  = `{"version":1,"configured":["n1","n2"],"members":["n1","n2"],"removed":["n3"],"opened":true}`
)
