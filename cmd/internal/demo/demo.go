// Package demo shows a cluster at work. Three nodes run in one process. Some clients keep to
// the limit and some do not, and meanwhile the script cuts a node off, kills another, and
// changes the limit. It does so in rounds, until somebody has seen enough. In the end the verdict
// compares the nodes with one central limiter, and says whether they kept every promise.
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
	// Round is how long the load of one round takes, at least a second. Default 50 s: each fault
	// lasts long enough for the nodes to notice it, and for people to see it.
	Round time.Duration
	// Rounds is their number. Default: until ctx is done, and then Run still gives its verdict.
	// With a number, an end before the last round is an error.
	Rounds int
	// Seed fixes the requests and their order. Default 1.
	Seed uint64
	// Log makes the log of a node. Default: no log.
	Log func(node string) *slog.Logger
	// Serve serves the first node once it runs. Run calls the function that Serve returns
	// before it closes the node. Default: nobody serves the node.
	Serve func(*node.Node) (stop func())
}

// Defaults of Config.
const (
	// DefaultRound leaves each fault some seconds to be seen. Raising it makes people wait for the
	// verdict; lowering it hides what happens between two faults.
	DefaultRound = 50 * time.Second
	DefaultSeed  = 1
	leastRound   = time.Second
)

// The limit, and the one that replaces it in the middle of the run.
var (
	before = node.Policy{Limit: 100, Window: 10 * time.Second, Burst: 20}
	after  = node.Policy{Limit: 60, Window: 10 * time.Second, Burst: 15}
)

// ErrFailed is the error of Run if the nodes broke a promise.
var ErrFailed = errors.New("the demonstration failed: a promise was not kept, see the verdict")

// Run runs a demonstration to its end.
func Run(ctx context.Context, cfg Config) error {
	if cfg.Out == nil {
		cfg.Out = io.Discard
	}
	if cfg.Log == nil {
		cfg.Log = func(string) *slog.Logger { return slog.New(slog.DiscardHandler) }
	}
	if cfg.Round == 0 {
		cfg.Round = DefaultRound
	}
	if cfg.Seed == 0 {
		cfg.Seed = DefaultSeed
	}
	if cfg.Round < leastRound {
		return fmt.Errorf("demo: round %v: must be at least %v", cfg.Round, leastRound)
	}
	v, err := run(ctx, cfg)
	switch {
	case ctx.Err() != nil && (cfg.Rounds > 0 || v == nil):
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
	c, err := startCluster(ctx, cfg.Log, before)
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
	d.say("load in rounds of %v (seed %d): %d clients within the limit of %s, %d far over it, on all nodes",
		cfg.Round, cfg.Seed, modestClients, inWords(before), greedyClients)
	d.began = time.Now()
	for round := 0; cfg.Rounds == 0 || round < cfg.Rounds; round++ {
		next := after
		if round%2 == 1 {
			next = before
		}
		err := runRound(ctx, d, c, j, newLoad(cfg.Seed+uint64(round), cfg.Round), next, cfg.Round) //nolint:gosec // positive
		if ctx.Err() != nil && cfg.Rounds == 0 {
			return j.verdict(), nil // in the middle of a round, so nobody can say whether the nodes agree
		}
		if err != nil {
			return nil, err
		}
	}
	d.say("the load ends")
	converged, err := until(ctx, convergeWithin, func() bool { return c.agree(clientNames()) })
	v := j.verdict()
	v.converged, v.agreed, v.asked = converged, err == nil, true
	return v, nil
}

// runRound runs one round of load and faults, and changes the limit to next.
func runRound(ctx context.Context, d *show, c *cluster, j *judge, plan *load, next node.Policy, whole time.Duration) error {
	events := newScript(d, c, j, next, whole)
	defer events.stop()
	if err := drive(ctx, plan, c, j, events); err != nil {
		return err
	}
	return events.finish(ctx)
}

// How long things may take before something is wrong. Raising one hides a node that is too slow;
// lowering one blames a machine that is.
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
