package node

import (
	"fmt"
	"testing"
)

// Thousands of overrides read their zone once, and are one window to compare digests of.
func TestOverridesShareTheirLimitsCalendar(t *testing.T) {
	p := Policy{Algorithm: FixedWindow, Limit: 10, Calendar: 6, TimeZone: "Europe/Berlin"}
	for i := range 2000 {
		p.Overrides = append(p.Overrides, Override{Clients: []string{fmt.Sprintf("c%d", i)}, Limit: 5})
	}
	p.Overrides = append(p.Overrides, Override{Clients: []string{"daily"}, Calendar: 4})
	n := fixed(t, Config{Limits: map[string]Policy{DefaultLimit: p}})
	r := n.limits.get("").newest()
	if got := r.rules[1].calendar; got != r.rules[2000].calendar || got != r.rules[0].calendar {
		t.Error("each has a calendar of its own")
	}
	if got := len(r.frames); got != 2 {
		t.Errorf("%d kinds of windows, want 2", got)
	}
	if got := len((store{n}).Windows(n.now())); got != 4 {
		t.Errorf("%d windows, want 4", got)
	}
}
