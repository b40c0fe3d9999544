package main

import (
	"bytes"
	"cmp"
	"context"
	"fmt"
	"io"
	"os"
	"time"

	"github.com/distributed-rate-limiter/distributed-rate-limiter/cmd/internal/flags"
	"github.com/distributed-rate-limiter/distributed-rate-limiter/cmd/internal/output"
	"github.com/distributed-rate-limiter/distributed-rate-limiter/cmd/internal/replay"
	"github.com/distributed-rate-limiter/distributed-rate-limiter/gcra"
)

func replayLog(c *call) action {
	cfg := replay.Config{
		Policy: gcra.Policy{Limit: 30}, Nodes: 3, Delay: replay.Range{Min: time.Millisecond, Max: 5 * time.Millisecond},
		Flush: 50 * time.Millisecond, Seed: 1,
	}
	file, format, lines, most := "", replay.Auto, 10_000, replay.DefaultMaxLines
	window, spread := flags.Length(time.Minute), string(replay.Random)
	c.Add(&file, "log", "access log in this `FILE`, plain or gzipped, - for the standard input (default a generated sample)")
	c.Add(&format, "format", "`FORMAT` of the log: auto, combined, vhost (the site before the address), syslog (a header before the line) or json")
	c.Add(&lines, "lines", "lines of the generated sample")
	c.Add(&most, "max-lines", "refuse a log of more lines")
	c.Add(&cfg.Policy.Limit, "limit", "units for each client address in each window")
	c.Add(&window, "window", "the window, in `SECONDS` or as a duration")
	c.Add(&cfg.Policy.Burst, "burst", "units at once (default the limit)")
	c.Add(&cfg.Nodes, "nodes", "nodes")
	c.Add(&cfg.Delay, "delay", "how long a message between nodes takes, a `DURATION` or two like 1ms..5ms")
	c.Add(&cfg.Flush, "flush", "flush interval of the nodes")
	c.Add(&spread, "spread", "`HOW` requests spread over the nodes: random or robin")
	c.Add(&cfg.Seed, "seed", "seed of the sample, the spread and the delays")
	return func(ctx context.Context) error {
		if lines < 1 || lines > replay.DefaultMaxLines {
			return usagef("-lines %d: must be from 1 to %d", lines, replay.DefaultMaxLines)
		}
		cfg.Policy.Window, cfg.Spread = time.Duration(window), replay.Spread(spread)
		if err := cfg.Validate(); err != nil {
			return usageError{err}
		}
		log, err := openLog(file, format, most, cfg.Seed, lines)
		if err != nil {
			return err
		}
		progress := output.NewProgress(c.stderr)
		cfg.Progress = func(done, total int) { progress.Showf("%d of %d requests", done, total) }
		result, err := replay.Run(ctx, log, cfg)
		progress.Done()
		if err != nil {
			return fmt.Errorf("%s: %w", cmp.Or(file, "the generated sample"), err)
		}
		return c.format.Print(c.stdout, result, result.Print)
	}
}

// openLog reads the log, or generates one.
func openLog(file string, format replay.Format, most int, seed uint64, lines int) (*replay.Log, error) {
	var in io.Reader
	switch file {
	case "":
		var sample bytes.Buffer
		if err := replay.Generate(&sample, seed, lines); err != nil {
			return nil, err
		}
		in = &sample
	case "-":
		in = os.Stdin
	default:
		f, err := os.Open(file) //nolint:gosec // the operator names it
		if err != nil {
			return nil, err
		}
		defer func() { _ = f.Close() }() // only read
		in = f
	}
	log, err := replay.Read(in, format, most)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", cmp.Or(file, "the generated sample"), err)
	}
	return log, nil
}
