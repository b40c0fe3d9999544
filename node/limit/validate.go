package limit

import (
	"errors"
	"fmt"
	"time"

	"github.com/distributed-rate-limiter/distributed-rate-limiter/gcra"
)

// Validate reports every faulty field at once, each as a *FieldError, or nil.
func (p Policy) Validate() error {
	_, err := Compile(p)
	return err
}

// complete fills in defaults, and refuses fields that contradict each other. It reports
// each field once. It ignores overrides.
func (p Policy) complete() (Policy, error) {
	var faults []error
	refuse := func(field string, value any, reason string) {
		faults = append(faults, &FieldError{Field: field, Value: value, Reason: reason})
	}
	if p.MaxOvershoot < 0 || p.MaxOvershoot > 1 || p.MaxOvershoot != p.MaxOvershoot {
		refuse("max_overshoot", p.MaxOvershoot, "must be above 0 and at most 1, or 0 for the default")
	}
	if p.OnIsolation >= isolationEnd {
		refuse("on_isolation", p.OnIsolation, oneOf(isolationNames))
	}
	if p.Algorithm >= algorithmEnd {
		refuse("algorithm", p.Algorithm, oneOf(algorithmNames))
	}
	if p.Consistency >= consistencyEnd {
		refuse("consistency", p.Consistency, oneOf(consistencyNames))
	}
	faults = append(faults, p.bounded())
	if p.Access >= accessEnd {
		refuse("block", p.Access, oneOf(accessNames))
	}
	if p.IDs >= idsEnd {
		refuse("ids", p.IDs, "must be "+idsNames[0]+" or "+idsNames[1])
	}
	if p.IPv6Prefix < 0 || p.IPv6Prefix > 128 {
		refuse("ipv6_prefix", p.IPv6Prefix, "must be from 1 to 128, or 0 for the default")
	}
	windowed := p.Algorithm == FixedWindow || p.Algorithm == SlidingWindow
	if windowed && p.OnIsolation == IsolationShare {
		refuse("on_isolation", p.OnIsolation, "needs the algorithm gcra: a window cannot be drained at a share of its rate")
	}
	if windowed && p.Burst != 0 && p.Burst != p.Limit {
		refuse("burst", p.Burst, "is of gcra: with "+p.Algorithm.String()+" the whole limit may pass at once; leave it out")
	}
	if p.Algorithm != FixedWindow && p.Calendar != gcra.NoUnit {
		refuse("window", p.Calendar, "calendar windows need the algorithm fixed_window: give a number of seconds or a duration")
	}
	if p.Algorithm != FixedWindow && p.TimeZone != "" && p.TimeZone != "UTC" {
		refuse("time_zone", p.TimeZone, "needs the algorithm fixed_window, and a window of a day or longer")
	}
	switch {
	case p.Resolution < 0 || p.Resolution > MaxResolution:
		refuse("resolution", p.Resolution, fmt.Sprintf("must be from 1 to %d", MaxResolution))
	case p.Resolution > 1 && p.Algorithm != SlidingWindow:
		refuse("resolution", p.Resolution, "needs the algorithm sliding_window")
	}
	faults = append(faults, p.amounts())
	return p.spelled().WithDefaults(), errors.Join(faults...)
}

// amounts judges limit, window and burst.
func (p Policy) amounts() error {
	if p.Access != Limited && p.Limit == 0 && p.Window == 0 && p.Burst == 0 && p.Calendar == gcra.NoUnit {
		return nil
	}
	g := gcra.Policy{Limit: p.Limit, Window: p.Window, Burst: p.Burst}
	if p.Calendar != gcra.NoUnit {
		g.Window = time.Minute // stands in: complete and Rule.fix judge the calendar
	}
	switch p.Algorithm {
	case FixedWindow:
		// Rule.fix judges the window, because only gcra.NewPeriods knows which divide a day.
		g.Window, g.Burst = time.Minute, 0
	case SlidingWindow:
		g.Burst = 0
		if p.Window < time.Second && p.Window > 0 {
			return errors.Join(g.Validate(), &FieldError{Field: "window", Value: p.Window, Reason: "must be at least 1s for sliding_window"})
		}
	default:
	}
	if err := g.Validate(); err != nil {
		return err
	}
	if p.Algorithm != GCRA && p.Limit > mostPerWindow {
		return &FieldError{Field: "limit", Value: p.Limit, Reason: fmt.Sprintf("must be at most %d, the most that a window counts", int64(mostPerWindow))}
	}
	return nil
}

// Under moves the faults of err to where a request has them: a fault of field whole to path itself,
// every other one below it.
func Under(path, whole string, err error) error {
	var all []error
	for _, f := range FieldErrors(err) {
		at := path
		if f.Field != whole {
			at += "." + f.Field
		}
		all = append(all, &FieldError{Field: at, Value: f.Value, Reason: f.Reason})
	}
	return errors.Join(all...)
}

// FieldErrors takes joined errors apart: it lists the *FieldErrors of err's tree in order,
// and leaves every other error out.
func FieldErrors(err error) []*FieldError {
	if f, ok := err.(*FieldError); ok { //nolint:errorlint // it walks the tree itself
		return []*FieldError{f}
	}
	var all []*FieldError
	switch wrapper := err.(type) { //nolint:errorlint // it walks the tree itself
	case interface{ Unwrap() []error }:
		for _, inner := range wrapper.Unwrap() {
			all = append(all, FieldErrors(inner)...)
		}
	case interface{ Unwrap() error }:
		all = FieldErrors(wrapper.Unwrap())
	}
	return all
}
