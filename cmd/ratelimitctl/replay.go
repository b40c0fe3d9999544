package main

import (
	"bytes"
	"cmp"
	"context"
	"fmt"
	"io"
	"os"
	"time"

	"github.com/distributed-rate-limiter/distributed-rate-limiter/cmd/internal/output"
	"github.com/distributed-rate-limiter/distributed-rate-limiter/cmd/internal/replay"
	"github.com/distributed-rate-limiter/distributed-rate-limiter/gcra"
)

func runReplay(ctx context.Context, args []string, stdout, stderr io.Writer) error {
	f := newFlags("replay", "[flags]", stdout)
	window := windowFlag(time.Minute)
	delay := replay.Range{Min: time.Millisecond, Max: 5 * time.Millisecond}
	var format output.Format
	file := f.String("log", "", "access log of a web server, plain or gzipped, - for the standard input; default a generated sample")
	logFormat := replay.Auto
	f.Var(&logFormat, "format", "`FORMAT` of the log: auto, combined, vhost (the site before the address), syslog (a header before the line) or json")
	lines := f.Int("lines", 10_000, "lines of the generated sample")
	most := f.Int("max-lines", replay.DefaultMaxLines, "refuse a log of more lines")
	limit := f.Int64("limit", 30, "units for each client address in each window")
	f.Var(&window, "window", "the window, in `SECONDS` or as a duration")
	burst := f.Int64("burst", 0, "units at once (default the limit)")
	nodes := f.Int("nodes", 3, "nodes")
	f.Var(&delay, "delay", "how long a message between nodes takes, a `DURATION` or two like 1ms..5ms")
	flush := f.Duration("flush", 50*time.Millisecond, "flush interval of the nodes")
	spread := f.String("spread", string(replay.Random), "how requests are spread over the nodes: random or robin")
	seed := f.Uint64("seed", 1, "seed of the sample, the spread and the delays")
	f.Var(&format, "o", "output `FORMAT`, text or json (default text)")
	if _, err := f.parse(args, 0, 0); err != nil {
		return err
	}
	if *lines < 1 || *lines > replay.DefaultMaxLines {
		return usagef("-lines %d: must be from 1 to %d", *lines, replay.DefaultMaxLines)
	}
	cfg := replay.Config{
		Policy: gcra.Policy{Limit: *limit, Window: time.Duration(window), Burst: *burst},
		Nodes:  *nodes, Delay: delay, Flush: *flush, Spread: replay.Spread(*spread), Seed: *seed,
	}
	if err := cfg.Validate(); err != nil {
		return usageError{err}
	}
	log, err := openLog(*file, logFormat, *most, *seed, *lines)
	if err != nil {
		return err
	}
	progress := output.NewProgress(stderr)
	cfg.Progress = func(done, total int) { progress.Showf("%d of %d requests", done, total) }
	result, err := replay.Run(ctx, log, cfg)
	progress.Done()
	if err != nil {
		return fmt.Errorf("%s: %w", cmp.Or(*file, "the generated sample"), err)
	}
	return format.Print(stdout, result, result.Print)
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
