package limits

import (
	"strings"
	"testing"
	"time"

	"github.com/distributed-rate-limiter/distributed-rate-limiter/node/limit"
)

func TestAnInlinePolicyIsItsName(t *testing.T) {
	for _, p := range []limit.Policy{
		{Limit: 1, Window: time.Millisecond},
		{Limit: 1 << 52, Window: 366 * 24 * time.Hour, Burst: 1 << 50},
		{Algorithm: limit.FixedWindow, Limit: 1 << 50, Calendar: 7, Consistency: limit.Local, Shadow: true, OnIsolation: limit.IsolationClosed},
		{Algorithm: limit.SlidingWindow, Limit: 1 << 50, Window: 366*24*time.Hour - 1, Resolution: 60},
		{Access: limit.Blocked},
	} {
		if err := p.Validate(); err != nil {
			t.Fatal(err)
		}
		c, ok := inlineOf(&p)
		if !ok {
			t.Fatalf("%+v", p)
		}
		name := c.name()
		if len(name) > 64 {
			t.Errorf("%s is too long for a message", name)
		}
		if back, err := parseInline(name); err != nil || back != c {
			t.Errorf("%s: %+v, %v, want %+v", name, back, err, c)
		}
	}
}

// A name from a peer makes one limit of a valid policy, or none.
func FuzzInlineName(f *testing.F) {
	c, _ := inlineOf(&limit.Policy{Limit: 100, Window: time.Minute, Burst: 7})
	for _, seed := range []string{c.name(), "~", "~.........", "~1.4.....2s..", "~zzzzzzzzzzzzzzzzzzzzz.........", "~0.........", "~-1.........", "~......-..."} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, name string) {
		g := newRegistry(t, nil, 0)
		l := g.OnWire(now, 7, inlineMark+strings.TrimPrefix(name, inlineMark))
		if l == nil {
			return
		}
		if l.Name != inlineMark+strings.TrimPrefix(name, inlineMark) {
			t.Errorf("%q made the limit %q", name, l.Name)
		}
		if err := l.Newest().Policy.Validate(); err != nil {
			t.Errorf("%q: %v", name, err)
		}
	})
}

// Requests may come with any number of widths, and beats list the windows of each.
func TestInlineLimitsHaveFewWidths(t *testing.T) {
	g := newRegistry(t, nil, 0)
	widths := map[time.Duration]bool{}
	for seconds := range 100 {
		l, err := g.Inline(now, "", "", &limit.Policy{Limit: 5, Window: time.Duration(seconds+1) * time.Second})
		if err != nil {
			t.Fatal(err)
		}
		r := l.Newest()
		if len(r.Frames) != 1 || r.Frames[0].Width != r.Rules[0].Frame.Width {
			t.Fatalf("%d s: clients are counted in windows of %v, and compared in %+v", seconds+1, time.Duration(r.Rules[0].Frame.Width), r.Frames)
		}
		widths[time.Duration(r.Frames[0].Width)] = true
	}
	if len(widths) != 3 {
		t.Errorf("widths %v, want 3", widths)
	}
}
