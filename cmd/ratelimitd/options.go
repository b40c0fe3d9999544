package main

import (
	"errors"
	"flag"
	"fmt"
	"io"
	"net/url"
	"strings"

	"github.com/distributed-rate-limiter/distributed-rate-limiter/node/config"
)

// options are the settings, and the flags that say what to do with them.
type options struct {
	settings             config.Settings
	check, version, help bool
	demo                 bool
	against              *url.URL // of the running node to compare with, nil for none
	warnings             []string // for the log, which does not exist yet
	file                 string   // path of the configuration file, "" for none
	text                 []byte   // content of that file
}

// call is how the program was called. The zero call has no arguments and no environment.
type call struct {
	name          string
	args, environ []string
}

// command has the settings of the command line, until parse lays them over file and environment.
type command struct {
	file string
	set  []assignment
}

// assignment is a setting as text. origin says where it stands.
type assignment struct{ key, text, origin string }

func assign(s *config.Settings, all []assignment) error {
	var faults []error
	for _, a := range all {
		faults = append(faults, s.Set(a.key, a.text, a.origin))
	}
	return errors.Join(faults...)
}

// parse gathers the settings: flag over environment over file over default. Where the program
// stands in for envoyproxy/ratelimit, its variables are further defaults.
func parse(by call) (options, error) {
	args := by.args
	o := options{settings: config.Default()}
	var c command
	fs := o.flags(&c)
	err := fs.Parse(args)
	checked := ""
	if err == nil && o.check && fs.NArg() > 0 {
		checked = fs.Arg(0)
		err = fs.Parse(fs.Args()[1:]) // there may be flags after it
	}
	switch {
	case errors.Is(err, flag.ErrHelp):
		o.help = true
		return o, nil
	case err != nil:
		return o, usagef("%w (ratelimitd -help lists the flags)", err)
	case fs.NArg() > 0 && checked != "":
		return o, usagef("argument %q is one too many: -check takes one file", fs.Arg(0))
	case fs.NArg() > 0:
		return o, usagef("argument %q is not understood: everything is set by flags (ratelimitd -help lists them)", fs.Arg(0))
	case checked != "" && c.file != "":
		return o, usagef("flag -config: is one file too many with -check %s: give one", checked)
	case o.version:
		return o, nil
	case o.against != nil && !o.check:
		return o, usagef("flag -against: is of no use without -check")
	case o.demo && o.check:
		return o, usagef("flag -check: is of no use with -demo, which has settings of its own")
	}
	env := o.environment(by.environ)
	if checked != "" {
		c.file = checked
	}
	if c.file == "" {
		c.file = env[config.EnvPrefix+"CONFIG"]
	}
	s := &o.settings
	var faults []error
	var theirs *foreign
	if standsIn(by.name) {
		theirs = newForeign(by.environ)
		faults = append(faults, assign(s, theirs.settings()))
		o.warnings = append(o.warnings, theirs.warnings...)
	}
	if c.file != "" {
		text, err := config.Content(c.file)
		if err == nil {
			err = s.Parse(c.file, text)
		} else {
			err = fmt.Errorf("configuration file: %w", err)
		}
		o.file, o.text = c.file, text
		faults = append(faults, err)
	}
	for _, set := range s.All() {
		if text := env[set.Env()]; text != "" {
			faults = append(faults, s.Set(set.Key, text, "environment "+set.Env()))
		}
	}
	faults = append(faults, assign(s, c.set))
	if theirs != nil {
		if s.Envoy.Config == "" && s.XDS.Server == "" {
			faults = append(faults, assign(s, theirs.rules(s)))
		}
		faults = append(faults, theirs.faults...)
	}
	if err := errors.Join(faults...); err != nil {
		return o, usageError{err}
	}
	return o, nil
}

// flags makes the flag set that fills o and c. parse judges the values later, together with those
// from file and environment.
func (o *options) flags(c *command) *flag.FlagSet {
	fs := flag.NewFlagSet("ratelimitd", flag.ContinueOnError)
	fs.SetOutput(io.Discard)
	fs.StringVar(&c.file, "config", "", "")
	fs.BoolVar(&o.check, "check", false, "")
	fs.Func("against", "", func(text string) (err error) {
		o.against, err = nodeURL(text)
		return err
	})
	fs.BoolVar(&o.version, "version", false, "")
	fs.BoolVar(&o.demo, "demo", false, "")
	for _, set := range o.settings.All() {
		note := func(text string) error {
			c.set = append(c.set, assignment{set.Key, text, "flag -" + set.Flag()})
			return nil
		}
		if set.IsBool() {
			fs.BoolFunc(set.Flag(), "", note)
		} else {
			fs.Func(set.Flag(), "", note)
		}
	}
	return fs
}

// environment picks the variables that are settings. An empty one counts as unset. It warns
// of other variables with our prefix, but for those that Kubernetes makes from the names of services.
func (o *options) environment(environ []string) map[string]string {
	known := map[string]bool{config.EnvPrefix + "CONFIG": true}
	for _, set := range o.settings.All() {
		known[set.Env()] = true
	}
	env := map[string]string{}
	for _, e := range environ {
		name, text, _ := strings.Cut(e, "=")
		rest, ours := strings.CutPrefix(name, config.EnvPrefix)
		switch {
		case !ours || strings.HasPrefix(rest, "SERVICE_") || strings.HasPrefix(rest, "PORT"):
		case known[name]:
			env[name] = text
		default:
			o.warnings = append(o.warnings, "environment variable "+name+" is not a setting")
		}
	}
	return env
}

// usage is the text of -help.
func usage() string {
	var w strings.Builder
	w.WriteString(`ratelimitd is one node of a distributed rate limiter, with an HTTP interface.

	ratelimitd -limit 100 -window 60

Without a flag: 100 requests per client and minute, on 127.0.0.1:8080, alone.

  -config FILE             YAML: the settings below with _ for -, and limits by name
  -check [FILE]            check all settings, those in FILE or by -config too, and exit
  -against URL             with -check: tell which limits would change on the running node at URL
  -version                 print the version and exit
  -demo                    run three nodes under load and faults with their dashboard, until Ctrl-C

Exit codes: 0 stopped in order, 1 failed, 2 a setting or an address is wrong, 130 and 143 ended
at once by a second SIGINT or SIGTERM.

Each of these is also a key in the file and a variable RATELIMITD_KEY in the environment; a
flag overrides the environment, which overrides the file.

`)
	defaults := config.Default()
	for _, set := range defaults.All() {
		line := set.Usage
		if text := set.Text(); text != "" {
			line += " (default: " + text + ")"
		}
		name := "-" + set.Flag()
		if set.Arg != "" {
			name += " " + set.Arg
		}
		if len(name) > 24 {
			fmt.Fprintf(&w, "  %s\n  %-24s %s\n", name, "", line)
			continue
		}
		fmt.Fprintf(&w, "  %-24s %s\n", name, line)
	}
	return w.String()
}
