// Package demo shows a cluster at work. Three nodes run in one process. Some clients keep to
// the limit and some do not, and meanwhile the script cuts a node off, kills another, and
// changes the limit. In the end the verdict compares the nodes with one central limiter, and
// says whether they kept every promise.
package demo

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"sync"
	"time"

	"github.com/distributed-rate-limiter/distributed-rate-limiter/node"
)

// Config configures a demonstration. The zero value of a field is its default.
type Config struct {
	// Out gets a line for each event, and the verdict. Default: no output.
	Out io.Writer
	// Duration is how long the load runs, at least a second. Default 10 s.
	Duration time.Duration
	// Seed fixes the requests and their order. Default 1.
	Seed uint64
	// Logger gets the nodes' log. Default: no log.
	Logger *slog.Logger
	// Serve serves the first node once it runs. Run calls the function that Serve returns
	// before it closes the node. Default: nobody serves the node.
	Serve func(*node.Node) (stop func())
}

// Defaults of Config.
const (
	DefaultDuration = 10 * time.Second
	DefaultSeed     = 1
	leastDuration   = time.Second
)

// The limit, and the one that replaces it in the middle of the run.
var (
	before = node.Policy{Limit: 100, Window: 10 * time.Second, Burst: 20}
	after  = node.Policy{Limit: 60, Window: 10 * time.Second, Burst: 15}
)

// ErrFailed is the error of Run if the nodes broke a promise.
var ErrFailed = errors.New("the demonstration failed: a promise was not kept, see the verdict")

// Run runs a demonstration to its end, or until ctx is done, which is an error.
func Run(ctx context.Context, cfg Config) error {
	if cfg.Out == nil {
		cfg.Out = io.Discard
	}
	if cfg.Logger == nil {
		cfg.Logger = slog.New(slog.DiscardHandler)
	}
	if cfg.Duration == 0 {
		cfg.Duration = DefaultDuration
	}
	if cfg.Seed == 0 {
		cfg.Seed = DefaultSeed
	}
	if cfg.Duration < leastDuration {
		return fmt.Errorf("demo: duration %v: must be at least %v", cfg.Duration, leastDuration)
	}
	v, err := run(ctx, cfg)
	switch {
	case ctx.Err() != nil:
		return fmt.Errorf("demo: interrupted before the verdict: %w", ctx.Err())
	case err != nil:
		return fmt.Errorf("demo: %w", err)
	}
	if err := v.print(cfg.Out); err != nil {
		return err
	}
	if !v.passed() {
		return ErrFailed
	}
	return nil
}

func run(ctx context.Context, cfg Config) (*verdict, error) {
	d := &show{out: cfg.Out, began: time.Now()}
	d.say("three nodes start, each with a NATS server of its own; the servers form a mesh on 127.0.0.1")
	c, err := startCluster(ctx, cfg.Logger, before)
	defer func() { c.close() }()
	if err != nil {
		return nil, err
	}
	if cfg.Serve != nil {
		defer cfg.Serve(c.members[0].node())()
	}
	took, err := until(ctx, joinWithin, c.together)
	if err != nil {
		return nil, fmt.Errorf("the nodes do not find each other: %w", err)
	}
	d.say("all of them hear each other, after %v", round(took))

	j := newJudge(before)
	plan := newLoad(cfg.Seed, cfg.Duration)
	d.say("load for %v (seed %d): %d clients within the limit of %s, %d far over it, on all nodes",
		cfg.Duration, cfg.Seed, modestClients, inWords(before), greedyClients)
	d.began = time.Now()
	events := newScript(d, c, j, cfg.Duration)
	defer events.stop()
	if err := drive(ctx, plan, c, j, events); err != nil {
		return nil, err
	}
	if err := events.finish(ctx); err != nil {
		return nil, err
	}
	d.say("the load ends")
	converged, err := until(ctx, convergeWithin, func() bool { return c.agree(plan.clients) })
	v := j.verdict()
	v.converged, v.agreed = converged, err == nil
	return v, nil
}

// How long things may take before something is wrong.
const (
	joinWithin = 20 * time.Second
	// convergeWithin allows for the killed node. Some nodes heard its last words and others
	// did not. The others ask for them once they notice its silence, after 3 s, and ask again
	// if an answer is lost.
	convergeWithin = 10 * time.Second
	poll           = 5 * time.Millisecond
)

var errNotInTime = errors.New("not in time")

// until polls ok until it holds, and returns the time that this took.
func until(ctx context.Context, within time.Duration, ok func() bool) (time.Duration, error) {
	began := time.Now()
	tick := time.NewTicker(poll)
	defer tick.Stop()
	for !ok() {
		if time.Since(began) > within {
			return within, fmt.Errorf("%w: within %v", errNotInTime, within)
		}
		select {
		case <-ctx.Done():
			return time.Since(began), ctx.Err()
		case <-tick.C:
		}
	}
	return time.Since(began), nil
}

// show prints one line of the story, with the time since the load began. Safe for concurrent
// use.
type show struct {
	mu    sync.Mutex
	out   io.Writer
	began time.Time
}

func (d *show) say(format string, args ...any) {
	d.mu.Lock()
	defer d.mu.Unlock()
	// If the output is gone, the verdict fails to print, and Run returns that error.
	_, _ = fmt.Fprintf(d.out, "%5.1f s  %s\n", time.Since(d.began).Seconds(), fmt.Sprintf(format, args...))
}

func round(d time.Duration) time.Duration { return d.Round(time.Millisecond) }

func inWords(p node.Policy) string {
	return fmt.Sprintf("%d per %v, burst %d", p.Limit, p.Window, p.Burst)
}
