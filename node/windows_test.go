package node

import (
	"fmt"
	"testing"
	"time"
)

// Peers compare digests by window: thousands of overrides with one calendar are one window.
func TestOverridesShareTheirLimitsWindows(t *testing.T) {
	p := Policy{Algorithm: FixedWindow, Limit: 10, Calendar: 6, TimeZone: "Europe/Berlin"}
	for i := range 2000 {
		p.Overrides = append(p.Overrides, Override{Clients: []string{fmt.Sprintf("c%d", i)}, Limit: 5})
	}
	p.Overrides = append(p.Overrides, Override{Clients: []string{"daily"}, Calendar: 4})
	n := fixed(t, Config{Limits: map[string]Policy{DefaultLimit: p}})
	if got := len(n.table.Windows(n.now())); got != 4 {
		t.Errorf("%d windows, want 4", got)
	}
}

// fixed is a node whose time stands still.
func fixed(t *testing.T, cfg Config) *Node {
	t.Helper()
	now := time.Unix(1_700_000_040, 0)
	cfg.Name, cfg.Now = "a", func() time.Time { return now }
	n, err := build(cfg, 1)
	if err != nil {
		t.Fatal(err)
	}
	return n
}
