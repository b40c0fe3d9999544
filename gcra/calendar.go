package gcra

import (
	"errors"
	"fmt"
	"time"
)

const (
	day  = 24 * time.Hour
	week = 7 * day

	monday = int64(4 * day) // 1970 began on a Thursday
)

// Periods divides time into calendar windows. Each starts where the one before it ends. It
// is immutable and safe for concurrent use. Make one with NewPeriods; the zero value is not
// usable.
//
// A window of a day or longer starts at the first instant at which the clocks of its zone
// show its first midnight, or have jumped over it. So every instant lies in one window,
// whatever the clocks do. A day may have 23 or 25 hours. An hour that comes twice counts in
// one day. A date that a zone left out has no window.
//
// Instants are unix nanoseconds from Never to Forever. An instant beyond lies in no window,
// and the methods answer with the first or the last. Zones change their clocks from 1968 to
// 2117 only.
type Periods struct {
	width             int64 // of each window, 0 if they differ
	phase             int64 // where one of them starts, if all have one width
	shortest, longest time.Duration

	// Of windows that differ:
	unit    Unit    // Day to Year
	offsets offsets // the zone's
}

// NewPeriods returns the windows of one width, or of one calendar unit; give exactly one of
// the two. A width is at least 1 s and divides a day evenly, or is a day or a week. Weeks
// start on Monday. zone is the IANA name of the zone whose midnights count, and "" means
// UTC. Windows below a day have no other zone than UTC. NewPeriods looks the zone up in the
// system's time zone database.
//
// The error joins all faults, each a *FieldError.
func NewPeriods(window time.Duration, unit Unit, zone string) (*Periods, error) {
	fault := checkPeriod(window, unit)
	location, zoneFault := checkZone(zone)
	small := unit == Second || unit == Minute || unit == Hour || unit == NoUnit && window != 0 && window < day
	if zoneFault == nil && small && location != time.UTC {
		zoneFault = refuseZone(zone, "windows below a day are aligned to UTC: leave it out")
	}
	var faults []error
	for _, f := range []*FieldError{fault, zoneFault} {
		if f != nil {
			faults = append(faults, f)
		}
	}
	if len(faults) > 0 {
		return nil, errors.Join(faults...)
	}
	return newPeriods(window, unit, location), nil
}

// newPeriods takes what NewPeriods has checked.
func newPeriods(window time.Duration, unit Unit, location *time.Location) *Periods {
	switch {
	case unit == Second:
		window = time.Second
	case unit == Minute:
		window = time.Minute
	case unit == Hour:
		window = time.Hour
	case unit == Day || window == day:
		unit, window = Day, day
	case unit == Week || window == week:
		unit, window = Week, week
	}
	p := &Periods{unit: unit, shortest: window, longest: window}
	switch unit {
	case Month:
		p.shortest, p.longest = 28*day, 31*day
	case Year:
		p.shortest, p.longest = 365*day, 366*day
	}
	if location == time.UTC && unit != Month && unit != Year {
		p.width = int64(window)
		if unit == Week {
			p.phase = monday
		}
		return p
	}
	p.offsets = offsetsOf(location)
	if location != time.UTC {
		p.shortest -= zoneSlack
		if unit != Day {
			p.shortest += zoneSlack - day // with a date left out
		}
		p.longest = min(p.longest+zoneSlack, MaxWindow)
	}
	return p
}

func checkPeriod(window time.Duration, unit Unit) *FieldError {
	refuse := func(reason string, args ...any) *FieldError {
		return &FieldError{Field: "window", Value: window, Reason: fmt.Sprintf(reason, args...)}
	}
	switch {
	case unit >= unitEnd:
		return &FieldError{Field: "window", Value: unit, Reason: "must be second, minute, hour, day, week, month or year"}
	case unit != NoUnit && window != 0:
		return &FieldError{Field: "window", Value: unit, Reason: fmt.Sprintf("cannot go with window %v: leave one of them out", window)}
	case unit != NoUnit:
		return nil
	case window == 0:
		return refuse("must be given, or calendar instead of it")
	case window < time.Second:
		return refuse("must be at least 1s")
	case window == week || window <= day && day%window == 0:
		return nil
	case window < day:
		below, above := divisors(window)
		return refuse("must divide a day evenly: %v and %v do", below, above)
	case window >= 28*day && window <= 31*day:
		return refuse("months differ in length: write calendar month instead")
	case window >= 365*day && window <= 366*day:
		return refuse("years differ in length: write calendar year instead")
	}
	return refuse("must divide a day evenly, or be 24h or 168h (longer: calendar month, calendar year)")
}

// divisors are the whole seconds next to window, which lies between 1 s and a day, into
// which a day divides.
func divisors(window time.Duration) (below, above time.Duration) {
	below = window.Truncate(time.Second)
	for day%below != 0 {
		below -= time.Second
	}
	above = window.Truncate(time.Second) + time.Second
	for day%above != 0 {
		above += time.Second
	}
	return below, above
}

// zoneSlack is the most by which a zone has set its clocks at once since 1995 without crossing
// the date line. Antarctica/Casey does it often. A crossing leaves out a whole date.
const zoneSlack = 3 * time.Hour

// Shortest is a lower bound of the windows' lengths since 1995.
func (p *Periods) Shortest() time.Duration { return p.shortest }

// Longest is an upper bound of the windows' lengths since 1995, but at most MaxWindow. A
// leap year in which a zone set its clocks back for good is longer than MaxWindow by that.
func (p *Periods) Longest() time.Duration { return p.longest }

// Start is the instant at which the window that contains t starts.
func (p *Periods) Start(t int64) int64 {
	if p.width > 0 {
		return p.phase + floor(t-p.phase, p.width)
	}
	start, _ := p.find(t)
	return start
}

// End is the instant at which the window that contains t ends and the next one starts.
func (p *Periods) End(t int64) int64 {
	if p.width > 0 {
		return p.phase + floor(t-p.phase, p.width) + p.width
	}
	_, end := p.find(t)
	return end
}

// floor is the largest multiple of width, which is positive, that is not above t.
func floor(t, width int64) int64 {
	r := t % width
	if r < 0 {
		r += width
	}
	return t - r
}

// find is the window that contains t: the last one that starts at or before t.
func (p *Periods) find(t int64) (start, end int64) {
	// Far beyond, dates would overflow and never reach t. The windows around the first
	// and the last instant are still whole.
	t = min(max(t, Never-2*int64(MaxWindow)), Forever+2*int64(MaxWindow))
	i := p.offsets.at(t)
	date := p.first(t + p.offsets[i].value)
	start = p.begins(date, i)
	for {
		date = p.next(date)
		end = p.begins(date, i)
		// As a rule at once. Not if clocks were set back over midnight, into the date
		// before: the window of that midnight has started. Nor if a date was left out.
		if t < end {
			return start, end
		}
		start = end
	}
}

// first is the date that begins the unit that contains the local time. Dates are unix
// nanoseconds of their midnight in UTC, whatever the zone.
func (p *Periods) first(local int64) int64 {
	switch p.unit {
	case Month:
		year, month, _ := time.Unix(0, local).UTC().Date()
		return date(year, month)
	case Year:
		return date(time.Unix(0, local).UTC().Year(), time.January)
	case Week:
		return monday + floor(local-monday, int64(week))
	}
	return floor(local, int64(day))
}

// next is the date that begins the unit after the one that first begins.
func (p *Periods) next(first int64) int64 {
	switch p.unit {
	case Month:
		year, month, _ := time.Unix(0, first).UTC().Date()
		return date(year, month+1)
	case Year:
		return date(time.Unix(0, first).UTC().Year()+1, time.January)
	case Week:
		return first + int64(week)
	}
	return first + int64(day)
}

// date is the first of a month; month 13 is the next year's first.
func date(year int, month time.Month) int64 {
	return time.Date(year, month, 1, 0, 0, 0, 0, time.UTC).UnixNano()
}

// begins is the first instant at which clocks in the zone show the midnight that begins
// date, or a later time. i is the index of an offset near it, to start from.
func (p *Periods) begins(date int64, i int) int64 {
	// No zone is a day away from UTC: the clocks show an earlier time until date - day.
	for p.offsets[i].from > date-int64(day) {
		i--
	}
	for i+1 < len(p.offsets) && date-p.offsets[i].value >= p.offsets[i+1].from {
		i++
	}
	return max(date-p.offsets[i].value, p.offsets[i].from) // the latter if they jumped over it
}
