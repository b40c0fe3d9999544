package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"syscall"
)

// signalError is the cause of a context that a signal ended.
type signalError struct{ os.Signal }

func (e signalError) Error() string { return e.String() + " received" }

// untilSignal is done once the process is told to stop. A second signal ends the process
// at once. The default action would not do: the first process of a container has none.
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

// codeOf is the exit code that shells give a process which a signal ended.
func codeOf(s os.Signal) int {
	if n, ok := s.(syscall.Signal); ok {
		return 128 + int(n)
	}
	return exitFailed
}

// terminated reports whether SIGTERM ended the context: somebody replaces the process,
// and clients have to find that out. Whoever presses Ctrl-C waits for the end.
func terminated(ctx context.Context) bool {
	var cause signalError
	return errors.As(context.Cause(ctx), &cause) && cause.Signal == syscall.SIGTERM
}
