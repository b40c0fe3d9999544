package spec

import (
	"fmt"

	"github.com/distributed-rate-limiter/distributed-rate-limiter/node"
)

// Limit is one limit as JSON and YAML write it. In the zero value, every field has its
// default; limit and window have none. To write out Resolution and TimeZone, make the Limit
// with LimitOf.
//
// A GET shows the first ten fields always, with their defaults filled in, so that nobody has to look
// them up. It shows the others only if somebody set them. docs/limits.md explains each.
type Limit struct {
	Limit        int64            `json:"limit"`
	Window       Window           `json:"window"` // seconds, or a unit's name
	Burst        int64            `json:"burst"`
	Algorithm    node.Algorithm   `json:"algorithm"`
	Resolution   int              `json:"resolution"`
	TimeZone     string           `json:"time_zone"`
	MaxOvershoot float64          `json:"max_overshoot"`
	OnIsolation  node.OnIsolation `json:"on_isolation"`
	Consistency  node.Consistency `json:"consistency"`
	Shadow       bool             `json:"shadow"`
	MaxExcess    float64          `json:"max_excess,omitempty"`
	Hold         Hold             `json:"hold,omitzero"`
	Block        bool             `json:"block,omitempty"`
	Unlimited    bool             `json:"unlimited,omitempty"`
	IDs          node.IDs         `json:"ids,omitempty"`
	IPv6Prefix   int              `json:"ipv6_prefix,omitempty"`
	Overrides    Overrides        `json:"overrides,omitempty"`
}

// The written forms of defaults that a policy leaves empty. A policy has one form for each meaning, so
// that nodes can compare two policies; a document shows what holds.
const (
	defaultResolution = 1
	defaultTimeZone   = "UTC"
)

// LimitOf is the written form of a policy. It shares the overrides with the policy.
func LimitOf(p node.Policy) Limit {
	l := Limit{
		Limit: p.Limit, Window: windowOf(p.Window, p.Calendar), Burst: p.Burst, Algorithm: p.Algorithm,
		Resolution: p.Resolution, TimeZone: p.TimeZone, MaxOvershoot: p.MaxOvershoot, OnIsolation: p.OnIsolation,
		Consistency: p.Consistency, Shadow: p.Shadow, Block: p.Access == node.Blocked, Unlimited: p.Access == node.Unlimited,
		MaxExcess: p.MaxExcess, Hold: Hold{p.Hold}, IDs: p.IDs, IPv6Prefix: p.IPv6Prefix, Overrides: p.Overrides,
	}
	if l.Algorithm != node.GCRA && l.Burst == 0 {
		l.Burst = l.Limit // a window lets all of it pass at once
	}
	if l.Resolution == 0 {
		l.Resolution = defaultResolution
	}
	if l.TimeZone == "" {
		l.TimeZone = defaultTimeZone
	}
	return l
}

// Policy is the limit as a node takes it. Nobody has judged it: node.Policy.Validate does.
func (l *Limit) Policy() node.Policy {
	p := node.Policy{
		Algorithm: l.Algorithm, Limit: l.Limit, Window: l.Window.Duration, Calendar: l.Window.Calendar,
		TimeZone: l.TimeZone, Resolution: l.Resolution, Burst: l.Burst, MaxOvershoot: l.MaxOvershoot,
		OnIsolation: l.OnIsolation, Consistency: l.Consistency, Access: accessOf(l.Block, l.Unlimited), Shadow: l.Shadow,
		MaxExcess: l.MaxExcess, Hold: l.Hold.Duration, IDs: l.IDs, IPv6Prefix: l.IPv6Prefix, Overrides: l.Overrides,
	}
	if p.Algorithm != node.GCRA && p.Burst == p.Limit {
		p.Burst = 0 // as LimitOf writes it: windows have no burst of their own
	}
	if p.Resolution == defaultResolution {
		p.Resolution = 0
	}
	if p.TimeZone == defaultTimeZone {
		p.TimeZone = ""
	}
	return p
}

// Example is a limit as messages show it.
const Example = `{"limit": 100, "window": 60}`

// Limit reads a limit. base finds the limit that it uses. The result makes sense only if the reader
// found no fault.
func (r *Reader) Limit(path string, v Value, base Base) Limit {
	var l Limit
	if m, found := v.member("use"); found {
		l, _ = r.use(Join(path, "use"), m.Value, base)
	}
	var overrides *Value
	fields := append(l.fields(), Field{"use", ignore}, Field{"overrides", func(_ *Reader, _ string, v Value) { overrides = &v }})
	r.rate(path, v, &l, func(at string, m Member) bool { return r.Member(at, m, fields) })
	if overrides != nil {
		// Last, because the limit's algorithm decides what they may use, wherever it stands.
		l.Overrides = r.overrides(Join(path, "overrides"), *overrides, l.Algorithm, base)
	}
	return l
}

// Inline reads a policy that comes with a request. It refuses the fields that need a configured limit:
// "use" and "overrides", and the settings that have one value for all inline policies.
func (r *Reader) Inline(path string, v Value) Limit {
	var l Limit
	fields := l.fields()
	fields = fields[:len(fields)-2] // without ids and ipv6_prefix
	r.rate(path, v, &l, func(at string, m Member) bool {
		switch m.Name {
		case "use", "overrides", "ids", "ipv6_prefix", "max_excess", "hold":
			r.Refuse(m.Line, at, "is given", "must be left out of a policy that comes with a request")
			return false
		}
		if !r.Member(at, m, fields) {
			return false
		}
		switch {
		case m.Name == "time_zone" && l.TimeZone != defaultTimeZone:
			r.Refuse(m.Value.Line, at, Quote(l.TimeZone), "must be "+defaultTimeZone+" in a policy that comes with a request")
		case m.Name == "consistency" && l.Consistency == node.Bounded:
			r.Refuse(m.Value.Line, at, Quote(l.Consistency.String()), "must be eventual or local in a policy that comes with a request: configure a bounded limit on all nodes")
		case m.Name == "max_overshoot" && l.MaxOvershoot != node.DefaultMaxOvershoot:
			r.Refuse(m.Value.Line, at, l.MaxOvershoot, fmt.Sprintf("must be %v in a policy that comes with a request", node.DefaultMaxOvershoot))
		default:
			return true
		}
		return false
	})
	return l
}

// rate reads the members of a mapping into l, by member, which reports whether one has no fault. Then
// it judges block, unlimited and a limit of 0 together.
func (r *Reader) rate(path string, v Value, l *Limit, member func(at string, m Member) bool) {
	var given access
	r.Mapping(path, v, Example, func(at string, m Member) {
		if member(at, m) {
			given.note(m)
		}
	})
	l.Block, l.Unlimited = r.access(path, given, l.Block, l.Unlimited)
	if given.zero != nil && !l.Block && !l.Unlimited {
		r.refuseZero(path, given)
	}
}

// ignore takes a member that somebody else has read.
func ignore(*Reader, string, Value) {}

// fields are the fields that a limit has for itself. ids and ipv6_prefix come last: see Inline.
func (l *Limit) fields() []Field {
	return []Field{
		{"limit", &l.Limit},
		{"window", &l.Window},
		{"burst", &l.Burst},
		{"algorithm", &l.Algorithm},
		{"resolution", &l.Resolution},
		{"time_zone", &l.TimeZone},
		{"max_overshoot", &l.MaxOvershoot},
		{"on_isolation", &l.OnIsolation},
		{"consistency", &l.Consistency},
		{"shadow", &l.Shadow},
		{"max_excess", &l.MaxExcess},
		{"hold", &l.Hold},
		{"block", &l.Block},
		{"unlimited", &l.Unlimited},
		{"ids", &l.IDs},
		{"ipv6_prefix", &l.IPv6Prefix},
	}
}
