package config

import (
	"errors"
	"time"

	"github.com/distributed-rate-limiter/distributed-rate-limiter/node/internal/spec"
	"github.com/distributed-rate-limiter/distributed-rate-limiter/node/limit"
)

// Delay is a length of time from 0 to MaxDelay, written as seconds or as a duration.
type Delay time.Duration

// MaxDelay is the longest Delay.
const MaxDelay = 10 * time.Minute

var errDelay = errors.New("must be a number of seconds or a duration, from 0 to " + limit.Span(MaxDelay))

// String is the delay as a duration, such as 4s.
func (d Delay) String() string { return time.Duration(d).String() }

// UnmarshalText implements encoding.TextUnmarshaler.
func (d *Delay) UnmarshalText(text []byte) error {
	w, err := spec.ParseWindow(string(text))
	if err != nil || w != (spec.Window{Duration: w.Duration}) || w.Duration < 0 || w.Duration > MaxDelay {
		return errDelay
	}
	*d = Delay(w.Duration)
	return nil
}
