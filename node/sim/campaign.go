package sim

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"runtime/debug"
	"slices"
	"strings"
	"sync"
	"text/tabwriter"
	"time"
)

// mostFailures caps the failures that a Summary spells out; it counts all of them. More
// would hide the first ones, which are enough to begin with.
const mostFailures = 20

// Summary is the outcome of many random runs. It depends on the seeds alone, not on the
// number of workers or their order. The zero Summary is of no run.
type Summary struct {
	From  uint64 `json:"from"` // the first seed
	Next  uint64 `json:"next"` // the seed to go on with: all from From up to it have run
	Total Row    `json:"total"`
	// Faults has a row "none" of the runs without faults, then a row for each kind of
	// fault, by name, of the runs that had it. A run with two kinds is in two rows.
	Faults []Row     `json:"faults"`
	Failed []Failure `json:"failed"` // the first ones by seed
}

// Row sums up runs.
type Row struct {
	Name      string        `json:"name"`
	Seeds     uint64        `json:"seeds"`
	Simulated time.Duration `json:"simulated"`
	NodeTime  time.Duration `json:"node_time"` // simulated, times nodes
	Degraded  time.Duration `json:"degraded"`  // how long nodes said so
	// DegradedBy is as in Result.
	DegradedBy map[string]time.Duration `json:"degraded_by,omitempty"`
	Decisions  uint64                   `json:"decisions"`
	Admitted   uint64                   `json:"admitted"`
	Conforming uint64                   `json:"conforming"` // requests that had to be admitted
	WrongDeny  uint64                   `json:"wrongly_denied"`
	// Overdenied and WorstOverdenied are as in Result.
	Overdenied      uint64  `json:"overdenied"`
	WorstOverdenied float64 `json:"worst_overdenied"`
	Messages        uint64  `json:"messages"`
	Bytes           uint64  `json:"bytes"`
	Violations      uint64  `json:"violations"`
	// Tightest is the largest share of its pointwise bound that any admission used, and
	// TightestSeed the run it was in.
	Tightest     float64 `json:"tightest"`
	TightestSeed uint64  `json:"tightest_seed"`
	Trace        uint64  `json:"trace"` // sum of the runs' traces: equal code gives equal sums
}

// Failure is a run that broke a promise, or panicked.
type Failure struct {
	Seed       uint64   `json:"seed"`
	Violations []string `json:"violations"`
}

// Campaign runs the scenarios that draw makes of seeds seeds from from on, on workers goroutines (at
// least one), until all are done or ctx ends. It finishes every run that it began, so
// another campaign can go on at Summary.Next. progress, if not nil, gets the total after
// every run, one call at a time.
func Campaign(ctx context.Context, draw func(seed uint64) Scenario, from, seeds uint64, workers int, progress func(Row)) Summary {
	c := campaign{next: from, end: from + seeds, faults: map[string]*Row{}, progress: progress}
	c.sum.From = from
	var all sync.WaitGroup
	for range max(1, workers) {
		all.Go(func() {
			for ctx.Err() == nil {
				seed, more := c.take()
				if !more {
					return
				}
				c.done(seed, attempt(draw(seed)))
			}
		})
	}
	all.Wait()
	return c.summary()
}

// campaign is a Campaign in progress.
type campaign struct {
	mu        sync.Mutex
	next, end uint64
	sum       Summary
	faults    map[string]*Row
	progress  func(Row)
}

func (c *campaign) take() (seed uint64, more bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.next == c.end {
		return 0, false
	}
	c.next++
	return c.next - 1, true
}

// attempt runs one seed. A run that panics is a violation, and not the end of the
// others.
func attempt(sc Scenario) (r Result) {
	defer func() {
		if p := recover(); p != nil {
			r = Result{Scenario: sc, Violations: []string{fmt.Sprintf("panic: %v\n%s", p, debug.Stack())}}
		}
	}()
	r, err := Run(sc, nil)
	if err != nil {
		return Result{Scenario: sc, Violations: []string{err.Error()}}
	}
	return r
}

func (c *campaign) done(seed uint64, r Result) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.sum.Total.add(seed, &r)
	for _, kind := range r.Scenario.kinds() {
		row := c.faults[kind]
		if row == nil {
			row = &Row{Name: kind}
			c.faults[kind] = row
		}
		row.add(seed, &r)
	}
	if len(r.Violations) > 0 {
		c.sum.Failed = append(c.sum.Failed, Failure{seed, r.Violations})
		slices.SortFunc(c.sum.Failed, func(a, b Failure) int { return cmp.Compare(a.Seed, b.Seed) })
		c.sum.Failed = c.sum.Failed[:min(len(c.sum.Failed), mostFailures)]
	}
	if c.progress != nil {
		c.progress(c.sum.Total)
	}
}

func (c *campaign) summary() Summary {
	s := c.sum
	s.Next, s.Total.Name = c.next, "all"
	for _, row := range c.faults {
		s.Faults = append(s.Faults, *row)
	}
	slices.SortFunc(s.Faults, func(a, b Row) int {
		switch calm {
		case a.Name:
			return -1
		case b.Name:
			return 1
		}
		return strings.Compare(a.Name, b.Name)
	})
	return s
}

// calm names the runs without faults.
const calm = "none"

// kinds lists what happens to the cluster in this scenario, by the names of a Summary's rows.
func (sc *Scenario) kinds() []string {
	var out []string
	add := func(kind string, has bool) {
		if has && !slices.Contains(out, kind) {
			out = append(out, kind)
		}
	}
	for i := range sc.Faults {
		add(string(sc.Faults[i].Kind), true)
	}
	add(string(FaultLoss), sc.Link.Loss > 0)
	add("duplicate", sc.Link.Duplicate > 0)
	add("reorder", sc.Link.Reorder)
	add("bandwidth", sc.Link.Bandwidth > 0)
	add("skew", sc.Skew > 0)
	add(calm, len(out) == 0)
	add("windows", sc.windowed()) // no fault, but a row of its own
	return out
}

func (row *Row) add(seed uint64, r *Result) {
	row.Seeds++
	row.Simulated += r.Simulated
	row.NodeTime += r.Simulated * time.Duration(r.Scenario.Nodes)
	row.Degraded += r.Degraded
	for reason, d := range r.DegradedBy {
		if row.DegradedBy == nil {
			row.DegradedBy = map[string]time.Duration{}
		}
		row.DegradedBy[reason] += d
	}
	row.Decisions += r.Decisions
	row.Admitted += r.Admitted
	row.Conforming += r.Conforming
	row.WrongDeny += r.WrongDeny
	row.Overdenied += r.Overdenied
	row.WorstOverdenied = max(row.WorstOverdenied, r.WorstOverdenied)
	row.Messages += r.Messages
	row.Bytes += r.Bytes
	row.Violations += uint64(len(r.Violations))
	row.Trace += r.Trace
	if r.Tightest > row.Tightest || r.Tightest == row.Tightest && seed < row.TightestSeed {
		row.Tightest, row.TightestSeed = r.Tightest, seed
	}
}

// String is the table of all rows, and the failures.
func (s Summary) String() string {
	var b strings.Builder
	_, _ = fmt.Fprintf(&b, "seeds %d to %d\n", s.From, s.Next-1)
	w := tabwriter.NewWriter(&b, 0, 0, 2, ' ', tabwriter.AlignRight)
	_, _ = fmt.Fprintln(w, "fault\tseeds\thours\tnode hours\tdegraded\tdecisions\tadmitted\tconforming\tdenied of these\toverdenied\tworst\tmessages\tviolations\ttightest\tat seed\t")
	for _, r := range append([]Row{s.Total}, s.Faults...) {
		_, _ = fmt.Fprintf(w, "%s\t%d\t%.1f\t%.1f\t%.1f\t%d\t%d\t%d\t%d\t%d\t%.1f\t%d\t%d\t%.3f\t%d\t\n", r.Name, r.Seeds, r.Simulated.Hours(), r.NodeTime.Hours(), r.Degraded.Hours(),
			r.Decisions, r.Admitted, r.Conforming, r.WrongDeny, r.Overdenied, r.WorstOverdenied, r.Messages, r.Violations, r.Tightest, r.TightestSeed)
	}
	_ = w.Flush()
	if len(s.Total.DegradedBy) > 0 {
		_, _ = fmt.Fprintf(&b, "node seconds degraded, of %.0f\n", s.Total.NodeTime.Seconds())
		w = tabwriter.NewWriter(&b, 0, 0, 2, ' ', tabwriter.AlignRight)
		for _, reason := range slices.Sorted(maps.Keys(s.Total.DegradedBy)) {
			_, _ = fmt.Fprintf(w, "%s\t%.0f\t\n", reason, s.Total.DegradedBy[reason].Seconds())
		}
		_ = w.Flush()
	}
	for _, f := range s.Failed {
		for _, v := range f.Violations {
			_, _ = fmt.Fprintf(&b, "seed %d: %s\n", f.Seed, v)
		}
	}
	return b.String()
}
