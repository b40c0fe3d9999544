package node

import (
	"fmt"
	"testing"
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
