package config

import "github.com/distributed-rate-limiter/distributed-rate-limiter/node/internal/spec"

// Window is the window of a limit as people write it: a length of time, or a unit of the
// calendar. One of the two is zero.
type Window = spec.Window

// ParseWindow reads a number of seconds (60, 0.5), a duration (1m, 500ms) or a unit of
// the calendar (day). The error says what would be right.
func ParseWindow(text string) (Window, error) { return spec.ParseWindow(text) }

// Nearest returns the known name that somebody probably meant by an unknown one, "" if
// none is near.
func Nearest(name string, known []string) string { return spec.Nearest(name, known) }

// OneLine returns an error's text on one line: joined errors come on several.
func OneLine(err error) string { return spec.OneLine(err) }
