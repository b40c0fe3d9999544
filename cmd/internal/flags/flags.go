// Package flags reads the flags of one command. It adds three things to package flag: an error
// says which values a flag takes, arguments and flags may come in any order, and the help of a
// command fits on one page.
package flags

import (
	"errors"
	"flag"
	"fmt"
	"io"
	"reflect"
	"strconv"
	"strings"
	"time"

	"github.com/distributed-rate-limiter/distributed-rate-limiter/cmd/internal/output"
	"github.com/distributed-rate-limiter/distributed-rate-limiter/node/config"
)

// Set holds the flags of one command. Make it with New. It is for one goroutine.
type Set struct{ flags *flag.FlagSet }

// New makes an empty set.
func New() *Set {
	s := &Set{flag.NewFlagSet("", flag.ContinueOnError)}
	s.flags.SetOutput(io.Discard)
	s.flags.Usage = func() {} // Help prints it
	return s
}

// Add adds a flag. into is a flag.Value, or a pointer to a string, int, int64, uint64, float64,
// bool or time.Duration. The value that it points at is the default. A word in backquotes in
// usage names the flag's value in the help. If a colon follows the word, the help shows it as the
// value only, and not in the text again.
func (s *Set) Add(into any, name, usage string) {
	switch p := into.(type) {
	case flag.Value:
		s.flags.Var(p, name, usage)
	case *string:
		s.flags.StringVar(p, name, *p, usage)
	default:
		s.flags.Var(&scalar{into}, name, usage)
	}
}

// scalar is a flag.Value of one number, boolean or duration.
type scalar struct{ into any }

// String implements flag.Value.
func (v *scalar) String() string {
	if v.into == nil {
		return "" // package flag asks the zero value
	}
	return fmt.Sprint(reflect.ValueOf(v.into).Elem())
}

// Set implements flag.Value.
func (v *scalar) Set(text string) (err error) {
	want := "a whole number"
	switch p := v.into.(type) {
	case *int:
		*p, err = strconv.Atoi(text)
	case *int64:
		*p, err = strconv.ParseInt(text, 10, 64)
	case *uint64:
		want = "a whole number, 0 or more"
		*p, err = strconv.ParseUint(text, 10, 64)
	case *float64:
		want = "a number"
		*p, err = strconv.ParseFloat(text, 64)
	case *bool:
		want = "true or false"
		*p, err = strconv.ParseBool(text)
	case *time.Duration:
		want = "a duration such as 90s, 500ms or 1h"
		*p, err = time.ParseDuration(text)
	default:
		panic(fmt.Sprintf("flags: a flag of the type %T", v.into)) // a programming error, which any test finds
	}
	if err != nil {
		return errors.New("must be " + want)
	}
	return nil
}

// IsBoolFlag tells package flag that a boolean needs no value: -shadow means -shadow=true.
func (v *scalar) IsBoolFlag() bool {
	_, is := v.into.(*bool)
	return is
}

// arg is the placeholder of the flag's value in the help.
func (v *scalar) arg() string {
	switch v.into.(type) {
	case *bool:
		return ""
	case *time.Duration:
		return "DURATION"
	default:
		return "N"
	}
}

// Parse reads flags and arguments in any order, and returns the arguments. The error is
// flag.ErrHelp if they ask for help.
func (s *Set) Parse(args []string) (positional []string, err error) {
	for {
		if err := s.flags.Parse(args); err != nil || s.flags.NArg() == 0 {
			return positional, err
		}
		positional = append(positional, s.flags.Arg(0))
		args = s.flags.Args()[1:]
	}
}

// Set sets one flag, as the command line would.
func (s *Set) Set(name, text string) error { return s.flags.Set(name, text) }

// Given returns the flags that were set, by name, in the order of their names.
func (s *Set) Given() []string {
	var names []string
	s.flags.Visit(func(f *flag.Flag) { names = append(names, f.Name) })
	return names
}

// Help prints all flags with their defaults.
func (s *Set) Help(w io.Writer) error {
	var t output.Table
	s.flags.VisitAll(func(f *flag.Flag) {
		arg, usage := flag.UnquoteUsage(f)
		if v, ok := f.Value.(*scalar); ok && arg == "value" {
			arg = v.arg()
		}
		usage = strings.TrimPrefix(usage, arg+": ")
		switch f.DefValue {
		case "", "0", "0s", "false":
		default:
			usage += " (default " + f.DefValue + ")"
		}
		t.Row("  -"+f.Name+" "+arg, usage)
	})
	return t.Print(w)
}

// Length is a flag of a length of time above zero, in seconds or as a duration.
type Length time.Duration

// String implements flag.Value.
func (l *Length) String() string { return time.Duration(*l).String() }

// Set implements flag.Value.
func (l *Length) Set(text string) error {
	w, err := config.ParseWindow(text)
	if err != nil || w.Duration <= 0 {
		return errors.New("must be a number of seconds like 60, or a duration like 1m30s")
	}
	*l = Length(w.Duration)
	return nil
}
