package spec

import (
	"errors"
	"math"
	"strconv"
	"time"
)

// Window is a length of time as users write it: a plain number of seconds (60, 0.5)
// or a duration (1m, 500ms).
type Window time.Duration

const windowForms = "must be a number of seconds or a duration such as 90s, 500ms or 1h"

var errWindow = errors.New(windowForms)

// ParseWindow reads one. Its range is for the policy to judge.
func ParseWindow(text string) (Window, error) {
	if seconds, err := strconv.ParseFloat(text, 64); err == nil {
		// Beyond this a conversion to nanoseconds would overflow, silently.
		const most = float64(math.MaxInt64/int64(time.Second)) - 1
		if seconds != seconds || math.Abs(seconds) > most {
			return 0, errWindow
		}
		whole, part := math.Modf(seconds) // apart, so that whole seconds stay exact
		return Window(int64(whole)*int64(time.Second) + int64(math.Round(part*float64(time.Second)))), nil
	}
	d, err := time.ParseDuration(text)
	if err != nil {
		return 0, errWindow
	}
	return Window(d), nil
}

// String is the shortest form that ParseWindow reads back.
func (w Window) String() string {
	if s := time.Duration(w); s%time.Second == 0 {
		return strconv.FormatInt(int64(s/time.Second), 10)
	}
	return time.Duration(w).String()
}

// MarshalJSON writes seconds.
func (w Window) MarshalJSON() ([]byte, error) {
	return strconv.AppendFloat(nil, time.Duration(w).Seconds(), 'f', -1, 64), nil
}
