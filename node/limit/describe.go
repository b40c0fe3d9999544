package limit

import (
	"cmp"
	"fmt"
	"reflect"
	"strings"
	"time"
)

// String says on one line what the policy lets pass, and each field that is not its default.
// It counts overrides and names no client, so that it is fit for logs.
func (p Policy) String() string {
	p = p.WithDefaults()
	text := fmt.Sprintf("%d per %s", p.Limit, Span(p.Window))
	switch {
	case p.Access != Limited:
		text = p.Access.String()
	case p.Calendar != 0:
		text = fmt.Sprintf("%d per %v (%s)", p.Limit, p.Calendar, cmp.Or(p.TimeZone, "UTC"))
	case p.TimeZone != "" && p.TimeZone != "UTC":
		text += " (" + p.TimeZone + ")"
	}
	parts := []string{text}
	add := func(is bool, format string, v any) {
		if is {
			parts = append(parts, fmt.Sprintf(format, v))
		}
	}
	add(p.Access == Limited && p.Burst != p.Limit, "burst %d", p.Burst)
	add(p.Algorithm != GCRA, "%v", p.Algorithm)
	add(p.Resolution > 1, "resolution %d", p.Resolution)
	add(p.MaxOvershoot != DefaultMaxOvershoot, "max_overshoot %v", p.MaxOvershoot)
	add(p.OnIsolation != 0, "on_isolation %v", p.OnIsolation)
	add(p.Consistency != 0, "consistency %v", p.Consistency)
	add(p.MaxExcess != 0, "max_excess %v", p.MaxExcess)
	add(p.Hold != 0, "hold %v", shownHold(p.Hold))
	add(p.Shadow, "shadow%s", "")
	add(p.IDs != IDsBytes, "ids %v", p.IDs)
	add(p.IPv6Prefix != 0, "ipv6_prefix %d", p.IPv6Prefix)
	add(len(p.Overrides) > 0, "overrides %d", len(p.Overrides))
	return strings.Join(parts, ", ")
}

// Span is a length of time without its parts that are zero: 1h, not 1h0m0s.
func Span(d time.Duration) string {
	s := d.String()
	for _, zero := range []string{"m0s", "h0m"} {
		if strings.HasSuffix(s, zero) {
			s = s[:len(s)-2]
		}
	}
	return s
}

// Same reports whether two policies decide alike, whichever spelling each has of a default.
func (p Policy) Same(o Policy) bool { return reflect.DeepEqual(p.plain(), o.plain()) }

// plain is the policy in the one spelling that compares.
func (p Policy) plain() Policy {
	p = p.WithDefaults()
	if p.Calendar != 0 {
		p.Window = 0 // a node shows the longest that it can be
	}
	if len(p.Overrides) == 0 {
		p.Overrides = nil
	}
	return p.spelled()
}

// spelled gives the policy one of the spellings of each default that has two, so that policies which
// decide alike compare as equal.
func (p Policy) spelled() Policy {
	if p.TimeZone == "UTC" {
		p.TimeZone = ""
	}
	if p.Resolution == 1 {
		p.Resolution = 0
	}
	if p.Hold == DefaultHold {
		p.Hold = 0
	}
	return p
}

// Change says what a policy was and is, in words that differ if the policies do. nil is none.
func Change(was, is *Policy) (before, after string) {
	text := func(p *Policy) string {
		if p == nil {
			return "none"
		}
		return p.String()
	}
	before, after = text(was), text(is)
	if before == after && was != nil && !was.Same(*is) {
		after += ", in other words or for other clients"
	}
	return before, after
}
