// Package bench puts a load on rate limiters, measures their answers, and says how wrong they
// were: it compares what the nodes admitted with one central limiter that sees every request.
//
// It is an open model. A schedule says when each request is due, and does not wait for
// answers. A latency counts from the moment at which its request was due. So the figures of a
// limiter that stalls show every request that it kept waiting, not only the one that happened
// to be under way. Only a load without a rate waits for answers.
package bench

import (
	"context"
	"errors"
	"fmt"
	"math"
	"sync"
	"time"

	"github.com/distributed-rate-limiter/distributed-rate-limiter/node/limit"
)

// Config is a load.
type Config struct {
	Rate     Rate          // requests per second at the start; 0: as fast as answers come
	Ramp     Ramp          // how the rate changes
	Duration time.Duration // how long requests are due, up to MaxDuration
	Warmup   time.Duration // figures leave out what was due before, except for what limiters remember
	Requests int64         // the most requests; 0: as many as fit in Duration
	Workers  int           // most requests under way at once, 1 to MaxWorkers
	Clients  int           // different clients, 1 to MaxClients
	Prefix   string        // their ids begin with it; default DefaultPrefix
	Dist     Dist
	Cost     int64 // of each request
	Seed     uint64

	// Policy is what a central limiter would enforce. Nil means unknown: the result then has no
	// accuracy.
	Policy  *limit.Policy
	Actions []Action

	// Events gets a line for each request and action, in the order of their times, if it is not
	// nil.
	Events *EventLog
	// Progress is called about ten times a second, if it is not nil.
	Progress func(Live)
}

// Action is something that happens to the nodes at a time.
type Action struct {
	At   time.Duration
	Name string
	// Do acts. If the action changed the limit, it returns the new policy and the instant from
	// which nodes apply it; the zero time stands for the instant at which Do was called.
	Do func(ctx context.Context) (changed *limit.Policy, from time.Time, err error)
}

// Live is how a load is doing.
type Live struct {
	Elapsed              time.Duration
	Sent, Denied, Failed int64
	P99                  time.Duration // over the last moments
	Excess, Bound        float64       // so far; -1 where unknown
}

// DefaultPrefix begins the clients' ids, if nothing else is configured.
const DefaultPrefix = "load-"

// Ranges of Config. Each is far above what one machine can send or hold. Raising one lets a slip take all
// memory, or run for days; lowering one refuses tests of large machines.
const (
	MaxRate     = 1_000_000
	MaxDuration = 24 * time.Hour
	MaxWorkers  = 10_000
	MaxClients  = 100_000_000
	// MaxRequests bounds a load without a rate, which has no other bound on its count.
	MaxRequests = 10_000_000_000
)

// Validate reports every fault at once, or nil. Each names the flag at fault.
func (c *Config) Validate() error {
	var faults []error
	refuse := func(ok bool, format string, args ...any) {
		if !ok {
			faults = append(faults, fmt.Errorf(format, args...))
		}
	}
	refuse(c.Rate >= 0 && c.Rate <= MaxRate, "-rate %v: must be above 0 and at most %d per second", float64(c.Rate), MaxRate)
	refuse(c.Rate > 0 || len(c.Ramp) == 0, "-ramp %v: needs a -rate to begin with, not max", c.Ramp)
	refuse(c.Duration > 0 && c.Duration <= MaxDuration, "-duration %v: must be above 0 and at most %v", c.Duration, MaxDuration)
	refuse(c.Warmup >= 0 && c.Warmup < max(c.Duration, 1), "-warmup %v: must not be negative, and shorter than -duration %v", c.Warmup, c.Duration)
	refuse(c.Requests >= 0 && c.Requests <= MaxRequests, "-n %d: must be from 0 to %d", c.Requests, int64(MaxRequests))
	refuse(c.Workers >= 1 && c.Workers <= MaxWorkers, "-c %d: must be from 1 to %d", c.Workers, MaxWorkers)
	refuse(c.Clients >= 1 && c.Clients <= MaxClients, "-clients %d: must be from 1 to %d", c.Clients, MaxClients)
	refuse(c.Cost >= 1, "-cost %d: must be at least 1", c.Cost)
	return errors.Join(faults...)
}

// total is the number of requests that are due.
func (c *Config) total() int64 {
	n := int64(MaxRequests)
	if p := c.profile(); p != nil {
		n = max(1, p.within(c.Duration))
	}
	if c.Requests > 0 {
		n = min(n, c.Requests)
	}
	return n
}

// A Target decides one request. Run calls it from several goroutines at once. An error counts
// neither as an admission nor as a denial.
type Target interface {
	Take(ctx context.Context, client string, cost int64) (allowed bool, err error)
}

// Node is one target of a load.
type Node struct {
	Name   string
	Target Target
	// Down reports whether the node is out of service, if it is not nil. A load balancer would
	// send its requests to the next node, and so does Run.
	Down func() bool
}

// Run puts the load on the nodes, each request on one of them. It returns when they have answered
// all requests, or when ctx ends. If they are too slow, Run returns soon after Duration. The result counts the
// requests that it sent until then. watch, if not nil, reports the nodes' own error bound in
// units, about ten times a second; ok is false where it is not known.
func Run(ctx context.Context, cfg Config, nodes []Node, watch func(ctx context.Context) (bound float64, ok bool)) (*Result, error) {
	if err := cfg.Validate(); err != nil {
		return nil, err
	}
	total := cfg.total()
	j, err := newJudge(&cfg, nodes)
	if err != nil {
		return nil, err
	}
	todo := newSchedule(&cfg, total, len(nodes))
	r := &run{cfg: &cfg, nodes: nodes, todo: todo, begun: time.Now()}
	j.begun = r.begun.UnixNano()
	// Requests that are due but not sent by then stay unsent: the targets were too slow.
	r.late = r.begun.Add(cfg.Duration)
	if cfg.Rate > 0 {
		r.late = r.late.Add(min(cfg.Duration/10, time.Second))
	}
	for range min(int64(cfg.Workers), total) {
		r.workers = append(r.workers, newRecorder())
	}
	acting, stopActing := context.WithCancel(ctx)
	var working, beside sync.WaitGroup
	for _, w := range r.workers {
		working.Go(func() { r.work(ctx, w) })
	}
	beside.Go(func() { r.act(acting, j) })
	var sample bounds
	if watch != nil {
		beside.Go(func() { sample.follow(acting, watch) })
	}
	stop := make(chan struct{})
	var judging sync.WaitGroup
	judging.Go(func() { r.judge(j, &sample, stop) })
	working.Wait()
	elapsed := time.Since(r.begun)
	stopActing()
	beside.Wait()
	close(stop)
	judging.Wait()
	return j.result(elapsed, total), nil
}

// run is a load in progress.
type run struct {
	cfg         *Config
	nodes       []Node
	todo        *schedule
	begun, late time.Time
	workers     []*recorder
}

// work sends requests until there are none, or time is up.
func (r *run) work(ctx context.Context, w *recorder) {
	timer := time.NewTimer(0)
	defer timer.Stop()
	for ctx.Err() == nil && time.Now().Before(r.late) {
		d, ok := r.todo.take(time.Since(r.begun))
		if !ok {
			return
		}
		if wait := time.Until(r.begun.Add(d.at)); wait > 0 {
			timer.Reset(wait)
			select {
			case <-ctx.Done():
				return
			case <-timer.C:
			}
		}
		for i := 0; i < len(r.nodes) && r.nodes[d.node].Down != nil && r.nodes[d.node].Down(); i++ {
			d.node = (d.node + 1) % len(r.nodes)
		}
		e := event{due: d.at, asked: time.Since(r.begun), client: int32(d.client), node: int16(d.node)} //nolint:gosec // validated
		allowed, err := r.nodes[d.node].Target.Take(ctx, r.cfg.client(d.client), r.cfg.Cost)
		switch {
		case err != nil && ctx.Err() != nil:
			return // the load was cut off, which is no fault of the target
		case err != nil:
			e.verdict = failed
		case allowed:
			e.verdict = admitted
		}
		w.record(r.begun, e, err)
	}
}

// act carries out the actions in the order of their times.
func (r *run) act(ctx context.Context, j *judge) {
	for i := range r.cfg.Actions {
		a := &r.cfg.Actions[i]
		select {
		case <-ctx.Done():
			j.happened(Happened{At: a.At, Name: a.Name, Error: "the load ended before"}, nil)
			continue
		case <-time.After(time.Until(r.begun.Add(a.At))):
		}
		h := Happened{At: time.Since(r.begun), Name: a.Name}
		j.hold(h.At)
		policy, from, err := a.Do(ctx)
		if err != nil {
			h.Error, policy = err.Error(), nil
		} else if !from.IsZero() {
			h.At = from.Sub(r.begun.Round(0)) // by the wall clock, which the nodes agreed on
		}
		j.happened(h, policy)
	}
}

// judgeEvery is how often the judge looks at what was recorded. Looking less often takes memory
// for what waits; looking more often takes locks from the workers.
const judgeEvery = 50 * time.Millisecond

// judge passes events to j in the order of their times, until stop is closed.
func (r *run) judge(j *judge, sample *bounds, stop chan struct{}) {
	tick := time.NewTicker(judgeEvery)
	defer tick.Stop()
	var waiting []event
	for last := false; !last; {
		select {
		case <-stop:
			last = true
		case <-tick.C:
		}
		// Workers take the time of an event under their lock. So after this loop nobody records an
		// event from before until.
		until := time.Since(r.begun)
		for _, w := range r.workers {
			waiting = w.drain(waiting, j)
		}
		if last {
			until = math.MaxInt64 // no worker and no action is left
		}
		waiting = j.hear(waiting, until, sample)
		if r.cfg.Progress != nil {
			r.cfg.Progress(j.live(time.Since(r.begun)))
		}
	}
}
