package gcra

import (
	"errors"
	"fmt"
	"time"
)

// Ranges of a policy's fields. MaxUnits is the largest integer that survives a
// trip through JSON. MaxRate, in units per second, bounds what can be admitted in
// a counting window of a minute, or of 15 seconds if Window is shorter: Burst plus
// what drains meanwhile, at most 1<<54. MaxDepth keeps t + D(Burst) below Forever
// (February 2116), where origins saturate, until 2106.
const (
	MaxUnits  = 1 << 53
	MaxRate   = 1 << 49
	MinWindow = time.Millisecond
	MaxWindow = 366 * 24 * time.Hour
	MaxDepth  = 10 * MaxWindow
)

// Policy is one rate limit: Limit units of cost per Window, and at most Burst of them at
// once. The zero Policy is not valid, because a rate has no sensible default.
type Policy struct {
	// Limit is how many units drain per Window, 1 to MaxUnits, and at most MaxRate
	// per second.
	Limit int64
	// Window is the time in which Limit units drain, MinWindow to MaxWindow.
	Window time.Duration
	// Burst is the bucket's depth in units: how much may pass at one instant after
	// a pause. 0 means Limit. At most MaxUnits, and it must drain within MaxDepth.
	Burst int64
}

// FieldError says which field of a policy is faulty, and why.
type FieldError struct {
	Field  string // the field's name in lower case, as written in files and JSON
	Value  any    // what it was
	Reason string // what would have been right
}

// Error reads "burst -1: must be ...".
func (e *FieldError) Error() string {
	return fmt.Sprintf("%s %v: %s", e.Field, e.Value, e.Reason)
}

// WithDefaults returns p with Burst set to Limit if it was 0.
func (p Policy) WithDefaults() Policy {
	if p.Burst == 0 {
		p.Burst = p.Limit
	}
	return p
}

// Validate returns nil, or one error that joins all faults, each a *FieldError.
func (p Policy) Validate() error {
	var faults []error
	refuse := func(field string, value any, format string, args ...any) {
		faults = append(faults, &FieldError{Field: field, Value: value, Reason: fmt.Sprintf(format, args...)})
	}
	switch {
	case p.Limit == 0:
		refuse("limit", p.Limit, "must be at least 1, and cannot be left out")
	case p.Limit < 0 || p.Limit > MaxUnits:
		refuse("limit", p.Limit, "must be from 1 to %d", int64(MaxUnits))
	}
	switch {
	case p.Window == 0:
		refuse("window", p.Window, "must be from %v to %v, and cannot be left out", MinWindow, MaxWindow)
	case p.Window < MinWindow || p.Window > MaxWindow:
		refuse("window", p.Window, "must be from %v to %v", MinWindow, MaxWindow)
	}
	if p.Burst < 0 || p.Burst > MaxUnits {
		refuse("burst", p.Burst, "must be from 1 to %d, or 0 for the limit", int64(MaxUnits))
	}
	if len(faults) == 0 {
		r := newRate(uint64(p.Limit), uint64(p.Window))
		if r.units(int64(time.Second)) > MaxRate {
			refuse("limit", p.Limit, "must be at most %d per second, not per %v", int64(MaxRate), p.Window)
		}
		if burst := p.WithDefaults().Burst; r.drain(uint64(burst)) > int64(MaxDepth) {
			refuse("burst", burst, "would take longer than %v to drain at %d per %v", MaxDepth, p.Limit, p.Window)
		}
	}
	return errors.Join(faults...)
}
