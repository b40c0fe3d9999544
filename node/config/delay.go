package config

import (
	"errors"
	"time"

	"github.com/distributed-rate-limiter/distributed-rate-limiter/node/internal/spec"
	"github.com/distributed-rate-limiter/distributed-rate-limiter/node/limit"
)

// Delay is a length of time from 0 to MaxDelay, written as seconds or as a duration.
type Delay time.Duration

// MaxDelay is the longest Delay. Raising it lets a slip hold a stop up for longer; lowering it refuses
// balancers that look seldom.
const MaxDelay = 10 * time.Minute

// Age is a length of time from 0 to MaxAge, written like a Delay. 0 means that there is no end.
type Age time.Duration

// MaxAge is the longest Age. Raising it changes little, since a connection seldom lives as long.
// Lowering it refuses those that want long ones; 0 is still no end.
const MaxAge = 30 * 24 * time.Hour

var errAge = errors.New("must be a number of seconds or a duration, from 0 (no end) to " + limit.Span(MaxAge))

// String is the age as a duration, such as 1h0m0s.
func (a Age) String() string { return time.Duration(a).String() }

// UnmarshalText implements encoding.TextUnmarshaler.
func (a *Age) UnmarshalText(text []byte) error {
	d, ok := between(text, MaxAge)
	if !ok {
		return errAge
	}
	*a = Age(d)
	return nil
}

// between reads a length of time from 0 to most.
func between(text []byte, most time.Duration) (time.Duration, bool) {
	w, err := spec.ParseWindow(string(text))
	return w.Duration, err == nil && w == (spec.Window{Duration: w.Duration}) && w.Duration >= 0 && w.Duration <= most
}

var errDelay = errors.New("must be a number of seconds or a duration, from 0 to " + limit.Span(MaxDelay))

// String is the delay as a duration, such as 4s.
func (d Delay) String() string { return time.Duration(d).String() }

// UnmarshalText implements encoding.TextUnmarshaler.
func (d *Delay) UnmarshalText(text []byte) error {
	delay, ok := between(text, MaxDelay)
	if !ok {
		return errDelay
	}
	*d = Delay(delay)
	return nil
}
