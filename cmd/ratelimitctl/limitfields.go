package main

import (
	"encoding/json"
	"fmt"
	"io"
	"os"
	"reflect"
	"strings"

	"github.com/distributed-rate-limiter/distributed-rate-limiter/node/config"
)

// limitFields are the flags of "limits set". Each field of a limit has one, with - for _ in its
// name. The flag -f names a file that takes the place of all others.
type limitFields struct {
	values map[string]any // pointer to the value, by flag
	file   string
}

// newLimitFields adds the flags. A flag that is not given leaves its field to the daemon.
func newLimitFields(c *call) *limitFields {
	l := &limitFields{values: map[string]any{}}
	add := func(into any, name, usage string) {
		l.values[name] = into
		c.Add(into, name, usage)
	}
	add(new(int64), "limit", "units for each window")
	add(new(windowFlag), "window", "a number of `SECONDS`, a duration like 1m30s, or one of second, minute, hour, day, week, month and year")
	add(new(int64), "burst", "the most units at once (default the limit)")
	add(new(string), "algorithm", "`NAME`: gcra, fixed_window or sliding_window (default gcra)")
	add(new(int), "resolution", "into how many parts a sliding window is divided (default 1)")
	add(new(string), "time-zone", "`ZONE` in which the days of a fixed window begin, like Europe/Berlin (default UTC)")
	add(new(float64), "max-overshoot", "share of the burst by which nodes may typically overshoot together (default 0.1)")
	add(new(string), "on-isolation", "`MODE` while nodes cannot hear each other: keep, share, open or closed (default keep)")
	add(new(string), "consistency", "`MODE`: eventual, or local, where each node counts for itself, or bounded, which never admits more than burst and max-excess (default eventual)")
	add(new(float64), "max-excess", "with -consistency bounded: what may be admitted beyond the burst, as a share of it below 1, or in units (default 0)")
	add(new(windowFlag), "hold", "with -consistency bounded: how many `SECONDS`, or a duration up to 1s, a request may wait for loans at its door; 0 is never (default 10ms)")
	add(new(bool), "shadow", "decide and report, but let everything pass")
	add(new(bool), "block", "let nobody pass")
	add(new(bool), "unlimited", "let everybody pass")
	add(new(int), "ipv6-prefix", "how many bits of an IPv6 address make a client")
	add(new(string), "use", "`NAME` of a limit whose fields, overrides included, hold where none is given")
	c.Add(&l.file, "f", "a `FILE` with the whole limit in YAML or JSON, as in a configuration file, overrides included; - is the standard input")
	return l
}

// body is the limit that the given flags describe.
func (l *limitFields) body(given []string) (any, error) {
	fields := map[string]any{}
	for _, name := range given {
		into, is := l.values[name]
		switch {
		case !is:
		case l.file != "":
			return nil, usagef("-%s cannot be beside -f: the file has the whole limit", name)
		default:
			fields[strings.ReplaceAll(name, "-", "_")] = reflect.ValueOf(into).Elem().Interface()
		}
	}
	if l.file != "" {
		return limitFile(l.file)
	}
	if fields["block"] == true || fields["unlimited"] == true || fields["use"] != nil {
		return fields, nil
	}
	for _, name := range []string{"limit", "window"} {
		if fields[name] == nil {
			return nil, usagef("-%s is missing: a limit has no default", name)
		}
	}
	return fields, nil
}

// limitFile reads a limit. The error names the line of each fault.
func limitFile(path string) (json.RawMessage, error) {
	in := io.Reader(os.Stdin)
	name := "the standard input"
	if path != "-" {
		f, err := os.Open(path) //nolint:gosec // the operator names it
		if err != nil {
			return nil, err
		}
		defer func() { _ = f.Close() }() // only read
		in, name = f, path
	}
	text, err := io.ReadAll(io.LimitReader(in, config.MaxFile+1))
	if err != nil {
		return nil, err
	}
	if len(text) > config.MaxFile {
		return nil, fmt.Errorf("%s is larger than %d bytes", name, config.MaxFile)
	}
	return config.LimitBody(name, text)
}

// windowFlag is the window of a limit, a unit of the calendar included.
type windowFlag struct{ config.Window }

// String implements flag.Value.
func (w *windowFlag) String() string {
	if w.Window == (config.Window{}) {
		return ""
	}
	return w.Window.String()
}

// Set implements flag.Value.
func (w *windowFlag) Set(text string) error { return w.UnmarshalText([]byte(text)) }
