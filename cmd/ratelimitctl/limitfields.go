package main

import (
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/distributed-rate-limiter/distributed-rate-limiter/node"
	"github.com/distributed-rate-limiter/distributed-rate-limiter/node/config"
)

// limitFields are the flags of "limits set", each named as the field of a limit is,
// with - for _, and the file that may be given in place of them.
type limitFields struct {
	values map[string]flag.Getter
	file   *string
}

// newLimitFields adds the flags. That they are for set is told by their usage.
func newLimitFields(f *flags) *limitFields {
	l := &limitFields{values: map[string]flag.Getter{}}
	f.Int64("limit", 0, "set: units for each window")
	f.Var(new(limitWindow), "window", "set: a number of seconds, a duration like 1m30s, or one of second, minute, hour, day, week, month and year")
	f.Int64("burst", 0, "set: the most units at once (default the limit)")
	f.String("algorithm", "", "set: gcra, fixed_window or sliding_window (default gcra)")
	f.Int("resolution", 0, "set: into how many parts a sliding window is divided (default 1)")
	f.String("time-zone", "", "set: where the days of a fixed window begin, like Europe/Berlin (default UTC)")
	f.Float64("max-overshoot", 0, "set: share of the burst by which nodes may typically overshoot together (default 0.1)")
	f.String("on-isolation", "", "set: keep, share, open or closed, while nodes cannot hear each other (default keep)")
	f.String("consistency", "", "set: eventual, or local: each node counts for itself (default eventual)")
	f.Bool("shadow", false, "set: decide and report, but let everything pass")
	f.Bool("block", false, "set: let nobody pass")
	f.Bool("unlimited", false, "set: let everybody pass")
	f.Int("ipv6-prefix", 0, "set: how many bits of an IPv6 address make a client")
	f.String("use", "", "set: the name of a limit whose fields hold where none is given, its overrides included")
	f.VisitAll(func(known *flag.Flag) {
		if strings.HasPrefix(known.Usage, "set: ") {
			l.values[known.Name], _ = known.Value.(flag.Getter) // all of package flag's are, and limitWindow
		}
	})
	l.file = f.String("f", "", "set: a `FILE` with the whole limit in YAML or JSON, as in a configuration file, overrides included; - is the standard input")
	return l
}

// body is the limit that the flags say. All that is not given is left to the daemon.
func (l *limitFields) body(f *flags) (any, error) {
	given := map[string]any{}
	first := ""
	f.Visit(func(set *flag.Flag) {
		if value, ok := l.values[set.Name]; ok {
			given[strings.ReplaceAll(set.Name, "-", "_")] = value.Get()
			if first == "" {
				first = set.Name
			}
		}
	})
	if *l.file != "" {
		if first != "" {
			return nil, usagef("-%s cannot be beside -f: the file has the whole limit", first)
		}
		return limitFile(*l.file)
	}
	if given["block"] == true || given["unlimited"] == true || given["use"] != nil {
		return given, nil
	}
	for _, field := range []string{"limit", "window"} {
		if given[field] == nil {
			return nil, usagef("-%s is missing: a limit has no default", field)
		}
	}
	return given, nil
}

// limitFile reads a limit. What is wrong in it is told by line.
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

// limitWindow is the window of a limit as it is written.
type limitWindow string

// String implements flag.Value.
func (w *limitWindow) String() string { return string(*w) }

// Set implements flag.Value.
func (w *limitWindow) Set(s string) error {
	var length windowFlag
	var unit node.Calendar
	if length.Set(s) != nil && (s == "" || unit.UnmarshalText([]byte(s)) != nil) {
		return errors.New("must be a number of seconds like 60, a duration like 1m30s, or one of second, minute, hour, day, week, month and year")
	}
	*w = limitWindow(s)
	return nil
}

// Get implements flag.Getter.
func (w *limitWindow) Get() any { return string(*w) }
