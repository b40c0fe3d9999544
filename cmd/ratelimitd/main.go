// Command ratelimitd is one node of a distributed rate limiter, with an HTTP interface. See
// ratelimitd -help, and docs/running.md.
package main

import (
	"errors"
	"fmt"
	"os"
	_ "time/tzdata" // static binaries know all zones

	"github.com/distributed-rate-limiter/distributed-rate-limiter/node/config"
)

// Exit codes. exitUsage means that another start makes no sense before the operator has set
// something right, so a supervisor should not try again.
const (
	exitFailed = 1
	exitUsage  = 2
)

func main() {
	ctx := untilSignal()
	if err := run(ctx, call{os.Args[0], os.Args[1:], os.Environ()}, os.Stdout, os.Stderr); err != nil {
		fmt.Fprintln(os.Stderr, "ratelimitd: "+oneLine(err))
		os.Exit(exitCode(err))
	}
}

// usageError is a fault of flags, environment, files or addresses.
type usageError struct{ error }

func (e usageError) Unwrap() error { return e.error }

func usagef(format string, args ...any) error { return usageError{fmt.Errorf(format, args...)} }

func exitCode(err error) int {
	if usage := (usageError{}); errors.As(err, &usage) {
		return exitUsage
	}
	return exitFailed
}

// oneLine is an error's text on one line, for the log and the terminal.
func oneLine(err error) string { return config.OneLine(err) }
