// Command ratelimitctl is the operator's tool of the distributed rate limiter. It asks a running
// ratelimitd and changes its limits, and puts load on it. Without a daemon it replays access logs
// and simulates clusters. See ratelimitctl help.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"slices"
	"strings"
	"syscall"
	_ "time/tzdata" // static binaries know all zones

	"github.com/distributed-rate-limiter/distributed-rate-limiter/cmd/internal/output"
	"github.com/distributed-rate-limiter/distributed-rate-limiter/node/config"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	code := run(ctx, os.Args[1:], os.Stdout, os.Stderr)
	stop()
	os.Exit(code)
}

// Exit codes. Scripts rely on them.
const (
	exitOK     = 0
	exitError  = 1 // the command failed
	exitUsage  = 2 // the call was wrong, and nothing was done
	exitDenied = 3 // take, reserve: the daemon denied the request
	exitMissed = 4 // bench: the load ran, and missed a threshold of -fail
)

// errDenied makes take and reserve end with exitDenied. They have printed the denial by then, as
// the answer that it is.
var errDenied = errors.New("denied")

// errMissed makes bench end with exitMissed.
var errMissed = errors.New("a threshold of -fail is missed")

// usageError is the error of a wrong call. Nothing was done yet.
type usageError struct{ error }

func (e usageError) Unwrap() error { return e.error }

func usagef(format string, args ...any) error { return usageError{fmt.Errorf(format, args...)} }

// run is the whole program but for the process, so that tests can call it.
func run(ctx context.Context, args []string, stdout, stderr io.Writer) int {
	if len(args) == 0 {
		usage(stderr, "")
		return exitUsage
	}
	c, name, rest := find(args)
	switch {
	case c != nil:
		return exitCode(c.name, c.call(ctx, rest, stdout, stderr), stderr)
	case isHelp(name) && len(rest) > 0 && !isHelp(rest[0]): // help take is take -h
		return run(ctx, append(rest, "-h"), stdout, stderr)
	case isHelp(name):
		usage(stdout, "")
		return exitOK
	case name == group && len(rest) > 0 && isHelp(rest[0]):
		usage(stdout, group+" ")
		return exitOK
	}
	hint := "`ratelimitctl help` lists them"
	if near := config.Nearest(name, names()); near != "" {
		hint = "did you mean " + near + "? " + hint
	}
	say(stderr, "ratelimitctl: there is no command %q; %s\n", name, hint)
	return exitUsage
}

func isHelp(word string) bool {
	return slices.Contains([]string{"help", "-h", "-help", "--h", "--help"}, word)
}

// find returns the command that args begin with, its name, and the arguments after the name. c is
// nil if no command has this name.
func find(args []string) (c *command, name string, rest []string) {
	name, rest = args[0], args[1:]
	switch {
	case name == "-version", name == "--version":
		name = "version"
	case name != group:
	case len(rest) > 0 && (isHelp(rest[0]) || !strings.HasPrefix(rest[0], "-")):
		if isHelp(rest[0]) {
			return nil, name, rest
		}
		name, rest = name+" "+rest[0], rest[1:]
	default:
		name += " list"
	}
	all := commands()
	if i := slices.IndexFunc(all, func(c command) bool { return c.name == name }); i >= 0 {
		c = &all[i]
	}
	return c, name, rest
}

func names() []string {
	all := []string{group}
	for _, c := range commands() {
		all = append(all, c.name)
	}
	return all
}

func exitCode(name string, err error, stderr io.Writer) int {
	var wrong usageError
	switch {
	case err == nil, errors.Is(err, flag.ErrHelp):
		return exitOK
	case errors.Is(err, errDenied):
		return exitDenied
	case errors.Is(err, errMissed):
		say(stderr, "ratelimitctl %s: %s\n", name, config.OneLine(err))
		return exitMissed
	case errors.As(err, &wrong):
		say(stderr, "ratelimitctl %s: %s; see `ratelimitctl %s -h`\n", name, config.OneLine(err), name)
		return exitUsage
	}
	say(stderr, "ratelimitctl %s: %s\n", name, config.OneLine(err))
	return exitError
}

// usage lists the commands whose names begin with prefix.
func usage(w io.Writer, prefix string) {
	say(w, "usage: ratelimitctl %sCOMMAND [arguments]\n\n", prefix)
	var t output.Table
	for _, c := range commands() {
		if strings.HasPrefix(c.name, prefix) {
			t.Row("  "+c.name, c.help)
		}
	}
	_ = t.Print(w)
	say(w, "\n`ratelimitctl COMMAND -h` shows a command's flags and examples.\n"+
		envAddr+" is the daemon's address, "+envToken+" its admin token, if it has one.\n"+
		exitCodes)
}

const exitCodes = "Exit codes: 0 done, 1 failed, 2 wrong call and nothing done, 3 denied (take, reserve),\n4 missed a threshold (bench -fail).\n"

// say prints text that comes with an exit code. It ignores errors, because the code tells the
// result even if the text is lost.
func say(w io.Writer, format string, args ...any) { _, _ = fmt.Fprintf(w, format, args...) }
