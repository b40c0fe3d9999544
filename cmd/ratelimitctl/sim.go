package main

import (
	"bufio"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"os"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/distributed-rate-limiter/distributed-rate-limiter/cmd/internal/output"
	"github.com/distributed-rate-limiter/distributed-rate-limiter/cmd/internal/simulate"
	"github.com/distributed-rate-limiter/distributed-rate-limiter/node/sim"
)

// simCall is one call of sim.
type simCall struct {
	*call
	simulate.Options
	random, bounded            bool
	from, seeds                uint64
	workers, explore, requests int
	sweep, html, trace, file   string
	draws                      []*bool  // by simDraws
	given                      []string // flags that were set
	progress                   *output.Progress
}

// The flags of each mode of sim. A call has one mode, and refuses the flags of the others instead
// of ignoring them.
var (
	simFileFlags     = []string{"scenario", "seed", "trace", "o"}
	simSeedFlags     = []string{"random", "correlated", "bounded", "quotas", "restarts", "refunds", "requests", "seed", "trace", "o"}
	simExploreFlags  = []string{"explore", "bounded", "workers", "o"}
	simCampaignFlags = []string{"random", "correlated", "bounded", "quotas", "restarts", "refunds", "requests", "from", "seeds", "workers", "o"}
	simRandomOnly    = []string{"correlated", "bounded", "quotas", "restarts", "refunds", "requests"}
	simSweepOnly     = []string{"html", "seeds", "workers", "from"}
)

// simDraws are what -random can draw instead of anything, by the flag that says so.
var simDraws = []struct {
	flag, usage string
	draw        func(seed uint64) sim.Scenario
}{
	{"correlated", "with -random: draw faults that come together, in and around long cuts", sim.Correlated},
	{"bounded", "with -random: draw bounded limits, and loads and faults that try to exceed their cap; with -explore: try schedules on bounded limits", sim.Bounded},
	{"quotas", "with -random: draw bounded limits with fixed windows, as with -bounded", sim.Quotas},
	{"restarts", "with -random: draw stops of whole clusters, which start again from the counts that they saved", sim.Restarts},
	{"refunds", "with -random: draw refunds without a reservation beside all kinds of faults", sim.Refunds},
}

const (
	campaignSeeds = 1000
	sweepSeeds    = 5
	// mostWorkers keeps a slip from starting more runs than memory holds.
	mostWorkers = 1024
	// mostRequests keeps a slip from making runs that take hours, or more memory than there is.
	mostRequests = 100_000_000
	// mostScenario is the largest scenario that read reads, in bytes. Raising it costs memory for a
	// file that is there by mistake; lowering it refuses scenarios with many faults.
	mostScenario = 16 << 20
)

func simulation(c *call) action {
	s := &simCall{call: c, Options: *simulate.NewOptions(), from: 1, workers: runtime.GOMAXPROCS(0), progress: output.NewProgress(c.stderr)}
	s.Register(c.Set)
	c.Add(&s.random, "random", "run random clusters, loads and faults: -seeds of them, or the one of -seed")
	for i := range simDraws {
		d, on := &simDraws[i], new(bool)
		if d.flag == "bounded" { // -explore has it too
			on = &s.bounded
		}
		c.Add(on, d.flag, d.usage)
		s.draws = append(s.draws, on)
	}
	c.Add(&s.requests, "requests", "with -random: add about that many requests to each run")
	c.Add(&s.from, "from", "with -random: the first seed")
	c.Add(&s.seeds, "seeds", fmt.Sprintf("how many seeds to run (default %d with -random, %d for each value with -sweep)", campaignSeeds, sweepSeeds))
	c.Add(&s.explore, "explore", "try all schedules of that many steps on clusters of two and three nodes with small bursts")
	c.Add(&s.workers, "workers", "with -random and -sweep: runs at the same time")
	c.Add(&s.sweep, "sweep", "run with each value of one flag, `FLAG=V1,V2,...`, of "+strings.Join(simulate.Parameters(), ", "))
	c.Add(&s.html, "html", "with -sweep: write it as a page into this `FILE`")
	c.Add(&s.trace, "trace", "write all events into this `FILE`, - for the standard output")
	c.Add(&s.file, "scenario", "run the scenario in this JSON `FILE`, as -o json prints it, instead of the one that flags describe")
	return func(ctx context.Context) error {
		s.given = c.Given()
		return s.run(ctx)
	}
}

func (c *simCall) gives(name string) bool { return slices.Contains(c.given, name) }

// run runs the mode that the flags together ask for.
func (c *simCall) run(ctx context.Context) error {
	switch {
	case c.gives("seeds") && c.seeds < 1:
		return usagef("-seeds %d: must be at least 1", c.seeds)
	case c.requests < 0 || c.requests > mostRequests:
		return usagef("-requests %d: must be from 0 to %d", c.requests, mostRequests)
	case c.workers < 1 || c.workers > mostWorkers:
		return usagef("-workers %d: must be from 1 to %d", c.workers, mostWorkers)
	case c.trace == "-" && c.format == output.JSON:
		return usagef("-trace -: would mix with the JSON; give it a file")
	}
	if err := c.drawsOnce(); err != nil {
		return err
	}
	switch {
	case c.gives("sweep"):
		return c.runSweep(ctx)
	case c.gives("explore"):
		return c.runExplore(ctx)
	case c.random && !c.gives("seed"):
		return c.runCampaign(ctx)
	}
	sc, err := c.scenario()
	if err != nil {
		return usageError{err}
	}
	return c.runOne(ctx, sc)
}

// scenario is the single scenario that the flags ask for.
func (c *simCall) scenario() (sim.Scenario, error) {
	switch {
	case c.random:
		return c.drawn(c.Seed), c.refuse("-random -seed", except(simSeedFlags))
	case c.file != "":
		if err := c.refuse("-scenario", except(simFileFlags)); err != nil {
			return sim.Scenario{}, err
		}
		return c.read()
	}
	if err := c.refuse("neither -sweep nor -random", func(name string) bool {
		return slices.Contains(simSweepOnly, name) || slices.Contains(simRandomOnly, name)
	}); err != nil {
		return sim.Scenario{}, err
	}
	return c.Scenario()
}

// drawn is the random scenario of a seed.
func (c *simCall) drawn(seed uint64) sim.Scenario {
	draw := sim.Random
	for i, on := range c.draws {
		if *on {
			draw = simDraws[i].draw
		}
	}
	return sim.Busy(draw(seed), c.requests)
}

// drawsOnce refuses flags that ask for two kinds of random scenarios.
func (c *simCall) drawsOnce() error {
	first := ""
	for i, on := range c.draws {
		switch {
		case !*on:
		case first != "":
			return usagef("-%s cannot be beside -%s: each draws scenarios of its own kind", simDraws[i].flag, first)
		default:
			first = simDraws[i].flag
		}
	}
	return nil
}

// refuse returns a usage error if the call sets a flag that its mode does not use.
func (c *simCall) refuse(mode string, unused func(flag string) bool) error {
	if i := slices.IndexFunc(c.given, unused); i >= 0 {
		return usagef("-%s has no effect with %s", c.given[i], mode)
	}
	return nil
}

func except(used []string) func(string) bool {
	return func(name string) bool { return !slices.Contains(used, name) }
}

// read reads the scenario from its file, which may be a printed report.
func (c *simCall) read() (sim.Scenario, error) {
	var sc sim.Scenario
	f, err := os.Open(c.file)
	if err != nil {
		return sc, err
	}
	defer func() { _ = f.Close() }() // only read
	text, err := io.ReadAll(io.LimitReader(f, mostScenario))
	if err != nil {
		return sc, err
	}
	var report struct {
		Scenario json.RawMessage `json:"scenario"`
	}
	if json.Unmarshal(text, &report) == nil && report.Scenario != nil {
		text = report.Scenario
	}
	err = json.Unmarshal(text, &sc)
	if err == nil {
		err = sc.Validate()
	}
	if err != nil {
		return sc, fmt.Errorf("-scenario %s: %w", c.file, err)
	}
	if c.gives("seed") {
		sc.Seed = c.Seed
	}
	return sc, nil
}

func (c *simCall) runOne(ctx context.Context, sc sim.Scenario) error {
	trace, closeTrace, err := c.openTrace()
	if err != nil {
		return err
	}
	c.progress.Showf("simulating %v", sc.Duration)
	start := time.Now()
	r, err := simulate.Run(ctx, sc, trace)
	took := time.Since(start)
	c.progress.Done()
	if err == nil {
		err = closeTrace()
	}
	if err != nil {
		return err
	}
	report := simulate.NewReport(sc, r, took)
	if err := c.format.Print(c.stdout, report, report.Print); err != nil {
		return err
	}
	if n := len(r.Violations); n > 0 {
		return fmt.Errorf("%d violations of what is promised; repeat with: %s", n, c.again(sc.Seed))
	}
	return nil
}

// again is the command that repeats a run, with its trace.
func (c *simCall) again(seed uint64) string {
	const program = "go run ./cmd/ratelimitctl sim"
	switch {
	case c.random:
		draw := []string{program, "-random"}
		for i, on := range c.draws {
			if *on {
				draw = append(draw, "-"+simDraws[i].flag)
			}
		}
		if c.requests > 0 {
			draw = append(draw, "-requests", strconv.Itoa(c.requests))
		}
		return fmt.Sprintf("%s -seed %d -trace -", strings.Join(draw, " "), seed)
	case c.file != "":
		return fmt.Sprintf("%s -scenario %s -seed %d -trace -", program, c.file, seed)
	}
	return "the same flags, -seed " + fmt.Sprint(seed) + " and -trace -"
}

// runCampaign runs random scenarios.
func (c *simCall) runCampaign(ctx context.Context) error {
	if err := c.refuse("-random", except(simCampaignFlags)); err != nil {
		return err
	}
	seeds := cmp.Or(c.seeds, campaignSeeds)
	sum := sim.Campaign(ctx, c.drawn, c.from, seeds, c.workers, func(total sim.Row) {
		c.progress.Showf("%d of %d seeds, %d decisions, %d violations", total.Seeds, seeds, total.Decisions, total.Violations)
	})
	c.progress.Done()
	err := c.format.Print(c.stdout, sum, func(w io.Writer) error {
		_, err := fmt.Fprint(w, sum)
		return err
	})
	if err != nil {
		return err
	}
	return c.verdict(&sum, ctx.Err() != nil)
}

// verdict is the error that a campaign ends with, nil if it kept every promise.
func (c *simCall) verdict(sum *sim.Summary, interrupted bool) error {
	switch {
	case len(sum.Failed) > 0:
		return fmt.Errorf("%d violations of what is promised; repeat the first with: %s", sum.Total.Violations, c.again(sum.Failed[0].Seed))
	case interrupted:
		return fmt.Errorf("interrupted; go on with -from %d", sum.Next)
	}
	return nil
}

func (c *simCall) runSweep(ctx context.Context) error {
	if err := c.refuse("-sweep", func(name string) bool {
		return name == "random" || name == "scenario" || name == "trace" || name == "from" || slices.Contains(simRandomOnly, name)
	}); err != nil {
		return err
	}
	seeds := int(min(cmp.Or(c.seeds, sweepSeeds), math.MaxInt32)) //nolint:gosec // NewSweep refuses too many
	sweep, err := simulate.NewSweep(c.sweep, c.Options, c.given, seeds)
	if err != nil {
		return usageError{err}
	}
	page, err := c.create("html", c.html)
	if err != nil {
		return err
	}
	err = sweep.Run(ctx, c.workers, func(done, of int) { c.progress.Showf("%d of %d runs", done, of) })
	c.progress.Done()
	if err != nil {
		return err
	}
	err = errors.Join(writePage(page, sweep.HTML), c.format.Print(c.stdout, sweep, sweep.Print))
	if n, first := sweep.Violations(); err == nil && n > 0 {
		err = fmt.Errorf("%d violations of what is promised; repeat the first with the same flags, but instead of -sweep: %s", n, first)
	}
	return err
}

// openTrace opens what -trace names. Without it the writer is nil.
func (c *simCall) openTrace() (w io.Writer, closeIt func() error, err error) {
	switch c.trace {
	case "":
		return nil, func() error { return nil }, nil
	case "-":
		b := bufio.NewWriter(c.stdout)
		return b, b.Flush, nil
	}
	f, err := os.Create(c.trace)
	if err != nil {
		return nil, nil, usageError{err}
	}
	b := bufio.NewWriter(f)
	return b, func() error { return errors.Join(b.Flush(), f.Close()) }, nil
}
