package main

import (
	"errors"
	"flag"
	"fmt"
	"io"
	"regexp"
	"strconv"
	"time"
)

// flags is a flag set whose errors come back, for one line and exit code 2, instead
// of being printed with the whole usage.
type flags struct {
	*flag.FlagSet
	stdout io.Writer
	synops string
}

// newFlags makes the flags of a command; synopsis is what follows the command's
// name in its usage.
func newFlags(name, synopsis string, stdout io.Writer) *flags {
	f := &flags{flag.NewFlagSet(name, flag.ContinueOnError), stdout, synopsis}
	f.SetOutput(io.Discard)
	f.Usage = func() {}
	return f
}

// parse reads flags and positional arguments in any order, and requires the number
// of the latter to be between least and most.
func (f *flags) parse(args []string, least, most int) ([]string, error) {
	var positional []string
	for {
		if err := f.Parse(args); err != nil {
			if errors.Is(err, flag.ErrHelp) {
				f.help()
				return nil, err
			}
			return nil, usageError{f.explain(err)}
		}
		if f.NArg() == 0 {
			break
		}
		positional = append(positional, f.Arg(0))
		args = f.Args()[1:]
	}
	switch {
	case len(positional) < least:
		return nil, usagef("an argument is missing: %s %s", f.Name(), f.synops)
	case len(positional) > most:
		return nil, usagef("unexpected argument %q", positional[most])
	}
	return positional, nil
}

var unreadable = regexp.MustCompile(`^invalid value (".*") for flag -(\S+): parse error$`)

// explain says what a flag takes where the flag package only says that it is not that.
func (f *flags) explain(err error) error {
	m := unreadable.FindStringSubmatch(err.Error())
	if m == nil {
		return err
	}
	want := "a whole number"
	if g, ok := f.Lookup(m[2]).Value.(flag.Getter); ok {
		switch g.Get().(type) {
		case float64:
			want = "a number"
		case time.Duration:
			want = "a duration such as 90s, 500ms or 1h"
		}
	}
	return fmt.Errorf("invalid value %s for flag -%s: must be %s", m[1], m[2], want)
}

func (f *flags) help() {
	say(f.stdout, "usage: ratelimitctl %s %s\n\n", f.Name(), f.synops)
	f.SetOutput(f.stdout)
	f.PrintDefaults()
}

// windowFlag is a duration, or a plain number of seconds.
type windowFlag time.Duration

// String implements flag.Value.
func (w *windowFlag) String() string { return time.Duration(*w).String() }

// Set implements flag.Value.
func (w *windowFlag) Set(s string) error {
	if n, err := strconv.ParseFloat(s, 64); err == nil {
		s = strconv.FormatFloat(n, 'f', -1, 64) + "s"
	}
	d, err := time.ParseDuration(s)
	if err != nil || d <= 0 {
		return errors.New("must be a number of seconds like 60, or a duration like 1m30s")
	}
	*w = windowFlag(d)
	return nil
}
