package simulate

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"math"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/distributed-rate-limiter/distributed-rate-limiter/cmd/internal/flags"
	"github.com/distributed-rate-limiter/distributed-rate-limiter/cmd/internal/output"
	"github.com/distributed-rate-limiter/distributed-rate-limiter/node/sim"
)

// parameter is a flag whose values a sweep can try.
type parameter struct {
	label string // of the axis
	value func(o *Options) float64
}

var parameters = map[string]parameter{
	"nodes":         {"nodes", func(o *Options) float64 { return float64(o.nodes) }},
	"clients":       {"clients", func(o *Options) float64 { return float64(o.clients) }},
	"rate":          {"requests per second of all clients", func(o *Options) float64 { return o.rate }},
	"limit":         {"limit, units in each window", func(o *Options) float64 { return float64(o.limit) }},
	"burst":         {"burst, units", func(o *Options) float64 { return float64(o.burst) }},
	"max-overshoot": {"max overshoot, share of the burst", func(o *Options) float64 { return o.maxOvershoot }},
	"loss":          {"share of messages lost", func(o *Options) float64 { return o.loss }},
	"delay":         {"longest one-way delay, ms", func(o *Options) float64 { return milliseconds(o.delay.Max) }},
	"flush":         {"flush interval, ms", func(o *Options) float64 { return milliseconds(o.flush) }},
	"skew":          {"clocks are off by up to, ms", func(o *Options) float64 { return milliseconds(o.skew) }},
}

func milliseconds(d time.Duration) float64 { return float64(d) / float64(time.Millisecond) }

// Parameters lists the flags whose values a sweep can try.
func Parameters() []string { return slices.Sorted(maps.Keys(parameters)) }

// Sweep holds the values of one flag, and the results of a cluster with each value. Make it with
// NewSweep. It is for one goroutine.
type Sweep struct {
	Parameter string       `json:"parameter"`
	Seeds     int          `json:"seeds"` // for each value
	Base      sim.Scenario `json:"base"`  // the scenario but for the parameter
	Points    []Point      `json:"points"`
}

// Point is one value and the results over its seeds.
type Point struct {
	Value    string  `json:"value"`
	X        float64 `json:"x"` // the value as a number, durations in milliseconds
	EMedian  float64 `json:"e_median"`
	EMax     float64 `json:"e_max"`
	EMaxSeed uint64  `json:"e_max_seed"`
	// Bound is the largest bound that nodes promise for the load, 0 for none. Ceiling is the
	// largest bound for any load.
	Bound      float64 `json:"bound"`
	Ceiling    float64 `json:"ceiling"`
	Ratio      float64 `json:"admitted_to_central"` // median
	Messages   float64 `json:"messages_per_second"` // median
	Bytes      float64 `json:"bytes_per_second"`    // median
	PerRequest float64 `json:"messages_per_admitted"`
	Violations int     `json:"violations"`
	broken     uint64  // the first seed with violations

	options Options
	results []sim.Result
}

// MostSeeds caps the seeds for each value of a sweep, and mostValues caps the values. Raising
// either lets a sweep run for hours before it prints anything; lowering it makes coarser charts.
const (
	MostSeeds  = 1000
	mostValues = 50
)

// NewSweep reads a sweep of one flag, such as flush=1ms,5ms. given lists the other flags that the
// call sets. An error names the flag at fault.
func NewSweep(text string, o Options, given []string, seeds int) (*Sweep, error) {
	name, list, _ := strings.Cut(text, "=")
	name = strings.TrimLeft(name, "-")
	o.greedy = name == "loss" // the same clients at all values
	base, err := o.Scenario()
	if err != nil {
		return nil, err
	}
	s := &Sweep{Parameter: name, Seeds: seeds, Base: base}
	p, some := parameters[name]
	values := strings.Split(list, ",")
	switch {
	case seeds > MostSeeds:
		return nil, fmt.Errorf("-seeds %d: must be at most %d for each value", seeds, MostSeeds)
	case !some:
		return nil, fmt.Errorf("-sweep %s: must be like flush=1ms,5ms, of %s", text, strings.Join(Parameters(), ", "))
	case slices.Contains(given, name):
		return nil, fmt.Errorf("-%s has no effect with -sweep %s", name, name)
	case len(values) > mostValues:
		return nil, fmt.Errorf("-sweep %s: %d values, the most is %d", name, len(values), mostValues)
	}
	for _, value := range values {
		point := Point{Value: value, options: o, results: make([]sim.Result, seeds)}
		f := flags.New()
		point.options.Register(f)
		if err := f.Set(name, value); err != nil {
			return nil, fmt.Errorf("-sweep %s: value %q: %w", name, value, err)
		}
		if _, err := point.options.Scenario(); err != nil {
			return nil, fmt.Errorf("-sweep %s: %w", name, err)
		}
		point.X = p.value(&point.options)
		s.Points = append(s.Points, point)
	}
	slices.SortFunc(s.Points, func(a, b Point) int { return cmp.Compare(a.X, b.X) })
	for i := 1; i < len(s.Points); i++ {
		if s.Points[i].X == s.Points[i-1].X {
			return nil, fmt.Errorf("-sweep %s: %s stands twice", name, s.Points[i].Value)
		}
	}
	return s, nil
}

// Run runs all seeds of all values, and up to workers runs at the same time. It calls progress
// with the number of finished runs after each run, one call at a time.
func (s *Sweep) Run(ctx context.Context, workers int, progress func(done, of int)) error {
	ctx, stop := context.WithCancelCause(ctx)
	defer stop(nil)
	var mu sync.Mutex // next, done and calls of progress
	next, done, total := 0, 0, len(s.Points)*s.Seeds
	take := func() (job int, some bool) {
		mu.Lock()
		defer mu.Unlock()
		next++
		return next - 1, next <= total && ctx.Err() == nil
	}
	var all sync.WaitGroup
	for range workers {
		all.Go(func() {
			for job, some := take(); some; job, some = take() {
				if err := s.Points[job/s.Seeds].run(ctx, job%s.Seeds); err != nil {
					stop(err)
				}
				mu.Lock()
				done++
				progress(done, total)
				mu.Unlock()
			}
		})
	}
	all.Wait()
	if cause := context.Cause(ctx); errors.Is(cause, context.Canceled) {
		return ErrInterrupted
	} else if cause != nil {
		return cause
	}
	for i := range s.Points {
		s.Points[i].summarize(s.Base.Duration)
	}
	return nil
}

func (p *Point) run(ctx context.Context, seed int) error {
	o := p.options
	o.Seed += uint64(seed) //nolint:gosec // not negative
	sc, err := o.Scenario()
	if err == nil {
		p.results[seed], err = Run(ctx, sc, nil)
	}
	return err
}

// Violations counts the broken promises of all runs. first has the flags that repeat the first
// run with a broken promise; they replace -sweep.
func (s *Sweep) Violations() (n int, first string) {
	for i := range s.Points {
		p := &s.Points[i]
		if n == 0 && p.Violations > 0 {
			first = fmt.Sprintf("-%s %s -seed %d -trace -", s.Parameter, p.Value, p.broken)
		}
		n += p.Violations
	}
	return n, first
}

// summarize fills in a point's results.
func (p *Point) summarize(load time.Duration) {
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

// Print writes the sweep as a table.
func (s *Sweep) Print(w io.Writer) error {
	var t output.Table
	t.Row("cluster", describeCluster(&s.Base, s.Parameter))
	t.Row("limit", describePolicy(s.Base.Policy, s.Parameter))
	t.Row("load", describeLoad(&s.Base, s.Parameter))
	t.Row("faults", describeFaults(s.Base.Faults))
	t.Row("sweep", fmt.Sprintf("%s, %d seeds from %d for each value", s.Parameter, s.Seeds, s.Base.Seed))
	if err := printed(&t, w); err != nil {
		return err
	}
	t.Numbers = true
	head, rows := s.table()
	for _, row := range append([][]string{head}, rows...) {
		cells := make([]any, len(row))
		for i := range row {
			cells[i] = row[i]
		}
		t.Row(cells...)
	}
	return t.Print(w)
}

// table is a row for each value.
func (s *Sweep) table() (head []string, rows [][]string) {
	for i := range s.Points {
		p := &s.Points[i]
		bound := "-"
		if p.Bound > 0 {
			bound = fmt.Sprintf("%.1f", p.Bound)
		}
		rows = append(rows, []string{
			p.Value, fmt.Sprintf("%.1f", p.EMedian), fmt.Sprintf("%.1f", p.EMax), bound, fmt.Sprintf("%.1f", p.Ceiling),
			fmt.Sprintf("%.4f", p.Ratio), fmt.Sprintf("%.1f", p.Messages), fmt.Sprintf("%.0f", p.Bytes), fmt.Sprint(p.Violations),
		})
	}
	return []string{s.Parameter, "E median", "E max", "bound", "for any load", "admitted/central", "messages/s", "bytes/s", "violations"}, rows
}
