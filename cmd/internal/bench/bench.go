// Package bench puts a load of a given rate on a rate limiter and measures its answers.
//
// It is an open model. A schedule says when each request is due, and does not wait for
// answers. A latency counts from the moment at which its request was due. So the figures of a
// limiter that stalls show every request that it kept waiting, not only the one that happened
// to be under way.
package bench

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"github.com/HdrHistogram/hdrhistogram-go"
)

// Config is a load.
type Config struct {
	Rate     float64       // requests per second, up to MaxRate
	Duration time.Duration // how long requests are due, up to MaxDuration
	Requests int64         // the most requests; 0: as many as fit in Duration
	Workers  int           // most requests under way at once, 1 to MaxWorkers
	Clients  int           // different clients, 1 to MaxClients
	Dist     Dist
	Seed     uint64

	// Run calls Progress about ten times a second, if it is not nil.
	Progress func(elapsed time.Duration, sent, failed int64)
}

// Ranges of Config.
const (
	MaxRate     = 1_000_000
	MaxDuration = 24 * time.Hour
	MaxWorkers  = 10_000
	MaxClients  = 100_000_000
)

// Validate reports every fault at once, or nil.
func (c Config) Validate() error {
	var faults []error
	refuse := func(ok bool, format string, args ...any) {
		if !ok {
			faults = append(faults, fmt.Errorf(format, args...))
		}
	}
	refuse(c.Rate > 0 && c.Rate <= MaxRate, "rate %v: must be above 0 and at most %d per second", c.Rate, MaxRate)
	refuse(c.Duration > 0 && c.Duration <= MaxDuration, "duration %v: must be above 0 and at most %v", c.Duration, MaxDuration)
	refuse(c.Requests >= 0, "n %d: must not be negative", c.Requests)
	refuse(c.Workers >= 1 && c.Workers <= MaxWorkers, "c %d: must be from 1 to %d", c.Workers, MaxWorkers)
	refuse(c.Clients >= 1 && c.Clients <= MaxClients, "clients %d: must be from 1 to %d", c.Clients, MaxClients)
	refuse(c.Dist == Uniform || c.Dist == Zipf || c.Dist == Hot, "dist %q: must be %s, %s or %s", c.Dist, Uniform, Zipf, Hot)
	return errors.Join(faults...)
}

// total is the number of requests that are due.
func (c Config) total() int64 {
	n := max(1, int64(c.Rate*c.Duration.Seconds()))
	if c.Requests > 0 {
		n = min(n, c.Requests)
	}
	return n
}

// A Target decides one request. Run calls it from several goroutines at once. An error counts
// neither as an admission nor as a denial.
type Target interface {
	Take(ctx context.Context, client string) (allowed bool, err error)
}

// The range of the measured latencies. A latency above longest counts as longest. A wider
// range costs memory for each worker; a narrower one hides how bad a stall was.
const (
	shortest = int64(time.Microsecond)
	longest  = int64(time.Minute)
	digits   = 3
)

// worker holds what one worker counted, so that workers share no lock.
type worker struct {
	latency         *hdrhistogram.Histogram
	allowed, denied int64
	failed          int64
	firstError      error
	firstErrorAt    time.Duration
}

// Run puts the load on the target. It returns when the target has answered all requests, or
// when ctx ends. If the target is too slow, Run returns soon after Duration. The result counts
// the requests that it sent until then.
func Run(ctx context.Context, cfg Config, target Target) (*Result, error) {
	if err := cfg.Validate(); err != nil {
		return nil, err
	}
	total := cfg.total()
	todo := newSchedule(cfg, total)
	workers := make([]*worker, min(int64(cfg.Workers), total))
	var sent, failed atomic.Int64
	var all sync.WaitGroup
	start := time.Now()
	// Requests that are due but not sent by then stay unsent: the target was too slow.
	late := start.Add(cfg.Duration + min(cfg.Duration/10, time.Second))
	for i := range workers {
		w := &worker{latency: hdrhistogram.New(shortest, longest, digits)}
		workers[i] = w
		all.Go(func() { w.run(ctx, start, late, todo, target, &sent, &failed) })
	}
	stop := make(chan struct{})
	var watcher sync.WaitGroup
	if cfg.Progress != nil {
		watcher.Go(func() {
			tick := time.NewTicker(100 * time.Millisecond)
			defer tick.Stop()
			for {
				select {
				case <-stop:
					return
				case <-tick.C:
					cfg.Progress(time.Since(start), sent.Load(), failed.Load())
				}
			}
		})
	}
	all.Wait()
	close(stop)
	watcher.Wait()
	return newResult(cfg, workers, time.Since(start), total), nil
}

func (w *worker) run(ctx context.Context, start, late time.Time, todo *schedule, target Target, sent, failed *atomic.Int64) {
	timer := time.NewTimer(0)
	defer timer.Stop()
	for ctx.Err() == nil && time.Now().Before(late) {
		after, client, ok := todo.take()
		if !ok {
			return
		}
		due := start.Add(after)
		if wait := time.Until(due); wait > 0 {
			timer.Reset(wait)
			select {
			case <-ctx.Done():
				return
			case <-timer.C:
			}
		}
		allowed, err := target.Take(ctx, client)
		if err != nil && ctx.Err() != nil {
			return // the load was cut off, which is no fault of the target
		}
		sent.Add(1)
		w.observe(time.Since(due), allowed, err, time.Since(start))
		if err != nil {
			failed.Add(1)
		}
	}
}

func (w *worker) observe(latency time.Duration, allowed bool, err error, at time.Duration) {
	_ = w.latency.RecordValue(min(max(int64(latency), shortest), longest)) // within range by this
	switch {
	case err != nil:
		w.failed++
		if w.firstError == nil {
			w.firstError, w.firstErrorAt = err, at
		}
	case allowed:
		w.allowed++
	default:
		w.denied++
	}
}
