package main

import (
	"cmp"
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"maps"
	"math"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/distributed-rate-limiter/distributed-rate-limiter/cmd/internal/output"
	"github.com/distributed-rate-limiter/distributed-rate-limiter/node/sim"
)

// parameter is a flag that can be swept.
type parameter struct {
	label string // of the axis
	value func(o *simOptions) float64
}

var parameters = map[string]parameter{
	"nodes":         {"nodes", func(o *simOptions) float64 { return float64(o.nodes) }},
	"clients":       {"clients", func(o *simOptions) float64 { return float64(o.clients) }},
	"rate":          {"requests per second of all clients", func(o *simOptions) float64 { return o.rate }},
	"limit":         {"limit, units in each window", func(o *simOptions) float64 { return float64(o.limit) }},
	"burst":         {"burst, units", func(o *simOptions) float64 { return float64(o.burst) }},
	"max-overshoot": {"max overshoot, share of the burst", func(o *simOptions) float64 { return o.maxOvershoot }},
	"loss":          {"share of messages lost", func(o *simOptions) float64 { return o.loss }},
	"delay":         {"longest one-way delay, ms", func(o *simOptions) float64 { return milliseconds(o.delay.Max) }},
	"flush":         {"flush interval, ms", func(o *simOptions) float64 { return milliseconds(o.flush) }},
	"skew":          {"clocks are off by up to, ms", func(o *simOptions) float64 { return milliseconds(o.skew) }},
}

func milliseconds(d time.Duration) float64 { return float64(d) / float64(time.Millisecond) }

func sweepable() []string { return slices.Sorted(maps.Keys(parameters)) }

// sweepResult is a parameter's values and what each came to.
type sweepResult struct {
	Parameter string       `json:"parameter"`
	Seeds     int          `json:"seeds"` // for each value
	Base      sim.Scenario `json:"base"`  // the scenario but for the parameter
	Points    []sweepPoint `json:"points"`
}

// sweepPoint is one value; what is measured is over its seeds.
type sweepPoint struct {
	Value    string  `json:"value"`
	X        float64 `json:"x"` // the value as a number, durations in milliseconds
	EMedian  float64 `json:"e_median"`
	EMax     float64 `json:"e_max"`
	EMaxSeed uint64  `json:"e_max_seed"`
	// Bound is the largest of those that are promised for the load, 0 if none is;
	// Ceiling the largest of those for any load.
	Bound      float64 `json:"bound"`
	Ceiling    float64 `json:"ceiling"`
	Ratio      float64 `json:"admitted_to_central"` // median
	Messages   float64 `json:"messages_per_second"` // median
	Bytes      float64 `json:"bytes_per_second"`    // median
	PerRequest float64 `json:"messages_per_admitted"`
	Violations int     `json:"violations"`
	broken     uint64  // the first seed with violations

	options simOptions
	results []sim.Result
}

func (c *simCommand) runSweep(ctx context.Context) error {
	// The same clients at all values.
	c.greedy = strings.Contains(c.sweep, "loss=")
	base, err := c.scenario()
	if err != nil {
		return err
	}
	seeds := sweepSeeds
	const most = 1000
	if c.seeds > most {
		return usagef("-seeds %d: must be at most %d for each value", c.seeds, most)
	}
	if c.given["seeds"] {
		seeds = int(c.seeds) //nolint:gosec // checked
	}
	name, points, err := c.points()
	if err != nil {
		return err
	}
	if err := c.runPoints(ctx, points, seeds); err != nil {
		return err
	}
	result := &sweepResult{Parameter: name, Seeds: seeds, Base: base}
	broken := 0
	for i := range points {
		points[i].summarize(c.duration)
		broken += points[i].Violations
		result.Points = append(result.Points, points[i])
	}
	if err := c.draw(result); err != nil {
		return err
	}
	if err := c.format.Print(c.stdout, result, result.print); err != nil {
		return err
	}
	if broken > 0 {
		p := points[slices.IndexFunc(points, func(p sweepPoint) bool { return p.Violations > 0 })]
		return fmt.Errorf("%d violations of what is promised; repeat the first with the same flags, but instead of -sweep: -%s %s -seed %d -trace -",
			broken, name, p.Value, p.broken)
	}
	return nil
}

// points reads -sweep.
func (c *simCommand) points() (name string, points []sweepPoint, err error) {
	name, list, _ := strings.Cut(c.sweep, "=")
	name = strings.TrimLeft(name, "-")
	p, some := parameters[name]
	if !some {
		return "", nil, usagef("-sweep %s: must be like flush=1ms,5ms, of %s", c.sweep, strings.Join(sweepable(), ", "))
	}
	if c.given[name] {
		return "", nil, usagef("-%s has no effect with -sweep %s", name, name)
	}
	const most = 50
	values := strings.Split(list, ",")
	if len(values) > most {
		return "", nil, usagef("-sweep %s: %d values, the most is %d", name, len(values), most)
	}
	for _, value := range values {
		point := sweepPoint{Value: value, options: c.simOptions}
		f := flag.NewFlagSet("sweep", flag.ContinueOnError)
		point.options.register(f)
		if err := f.Set(name, value); err != nil {
			return "", nil, usagef("-sweep %s: value %q: %w", name, value, err)
		}
		if _, err := point.options.scenario(); err != nil {
			return "", nil, fmt.Errorf("-sweep %s: %w", name, err)
		}
		point.X = p.value(&point.options)
		points = append(points, point)
	}
	slices.SortFunc(points, func(a, b sweepPoint) int { return cmp.Compare(a.X, b.X) })
	for i := 1; i < len(points); i++ {
		if points[i].X == points[i-1].X {
			return "", nil, usagef("-sweep %s: %s stands twice", name, points[i].Value)
		}
	}
	return name, points, nil
}

// runPoints runs all seeds of all points.
func (c *simCommand) runPoints(ctx context.Context, points []sweepPoint, seeds int) error {
	type job struct{ point, seed int }
	jobs := make(chan job)
	ctx, stop := context.WithCancelCause(ctx)
	defer stop(nil)
	var mu sync.Mutex // progress and stop's first cause
	var done int
	var all sync.WaitGroup
	for i := range points {
		points[i].results = make([]sim.Result, seeds)
	}
	for range c.workers {
		all.Go(func() {
			for j := range jobs {
				o := points[j.point].options
				o.seed += uint64(j.seed) //nolint:gosec // not negative
				sc, err := o.scenario()
				if err == nil {
					points[j.point].results[j.seed], err = simulate(ctx, sc, nil)
				}
				if err != nil {
					stop(err)
				}
				mu.Lock()
				done++
				c.progress.Showf("%d of %d runs", done, len(points)*seeds)
				mu.Unlock()
			}
		})
	}
feed:
	for i := range points {
		for s := range seeds {
			select {
			case jobs <- job{i, s}:
			case <-ctx.Done():
				break feed
			}
		}
	}
	close(jobs)
	all.Wait()
	c.progress.Done()
	if cause := context.Cause(ctx); cause != nil {
		if errors.Is(cause, context.Canceled) {
			return errInterrupted
		}
		return cause
	}
	return nil
}

// summarize fills in what the runs came to.
func (p *sweepPoint) summarize(load time.Duration) {
	median := func(of func(*sim.Result) float64) float64 {
		var all []float64
		for i := range p.results {
			all = append(all, of(&p.results[i]))
		}
		slices.Sort(all)
		n := len(all)
		return (all[(n-1)/2] + all[n/2]) / 2
	}
	p.EMax = math.Inf(-1)
	for i := range p.results {
		r := &p.results[i]
		if r.E > p.EMax {
			p.EMax, p.EMaxSeed = r.E, r.Seed
		}
		p.Bound = max(p.Bound, r.Documented.Total())
		p.Ceiling = max(p.Ceiling, r.Ceiling)
		if len(r.Violations) > 0 && p.Violations == 0 {
			p.broken = r.Seed
		}
		p.Violations += len(r.Violations)
	}
	p.EMedian = median(func(r *sim.Result) float64 { return r.E })
	p.Ratio = median(func(r *sim.Result) float64 { return ratio(r.Admitted, r.Central) })
	p.Messages = median(func(r *sim.Result) float64 { return float64(r.Messages) / load.Seconds() })
	p.Bytes = median(func(r *sim.Result) float64 { return float64(r.Bytes) / load.Seconds() })
	p.PerRequest = median(func(r *sim.Result) float64 { return ratio(r.Messages, r.Admitted) })
}

func (s *sweepResult) print(w io.Writer) error {
	var t output.Table
	t.Row("cluster", describeCluster(&s.Base, s.Parameter))
	t.Row("limit", describePolicy(s.Base.Policy, s.Parameter))
	t.Row("load", describeLoad(&s.Base, s.Parameter))
	t.Row("faults", describeFaults(s.Base.Faults))
	t.Row("sweep", fmt.Sprintf("%s, %d seeds from %d for each value", s.Parameter, s.Seeds, s.Base.Seed))
	if err := t.Print(w); err != nil {
		return err
	}
	say(w, "\n")
	t.Numbers = true
	t.Row(s.Parameter, "E median", "E max", "bound", "for any load", "admitted/central", "messages/s", "bytes/s", "violations")
	for i := range s.Points {
		p := &s.Points[i]
		bound := "-"
		if p.Bound > 0 {
			bound = fmt.Sprintf("%.1f", p.Bound)
		}
		t.Row(p.Value, fmt.Sprintf("%.1f", p.EMedian), fmt.Sprintf("%.1f", p.EMax), bound, fmt.Sprintf("%.1f", p.Ceiling),
			fmt.Sprintf("%.4f", p.Ratio), fmt.Sprintf("%.1f", p.Messages), fmt.Sprintf("%.0f", p.Bytes), p.Violations)
	}
	return t.Print(w)
}
