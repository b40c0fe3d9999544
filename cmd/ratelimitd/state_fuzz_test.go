package main

import (
	"bytes"
	"encoding/json"
	"log/slog"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/distributed-rate-limiter/distributed-rate-limiter/node"
)

// FuzzStateFiles starts a node on files that anybody may have damaged. What cannot be used changes
// nothing: the node starts, decides by what is configured, and saves files that the next one reads.
func FuzzStateFiles(f *testing.F) {
	good, err := seal([]byte(`{"version":2,"limits":[]}`))
	if err != nil {
		f.Fatal(err)
	}
	for _, limits := range [][]byte{good, good[:len(good)/2], []byte(`{"version":3}`), []byte(`{"version":1,"saved":{}}`), []byte("\x00\xff"), nil, []byte("null")} {
		f.Add(limits, []byte(`{"version":1,"members":["n2"]}`), []byte(`2026-01-01T00:00:00Z`))
		f.Add(limits, []byte(`{"version":9}`), []byte(`{"version":1,"ran":"2026-01-01T00:00:00Z"}`))
	}
	f.Add(good, []byte(`{"version":1,"members":["*",">",""]}`), []byte(`-1`))
	f.Fuzz(func(t *testing.T, limits, members, lastRun []byte) {
		dir := t.TempDir()
		probe, err := openState(dir, slog.New(slog.DiscardHandler))
		if err != nil {
			t.Fatal(err)
		}
		probe.close()
		for name, text := range map[string][]byte{limitsFile: limits, membersFile: members, runFile: lastRun} {
			if err := os.WriteFile(filepath.Join(dir, name), text, 0o600); err != nil {
				t.Fatal(err)
			}
		}
		s, err := openState(dir, slog.New(slog.DiscardHandler))
		if err != nil {
			t.Fatal(err)
		}
		defer s.close()
		cfg := node.Config{Name: "n", Limit: 10, Window: time.Minute}
		cfg.LastRun, cfg.SavedMembers = s.lastRun(), s.members()
		cfg.SavedLimits = s.load(func(text []byte) error {
			judged := node.Config{Name: "n", Limit: 10, Window: time.Minute, SavedLimits: text}
			n, err := node.Open(t.Context(), judged)
			if err != nil {
				return err
			}
			return n.Close()
		})
		n, err := node.Open(t.Context(), cfg)
		if err != nil {
			t.Fatalf("a file that was taken for good keeps the node from starting: %v", err)
		}
		defer n.Close()
		if d := n.Take("alice", 1); d.Limit != "default" {
			t.Errorf("%+v", d)
		}
		text, err := seal(n.SaveLimits())
		if err != nil {
			t.Fatal(err)
		}
		if saved, err := unseal(text); err != nil || !json.Valid(saved) || !bytes.Contains(text, []byte(`"sha256"`)) {
			t.Errorf("what is saved cannot be read: %v", err)
		}
	})
}
