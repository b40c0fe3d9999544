package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"syscall"
)

// signalError is the cause of a context after a signal ended it.
type signalError struct{ os.Signal }

func (e signalError) Error() string { return e.String() + " received" }

// untilSignal returns a context that ends with the first SIGTERM or SIGINT. A second signal ends the
// process at once. Leaving that to the kernel would not do: it ignores signals without a handler for
// the first process of a container.
func untilSignal() context.Context {
	ctx, cancel := context.WithCancelCause(context.Background())
	signals := make(chan os.Signal, 2)
	signal.Notify(signals, syscall.SIGTERM, os.Interrupt)
	go func() {
		cancel(signalError{<-signals})
		second := <-signals
		fmt.Fprintf(os.Stderr, "ratelimitd: %v received again: ending at once\n", second)
		os.Exit(codeOf(second))
	}()
	return ctx
}

// codeOf is the exit code by which shells show that a signal ended a process.
func codeOf(s os.Signal) int {
	if n, ok := s.(syscall.Signal); ok {
		return 128 + int(n)
	}
	return exitFailed
}

// terminated reports whether SIGTERM ended the context. Then somebody replaces the process, and
// clients need time to go elsewhere. After Ctrl-C, a person waits for the end.
func terminated(ctx context.Context) bool {
	var cause signalError
	return errors.As(context.Cause(ctx), &cause) && cause.Signal == syscall.SIGTERM
}
