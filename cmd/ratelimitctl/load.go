package main

import (
	"context"
	"fmt"
	"net/http"
	"time"

	"github.com/distributed-rate-limiter/distributed-rate-limiter/cmd/internal/bench"
	"github.com/distributed-rate-limiter/distributed-rate-limiter/cmd/internal/output"
)

func load(c *call) action {
	c.daemon()
	limit, cost, dist := c.limitFlag(), int64(1), string(bench.Uniform)
	cfg := bench.Config{Rate: 1000, Workers: 64, Duration: 10 * time.Second, Clients: 1000, Seed: 1}
	c.Add(&cost, "cost", "units that each request asks for")
	c.Add(&cfg.Rate, "rate", "requests per second, sent on schedule whether answers come or not")
	c.Add(&cfg.Workers, "c", "most requests under way at once")
	c.Add(&cfg.Duration, "duration", "how long")
	c.Add(&cfg.Requests, "n", "at most so many requests (default as many as fit in the duration)")
	c.Add(&cfg.Clients, "clients", "different clients")
	c.Add(&dist, "dist", "`HOW` requests spread over clients: uniform, zipf or hot (one client gets half)")
	c.Add(&cfg.Seed, "seed", "seed of the sequence of clients")
	return func(ctx context.Context) error {
		cfg.Dist = bench.Dist(dist)
		return c.load(ctx, cfg, *limit, cost)
	}
}

func (c *call) load(ctx context.Context, cfg bench.Config, limit string, cost int64) error {
	if err := cfg.Validate(); err != nil {
		return usageError{err}
	}
	// One request goes first. If the daemon is away or has no such limit, the user gets one line
	// instead of a table of errors.
	if _, err := c.api.call(ctx, http.MethodGet, "/v1/peek?"+query("load-probe", limit).Encode(), nil); err != nil {
		return err
	}
	target := bench.NewHTTP(c.api.addr, limit, cost, cfg.Workers, c.api.timeout)
	defer target.Close()
	progress := output.NewProgress(c.stderr)
	cfg.Progress = func(elapsed time.Duration, sent, failed int64) {
		progress.Showf("%.0f of %.0f s: %d sent, %d errors", elapsed.Seconds(), cfg.Duration.Seconds(), sent, failed)
	}
	result, err := bench.Run(ctx, cfg, target)
	progress.Done()
	if err != nil {
		return err
	}
	if err := c.format.Print(c.stdout, result, result.Print); err != nil {
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
