// Package simulate is `ratelimitctl sim` without its command line: the flags that describe
// a cluster, one run and its report, and a sweep over the values of one flag with its
// table and picture.
package simulate

import (
	"context"
	"errors"
	"io"

	"github.com/distributed-rate-limiter/distributed-rate-limiter/node/sim"
)

// ErrInterrupted is the error of a run that its context ended.
var ErrInterrupted = errors.New("interrupted")

// Run runs a scenario unless ctx ends before, and writes its trace, if that is not nil.
func Run(ctx context.Context, sc sim.Scenario, trace io.Writer) (sim.Result, error) {
	if ctx.Err() != nil {
		return sim.Result{}, ErrInterrupted
	}
	type outcome struct {
		r   sim.Result
		err error
	}
	// Nothing can interrupt a run, so an abandoned run goes on until the program ends. The
	// program ends at once.
	done := make(chan outcome, 1)
	go func() {
		r, err := sim.Run(sc, trace)
		done <- outcome{r, err}
	}()
	select {
	case <-ctx.Done():
		return sim.Result{}, ErrInterrupted
	case o := <-done:
		return o.r, o.err
	}
}
