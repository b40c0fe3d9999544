package main

import (
	"bytes"
	"log/slog"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/distributed-rate-limiter/distributed-rate-limiter/node"
)

// told counts what it is configured with.
type told []map[string]node.Policy

func (c *told) Configure(limits map[string]node.Policy) (time.Time, error) {
	*c = append(*c, limits)
	return time.Time{}, nil
}

func (c *told) Stats() node.Stats { return node.Stats{} }

func TestAReloadSaysOnlyWhatIsNewAndRight(t *testing.T) {
	path := write(t, "c.yaml", "limit: 10\n")
	by := call{args: []string{"-config", path}}
	o, err := parse(by)
	if err != nil {
		t.Fatal(err)
	}
	log := slog.New(slog.DiscardHandler)
	p, err := newPlan(&o.settings, log)
	if err != nil {
		t.Fatal(err)
	}
	var c told
	r := newReloader(by, &o, p)
	r.node = &c
	if changed, err := r.take(); err != nil || len(changed) > 0 || len(c) > 0 {
		t.Errorf("without a change: %v, %v, told %d times", changed, err, len(c))
	}
	for text, want := range map[string]string{
		"": "is empty", "cluster: a.b\n": "cluster", "max_clients: 0\n": "max_clients", "log_level: loud\n": "log_level",
		"admin_token_file: /nosuch\n": "admin_token_file", "limit: 0\n": "limit",
	} {
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		if _, err := r.take(); err == nil || !strings.Contains(err.Error(), want) || len(c) > 0 {
			t.Errorf("%q: %v, told %d times", text, err, len(c))
		}
	}
	if err := os.WriteFile(path, []byte("limit: 20\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if changed, err := r.take(); err != nil || len(changed) != 1 || len(c) != 1 {
		t.Errorf("a change: %v, %v, told %d times", changed, err, len(c))
	}
	var told bytes.Buffer
	r.plan.log = slog.New(slog.NewTextHandler(&told, nil))
	doubtful := "limit: 20\nlimits: {x: {limit: 1, window: 1, overrides: [{client: 010.0.0.1, limit: 2}]}}\n"
	if err := os.WriteFile(path, []byte(doubtful), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := r.take(); err != nil || !strings.Contains(told.String(), "limits.x.overrides[0].client") {
		t.Errorf("a selector that can hardly be meant: %v, told %s", err, told.String())
	}
	ahead := time.Now().Add(time.Hour)
	if err := os.Chtimes(path, ahead, ahead); err != nil {
		t.Fatal(err)
	}
	if at := modified(path); at.After(time.Now()) {
		t.Errorf("a file from the future is taken for %v", at)
	}
}
