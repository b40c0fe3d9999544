package main

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/distributed-rate-limiter/distributed-rate-limiter/cmd/internal/flags"
	"github.com/distributed-rate-limiter/distributed-rate-limiter/cmd/internal/output"
	"github.com/distributed-rate-limiter/distributed-rate-limiter/cmd/internal/replay"
	"github.com/distributed-rate-limiter/distributed-rate-limiter/node"
	"github.com/distributed-rate-limiter/distributed-rate-limiter/node/config"
)

// replayCall is one call of replay.
type replayCall struct {
	*call
	cfg     replay.Config
	file    string
	written replay.Format
	lines   int
	most    int

	limit, burst int64
	window       flags.Length
	policy       flags.Policy
	rules, name  string
	spread       string
	html         string
}

func replayLog(c *call) action {
	r := &replayCall{
		call: c, written: replay.Auto, lines: 10_000, most: replay.DefaultMaxLines,
		limit: 30, window: flags.Length(time.Minute), spread: string(replay.Random),
		cfg: replay.Config{
			Nodes: 3, Delay: replay.Range{Min: time.Millisecond, Max: 5 * time.Millisecond},
			Flush: 50 * time.Millisecond, Seed: 1, Choices: replay.DefaultChoices(),
		},
	}
	c.Add(&r.file, "log", "access log in this `FILE`, plain or gzipped, - for the standard input; the same as LOG (default a generated sample)")
	c.Add(&r.written, "format", "`FORMAT` of the log: auto, combined, vhost (the site before the address), syslog (a header before the line) or json")
	c.Add(&r.lines, "lines", "lines of the generated sample")
	c.Add(&r.most, "max-lines", "refuse a log of more lines")
	c.Add(&r.limit, "limit", "units for each client address in each window")
	c.Add(&r.window, "window", "the window, in `SECONDS` or as a duration")
	c.Add(&r.burst, "burst", "units at once (default the limit)")
	c.Add(&r.policy, "policy", "`POLICY` with more to say than these three, such as \"limit: 60, window: 1m, algorithm: sliding_window\"")
	c.Add(&r.rules, "rules", "take the limit, overrides included, from this configuration `FILE` of ratelimitd")
	c.Add(&r.name, "name", "`NAME` of the limit in that file (default "+node.DefaultLimit+")")
	c.Add(&r.cfg.Nodes, "nodes", "nodes")
	c.Add(&r.cfg.Delay, "delay", "how long a message between nodes takes, a `DURATION` or two like 1ms..5ms")
	c.Add(&r.cfg.Flush, "flush", "flush interval of the nodes")
	c.Add(&r.spread, "spread", "`HOW` requests spread over the nodes: random or robin")
	c.Add(&r.cfg.Seed, "seed", "seed of the sample, the spread and the delays")
	c.Add(&r.cfg.Choices.Percents, "propose", "propose limits that these `PERCENTAGES` of the clients never meet, or none")
	c.Add(&r.cfg.Choices.Windows, "windows", "propose them for these `WINDOWS`")
	c.Add(&r.html, "html", "write a report with charts into this `FILE`; it opens without a network")
	return r.run
}

func (r *replayCall) run(ctx context.Context) error {
	if err := r.validate(); err != nil {
		return usageError{err}
	}
	p, err := r.limitOf()
	if err != nil {
		return err
	}
	r.cfg.Policy, r.cfg.Spread = p, replay.Spread(r.spread)
	if err := r.cfg.Validate(); err != nil {
		return usageError{err}
	}
	page, err := r.create("html", r.html)
	if err != nil {
		return err
	}
	progress := output.NewProgress(r.stderr)
	r.cfg.Progress = func(what string, done, total int) {
		progress.Showf("%s: %d of %d %s", what, done, total, bar(done, total))
	}
	log, err := r.read(ctx, progress)
	if err == nil {
		var result *replay.Result
		if result, err = replay.Run(ctx, log, r.cfg); err == nil {
			progress.Done()
			return errors.Join(writePage(page, result.HTML), r.format.Print(r.stdout, result, result.Print))
		}
	}
	progress.Done()
	return fmt.Errorf("%s: %w", r.source(), err)
}

// validate judges the flags together.
func (r *replayCall) validate() error {
	given := r.Given()
	var faults []error
	if len(r.args) > 0 {
		if r.file != "" {
			faults = append(faults, fmt.Errorf("-log %s cannot be beside the argument %s", r.file, r.args[0]))
		}
		r.file = r.args[0]
	}
	for _, whole := range []string{"policy", "rules"} {
		for _, part := range []string{"limit", "window", "burst"} {
			if slices.Contains(given, whole) && slices.Contains(given, part) {
				faults = append(faults, fmt.Errorf("-%s cannot be beside -%s, which has the whole limit", part, whole))
			}
		}
	}
	if slices.Contains(given, "policy") && slices.Contains(given, "rules") {
		faults = append(faults, errors.New("-policy cannot be beside -rules"))
	}
	if r.name != "" && r.rules == "" {
		faults = append(faults, fmt.Errorf("-name %s: names a limit of -rules, which is not given", r.name))
	}
	if r.lines < 1 || r.lines > replay.DefaultMaxLines {
		faults = append(faults, fmt.Errorf("-lines %d: must be from 1 to %d", r.lines, replay.DefaultMaxLines))
	}
	if r.most < 1 {
		faults = append(faults, fmt.Errorf("-max-lines %d: must be at least 1", r.most))
	}
	return errors.Join(faults...)
}

// limitOf is the limit that the flags describe.
func (r *replayCall) limitOf() (node.Policy, error) {
	switch {
	case r.policy.Given():
		return r.policy.Policy, nil
	case r.rules == "":
		return node.Policy{Limit: r.limit, Window: time.Duration(r.window), Burst: r.burst}, nil
	}
	s := config.Default()
	if err := s.ReadFile(r.rules); err != nil {
		return node.Policy{}, fmt.Errorf("-rules: %w", err)
	}
	all, err := s.Policies()
	if err != nil {
		return node.Policy{}, fmt.Errorf("-rules: %w", err)
	}
	name := cmp.Or(r.name, node.DefaultLimit)
	p, ok := all[name]
	if !ok {
		return node.Policy{}, fmt.Errorf("-name %s: %s has no limit of this name; it has %s", name, r.rules, strings.Join(slices.Sorted(maps.Keys(all)), ", "))
	}
	return p, nil
}

// source is the log, for errors.
func (r *replayCall) source() string {
	switch r.file {
	case "":
		return "the generated sample"
	case "-":
		return "the standard input"
	}
	return r.file
}

// read reads the log, or generates one.
func (r *replayCall) read(ctx context.Context, progress *output.Progress) (*replay.Log, error) {
	var in io.Reader
	size := int64(0)
	switch r.file {
	case "":
		var sample bytes.Buffer
		if err := replay.Generate(&sample, r.cfg.Seed, r.lines); err != nil {
			return nil, err
		}
		in = &sample
	case "-":
		in = os.Stdin
	default:
		f, err := os.Open(r.file)
		if err != nil {
			return nil, err
		}
		defer func() { _ = f.Close() }() // only read
		in = f
		if info, err := f.Stat(); err == nil && info.Mode().IsRegular() {
			size = info.Size()
		}
	}
	return replay.Read(&watched{in, ctx, size, 0, progress}, r.written, r.most)
}

// watched is a reader that shows how far it is, and ends with its context.
type watched struct {
	io.Reader
	ctx        context.Context
	size, done int64 // bytes; the size is 0 if it is not known
	progress   *output.Progress
}

// Read implements io.Reader.
func (w *watched) Read(b []byte) (int, error) {
	if err := w.ctx.Err(); err != nil {
		return 0, err
	}
	n, err := w.Reader.Read(b)
	w.done += int64(n)
	if w.size > 0 {
		w.progress.Showf("reading: %.1f of %.1f MB %s", float64(w.done)/1e6, float64(w.size)/1e6, bar(int(w.done), int(w.size)))
	} else {
		w.progress.Showf("reading: %.1f MB", float64(w.done)/1e6)
	}
	return n, err
}

// bar draws how much of a whole is done.
func bar(done, total int) string {
	const width = 30
	n := 0
	if total > 0 {
		n = min(width, width*done/total)
	}
	return "[" + strings.Repeat("#", n) + strings.Repeat(".", width-n) + "]"
}
