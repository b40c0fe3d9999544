package spec

import (
	"errors"
	"fmt"
	"time"

	"github.com/distributed-rate-limiter/distributed-rate-limiter/node"
)

// Limit is one limit as it is written in JSON and YAML. Make one with NewLimit: the
// zero value has fields that are not supported.
type Limit struct {
	Limit        int64   `json:"limit"`
	Window       Window  `json:"window"` // seconds
	Burst        int64   `json:"burst"`
	Algorithm    string  `json:"algorithm"`
	Resolution   int64   `json:"resolution"`
	TimeZone     string  `json:"time_zone"`
	MaxOvershoot float64 `json:"max_overshoot"`
	OnIsolation  string  `json:"on_isolation"`
	Consistency  string  `json:"consistency"`
	Shadow       bool    `json:"shadow"`
}

// What the node does today; the fields are there because documents that name them
// must be refused by name, not misread.
const (
	onlyAlgorithm   = "gcra"
	onlyResolution  = 1
	onlyTimeZone    = "UTC"
	onlyConsistency = "eventual"
)

// NewLimit is a limit with everything at its default; limit and window have none.
func NewLimit() Limit {
	return Limit{
		Algorithm: onlyAlgorithm, Resolution: onlyResolution, TimeZone: onlyTimeZone,
		OnIsolation: node.IsolationKeep.String(), Consistency: onlyConsistency,
	}
}

// LimitOf writes a policy down.
func LimitOf(p node.Policy) Limit {
	l := NewLimit()
	l.Limit, l.Window, l.Burst, l.MaxOvershoot = p.Limit, Window(p.Window), p.Burst, p.MaxOvershoot
	l.OnIsolation = p.OnIsolation.String()
	return l
}

// Fields lists the limit's fields, for reading into it.
func (l *Limit) Fields() []Field {
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
	}
}

// Policy is what the limit says to a node. The error joins a *node.FieldError for
// each field at fault.
func (l *Limit) Policy() (node.Policy, error) {
	p := node.Policy{Limit: l.Limit, Window: time.Duration(l.Window), Burst: l.Burst, MaxOvershoot: l.MaxOvershoot}
	isolation := p.OnIsolation.UnmarshalText([]byte(l.OnIsolation))
	return p, errors.Join(
		only("algorithm", l.Algorithm, onlyAlgorithm),
		only("resolution", l.Resolution, onlyResolution),
		only("time_zone", l.TimeZone, onlyTimeZone),
		isolation,
		only("consistency", l.Consistency, onlyConsistency),
		only("shadow", l.Shadow, false),
		p.Validate(),
	)
}

func only[T comparable](field string, got, supported T) error {
	if got == supported {
		return nil
	}
	var value any = got
	if text, ok := value.(string); ok {
		value = Quote(text)
	}
	return &node.FieldError{Field: field, Value: value, Reason: fmt.Sprintf("not supported: must be %v", supported)}
}

// Faults takes joined and wrapped errors apart: every *node.FieldError in err, in
// order.
func Faults(err error) []*node.FieldError {
	switch e := err.(type) { //nolint:errorlint // it walks the tree itself, to find all and not just the first
	case *node.FieldError:
		return []*node.FieldError{e}
	case interface{ Unwrap() error }:
		return Faults(e.Unwrap())
	case interface{ Unwrap() []error }:
		var all []*node.FieldError
		for _, inner := range e.Unwrap() {
			all = append(all, Faults(inner)...)
		}
		return all
	}
	return nil
}
