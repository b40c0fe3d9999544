// Ratelimitctl is the operator's tool of the distributed rate limiter: it asks a
// running ratelimitd, puts load on it, and replays access logs without one.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"strings"
	"syscall"

	"github.com/distributed-rate-limiter/distributed-rate-limiter/cmd/internal/output"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	code := run(ctx, os.Args[1:], os.Stdout, os.Stderr)
	stop()
	os.Exit(code)
}

// command is one subcommand. run parses args, the arguments after the command's
// name; see exitCode for what its error becomes.
type command struct {
	name string
	help string // one line
	run  func(ctx context.Context, args []string, stdout, stderr io.Writer) error
}

func commands() []command {
	return []command{
		{"take", "ask for a decision, and take what it allows", runTake},
		{"peek", "show a client's standing, and take nothing", runPeek},
		{"reserve", "take for work whose cost is known only after it, and print a token", runReserve},
		{"commit", "settle a reservation: what was not used goes back", runCommit},
		{"cancel", "settle a reservation: all of it goes back", runCancel},
		{"reset", "forget what a client has used, on every node", runReset},
		{"explain", "tell why a client stands where it stands, and which node admitted what", runExplain},
		{"limits", "list the limits in force; get, set or delete one on every node; watch them change", runLimits},
		{"status", "show nodes, synchronisation and the error bound", runStatus},
		{"top", "list a limit's heaviest clients on one node", runTop},
		{"shadow", "tell what shadow limits would have denied, and to whom", runShadow},
		{"health", "tell by the exit code whether the daemon is ready", runHealth},
		{"load", "put load on a daemon and measure it", runLoad},
		{"replay", "replay an access log against a limit, without a daemon", runReplay},
		{"sim", "simulate a cluster with faults, and check the error bound", runSim},
		{"version", "print the version", runVersion},
	}
}

// Exit codes. Scripts rely on them.
const (
	exitOK     = 0
	exitError  = 1 // it did not work
	exitUsage  = 2 // it was called wrongly, nothing was done
	exitDenied = 3 // take, reserve: the request was denied
)

// errDenied is how take and reserve tell a denial, which is an answer and printed as one.
var errDenied = errors.New("denied")

// usageError is a wrong call.
type usageError struct{ error }

func usagef(format string, args ...any) error { return usageError{fmt.Errorf(format, args...)} }

// run is main without the process.
func run(ctx context.Context, args []string, stdout, stderr io.Writer) int {
	if len(args) == 0 {
		usage(stderr)
		return exitUsage
	}
	name := args[0]
	switch name {
	case "help", "-h", "-help", "--help":
		usage(stdout)
		return exitOK
	case "-version", "--version":
		name = "version"
	}
	for _, c := range commands() {
		if c.name == name {
			return exitCode(c.name, c.run(ctx, args[1:], stdout, stderr), stderr)
		}
	}
	say(stderr, "ratelimitctl: there is no command %q; `ratelimitctl help` lists them\n", name)
	return exitUsage
}

func exitCode(name string, err error, stderr io.Writer) int {
	var wrong usageError
	text := func() string { return strings.ReplaceAll(err.Error(), "\n", "; ") } // joined errors, on one line
	switch {
	case err == nil, errors.Is(err, flag.ErrHelp):
		return exitOK
	case errors.Is(err, errDenied):
		return exitDenied
	case errors.As(err, &wrong):
		say(stderr, "ratelimitctl %s: %s; see `ratelimitctl %s -h`\n", name, text(), name)
		return exitUsage
	}
	say(stderr, "ratelimitctl %s: %s\n", name, text())
	return exitError
}

func usage(w io.Writer) {
	say(w, "usage: ratelimitctl COMMAND [arguments]\n\n")
	var t output.Table
	for _, c := range commands() {
		t.Row("  "+c.name, c.help)
	}
	_ = t.Print(w)
	say(w, "\n`ratelimitctl COMMAND -h` shows a command's flags.\n"+
		"RATELIMITCTL_ADDR is the daemon's address, RATELIMITCTL_TOKEN its admin token, if it has one.\n"+
		"Exit codes: 0 done, 1 failed, 2 called wrongly, 3 denied (take, reserve).\n")
}

// say prints what accompanies an exit code. If it cannot be printed, the code still
// tells.
func say(w io.Writer, format string, args ...any) { _, _ = fmt.Fprintf(w, format, args...) }
