package spec

import (
	"errors"
	"math"
	"regexp"
	"strconv"
	"strings"
	"time"

	"github.com/distributed-rate-limiter/distributed-rate-limiter/node"
)

// Window is a length of time as users write it: a plain number of seconds (60, 0.5),
// a duration (1m, 500ms), or a unit of calendar time (day). One of the two is zero.
type Window struct {
	Duration time.Duration
	Calendar node.Calendar
}

// windowForms tells in every message which values are right, because the forms are many.
const windowForms = "must be a number of seconds, a duration such as 90s, 500ms or 1h, or one of second, minute, hour, day, week, month and year"

var (
	errWindow = errors.New(windowForms)
	// A day is no duration: it has 23 or 25 hours where clocks change, and a duration does
	// not say when it begins.
	errDays = errors.New("has a unit that is none of a duration: write 24h for a length of time, or day, week, month or year for one of the calendar")

	inDays  = regexp.MustCompile(`^[0-9.]+ ?(d|w|mo|M|y|days?|weeks?|months?|years?)$`)
	decimal = regexp.MustCompile(`^(-?)([0-9]{1,10})(?:\.([0-9]{1,9}))?$`)
)

// mostSeconds is the most seconds that fit into a Duration. More would overflow silently.
const mostSeconds = math.MaxInt64/int64(time.Second) - 1

// ParseWindow reads a window of any length: the policy judges the range. The error says
// what would be right.
func ParseWindow(text string) (Window, error) {
	var unit node.Calendar
	if text != "" && unit.UnmarshalText([]byte(text)) == nil {
		return Window{Calendar: unit}, nil
	}
	if d, ok := exactSeconds(text); ok {
		return Window{Duration: d}, nil
	}
	if seconds, err := strconv.ParseFloat(text, 64); err == nil {
		if seconds != seconds || math.Abs(seconds) > float64(mostSeconds) {
			return Window{}, errWindow
		}
		whole, part := math.Modf(seconds) // apart, so that whole seconds stay exact
		return Window{Duration: time.Duration(int64(whole)*int64(time.Second) + int64(math.Round(part*float64(time.Second))))}, nil
	}
	d, err := time.ParseDuration(text)
	switch {
	case err == nil:
		return Window{Duration: d}, nil
	case inDays.MatchString(text):
		return Window{}, errDays
	default:
		return Window{}, errWindow
	}
}

// exactSeconds reads the numbers that MarshalJSON writes, so that a window reads back as it was. A
// float would not do: it has too few digits for months in nanoseconds.
func exactSeconds(text string) (time.Duration, bool) {
	m := decimal.FindStringSubmatch(text)
	if m == nil {
		return 0, false
	}
	whole, err := strconv.ParseInt(m[2], 10, 64)
	if err != nil || whole > mostSeconds {
		return 0, false
	}
	part, err := strconv.ParseInt((m[3] + "000000000")[:9], 10, 64)
	if err != nil {
		return 0, false
	}
	d := time.Duration(whole)*time.Second + time.Duration(part)
	if m[1] != "" {
		d = -d
	}
	return d, true
}

// String is the shortest form that ParseWindow reads back.
func (w Window) String() string {
	switch {
	case w.Calendar != 0:
		return w.Calendar.String()
	case w.Duration%time.Second == 0:
		return strconv.FormatInt(int64(w.Duration/time.Second), 10)
	default:
		return w.Duration.String()
	}
}

// UnmarshalText implements encoding.TextUnmarshaler, by ParseWindow. An error leaves w as
// it was.
func (w *Window) UnmarshalText(text []byte) error {
	read, err := ParseWindow(string(text))
	if err == nil {
		*w = read
	}
	return err
}

// MarshalJSON implements json.Marshaler. It writes the unit's name, or seconds with as many decimals
// as they need: people read 60 and 0.5 more easily than nanoseconds.
func (w Window) MarshalJSON() ([]byte, error) {
	if w.Calendar != 0 {
		return strconv.AppendQuote(nil, w.Calendar.String()), nil
	}
	whole, part := w.Duration/time.Second, w.Duration%time.Second
	out := strconv.AppendInt(nil, int64(whole), 10)
	if part != 0 {
		if whole == 0 && part < 0 {
			out = append([]byte{'-'}, out...)
		}
		digits := strconv.FormatInt(int64(max(part, -part)), 10)
		digits = strings.TrimRight(strings.Repeat("0", 9-len(digits))+digits, "0")
		out = append(append(out, '.'), digits...)
	}
	return out, nil
}
