package limit

import (
	"fmt"
	"testing"
)

// Thousands of overrides read their zone once, and lay their windows out alike.
func TestOverridesShareTheirLimitsCalendar(t *testing.T) {
	p := Policy{Algorithm: FixedWindow, Limit: 10, Calendar: 6, TimeZone: "Europe/Berlin"}
	for i := range 2000 {
		p.Overrides = append(p.Overrides, Override{Clients: []string{fmt.Sprintf("c%d", i)}, Limit: 5})
	}
	p.Overrides = append(p.Overrides, Override{Clients: []string{"daily"}, Calendar: 4})
	c, err := Compile(p)
	if err != nil {
		t.Fatal(err)
	}
	if got := c.Rules[1].calendar; got == nil || got != c.Rules[2000].calendar || got != c.Rules[0].calendar {
		t.Error("each has a calendar of its own")
	}
	if got := len(c.Frames); got != 2 {
		t.Errorf("%d kinds of windows, want 2", got)
	}
}
