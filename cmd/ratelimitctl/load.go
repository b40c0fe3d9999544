package main

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"time"

	"github.com/distributed-rate-limiter/distributed-rate-limiter/cmd/internal/bench"
	"github.com/distributed-rate-limiter/distributed-rate-limiter/cmd/internal/output"
	"github.com/distributed-rate-limiter/distributed-rate-limiter/node"
)

func runLoad(ctx context.Context, args []string, stdout, stderr io.Writer) error {
	f := newFlags("load", "[flags]", stdout)
	a := newAPI(f)
	var format output.Format
	var cfg bench.Config
	var dist string
	limit := f.String("limit", node.DefaultLimit, "name of the limit")
	cost := f.Int64("cost", 1, "units that each request asks for")
	f.Float64Var(&cfg.Rate, "rate", 1000, "requests per second, sent on schedule whether answers come or not")
	f.IntVar(&cfg.Workers, "c", 64, "most requests under way at once")
	f.DurationVar(&cfg.Duration, "duration", 10*time.Second, "how long")
	f.Int64Var(&cfg.Requests, "n", 0, "at most so many requests (default as many as fit in the duration)")
	f.IntVar(&cfg.Clients, "clients", 1000, "different clients")
	f.StringVar(&dist, "dist", string(bench.Uniform), "how requests are distributed over clients: uniform, zipf or hot (one client gets half)")
	f.Uint64Var(&cfg.Seed, "seed", 1, "seed of the sequence of clients")
	f.Var(&format, "o", "output `FORMAT`, text or json (default text)")
	if _, err := f.parse(args, 0, 0); err != nil {
		return err
	}
	cfg.Dist = bench.Dist(dist)
	if err := cfg.Validate(); err != nil {
		return usageError{err}
	}
	if err := a.open(); err != nil {
		return err
	}
	// Ask once, so that a daemon that is not there, or has no such limit, gives one
	// line and not a table of errors.
	probe := url.Values{"client": {"load-probe"}, "limit": {*limit}}
	if _, err := a.call(ctx, http.MethodGet, "/v1/peek?"+probe.Encode(), nil); err != nil {
		return err
	}
	target := bench.NewHTTP(a.addr, *limit, *cost, cfg.Workers, a.timeout)
	defer target.Close()
	progress := output.NewProgress(stderr)
	cfg.Progress = func(elapsed time.Duration, sent, failed int64) {
		progress.Showf("%.0f of %.0f s: %d sent, %d errors", elapsed.Seconds(), cfg.Duration.Seconds(), sent, failed)
	}
	result, err := bench.Run(ctx, cfg, target)
	progress.Done()
	if err != nil {
		return err
	}
	if err := format.Print(stdout, result, result.Print); err != nil {
		return err
	}
	if result.Errors > 0 {
		return fmt.Errorf("%d of %d requests got no decision", result.Errors, result.Sent)
	}
	if err := ctx.Err(); err != nil {
		return fmt.Errorf("cut off: %d of %d requests were not sent", result.Unsent, result.Planned)
	}
	return nil
}
