package main

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"maps"
	"os"
	"runtime"
	"slices"
	"strings"
	"time"

	"github.com/distributed-rate-limiter/distributed-rate-limiter/cmd/internal/output"
	"github.com/distributed-rate-limiter/distributed-rate-limiter/node/sim"
)

// simCommand is one call of sim.
type simCommand struct {
	simOptions
	random   bool
	from     uint64
	seeds    uint64
	workers  int
	sweep    string
	svg      string
	html     string
	trace    string
	file     string
	format   output.Format
	given    map[string]bool // flags that were set
	stdout   io.Writer
	progress *output.Progress
}

// What a call of sim does is one of these. Flags that a mode does not use are
// refused, not ignored.
var (
	simFileFlags     = []string{"scenario", "seed", "trace", "o"}
	simSeedFlags     = []string{"random", "seed", "trace", "o"}
	simCampaignFlags = []string{"random", "from", "seeds", "workers", "o"}
	simSweepOnly     = []string{"svg", "html", "seeds", "workers"}
)

const (
	campaignSeeds = 1000
	sweepSeeds    = 5
	mostWorkers   = 1024
)

func runSim(ctx context.Context, args []string, stdout, stderr io.Writer) error {
	f := newFlags("sim", "[flags]", stdout)
	c := simCommand{simOptions: *newSimOptions(), given: map[string]bool{}, stdout: stdout, progress: output.NewProgress(stderr)}
	c.register(f.FlagSet)
	f.BoolVar(&c.random, "random", false, "run random clusters, loads and faults: -seeds of them, or the one of -seed")
	f.Uint64Var(&c.from, "from", 1, "with -random: the first seed")
	f.Uint64Var(&c.seeds, "seeds", 0, fmt.Sprintf("how many seeds to run (default %d with -random, %d for each value with -sweep)", campaignSeeds, sweepSeeds))
	f.IntVar(&c.workers, "workers", runtime.GOMAXPROCS(0), "with -random and -sweep: runs at the same time")
	f.StringVar(&c.sweep, "sweep", "", "run with each value of one flag, `FLAG=V1,V2,...`, of "+strings.Join(sweepable(), ", "))
	f.StringVar(&c.svg, "svg", "", "with -sweep: draw it into this `FILE`")
	f.StringVar(&c.html, "html", "", "with -sweep: write it as a page into this `FILE`")
	f.StringVar(&c.trace, "trace", "", "write all that happens into this `FILE`, - for the standard output")
	f.StringVar(&c.file, "scenario", "", "run the scenario in this JSON `FILE`, as -o json prints it, instead of what flags describe")
	f.Func("o", "output `FORMAT`, table or json (default table)", func(s string) error {
		if s == "table" {
			s = string(output.Text)
		} else if s != string(output.JSON) {
			return fmt.Errorf("must be table or json, not %q", s)
		}
		return c.format.Set(s)
	})
	if _, err := f.parse(args, 0, 0); err != nil {
		return err
	}
	f.Visit(func(set *flag.Flag) { c.given[set.Name] = true })
	return c.run(ctx)
}

// run does what the flags together ask for.
func (c *simCommand) run(ctx context.Context) error {
	switch {
	case c.given["seeds"] && c.seeds < 1:
		return usagef("-seeds %d: must be at least 1", c.seeds)
	case c.workers < 1 || c.workers > mostWorkers:
		return usagef("-workers %d: must be from 1 to %d", c.workers, mostWorkers)
	case c.trace == "-" && c.format == output.JSON:
		return usagef("-trace -: would mix with the JSON; give it a file")
	case c.given["sweep"]:
		if err := c.refuse("-sweep", func(name string) bool {
			return name == "random" || name == "scenario" || name == "trace" || name == "from"
		}); err != nil {
			return err
		}
		return c.runSweep(ctx)
	case c.random && !c.given["seed"]:
		if err := c.refuse("-random", except(simCampaignFlags)); err != nil {
			return err
		}
		return c.runCampaign(ctx)
	}
	sc, err := c.one()
	if err != nil {
		return err
	}
	return c.runOne(ctx, sc)
}

// one is the single scenario that the flags ask for.
func (c *simCommand) one() (sim.Scenario, error) {
	switch {
	case c.random:
		if err := c.refuse("-random -seed", except(simSeedFlags)); err != nil {
			return sim.Scenario{}, err
		}
		return sim.Random(c.seed), nil
	case c.file != "":
		if err := c.refuse("-scenario", except(simFileFlags)); err != nil {
			return sim.Scenario{}, err
		}
		return c.read()
	}
	for _, name := range append(simSweepOnly, "from") {
		if c.given[name] {
			return sim.Scenario{}, usagef("-%s has no effect without -sweep or -random", name)
		}
	}
	return c.scenario()
}

// refuse returns a usage error if a flag was set that the mode does not use.
func (c *simCommand) refuse(mode string, unused func(flag string) bool) error {
	for _, name := range slices.Sorted(maps.Keys(c.given)) {
		if unused(name) {
			return usagef("-%s has no effect with %s", name, mode)
		}
	}
	return nil
}

func except(used []string) func(string) bool {
	return func(name string) bool { return !slices.Contains(used, name) }
}

// read takes the scenario from its file.
func (c *simCommand) read() (sim.Scenario, error) {
	var sc sim.Scenario
	const most = 16 << 20
	f, err := os.Open(c.file)
	if err != nil {
		return sc, usageError{err}
	}
	defer func() { _ = f.Close() }() // only read
	text, err := io.ReadAll(io.LimitReader(f, most))
	if err != nil {
		return sc, usageError{err}
	}
	// A printed report holds its scenario.
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
		return sc, usagef("-scenario %s: %w", c.file, err)
	}
	if c.given["seed"] {
		sc.Seed = c.seed
	}
	return sc, nil
}

func (c *simCommand) runOne(ctx context.Context, sc sim.Scenario) error {
	trace, closeTrace, err := c.openTrace()
	if err != nil {
		return err
	}
	c.progress.Showf("simulating %v", sc.Duration)
	start := time.Now()
	r, err := simulate(ctx, sc, trace)
	took := time.Since(start)
	c.progress.Done()
	if err == nil {
		err = closeTrace()
	}
	if err != nil {
		return err
	}
	report := newSimReport(sc, r, took)
	if err := c.format.Print(c.stdout, report, report.print); err != nil {
		return err
	}
	if n := len(r.Violations); n > 0 {
		return fmt.Errorf("%d violations of what is promised; repeat with: %s", n, c.again(sc.Seed))
	}
	return nil
}

// again is the command that repeats a run, with its trace.
func (c *simCommand) again(seed uint64) string {
	const program = "go run ./cmd/ratelimitctl sim"
	switch {
	case c.random:
		return fmt.Sprintf("%s -random -seed %d -trace -", program, seed)
	case c.file != "":
		return fmt.Sprintf("%s -scenario %s -seed %d -trace -", program, c.file, seed)
	}
	return "the same flags, -seed " + fmt.Sprint(seed) + " and -trace -"
}

var errInterrupted = errors.New("interrupted")

// simulate runs a scenario unless ctx ends before.
func simulate(ctx context.Context, sc sim.Scenario, trace io.Writer) (sim.Result, error) {
	if ctx.Err() != nil {
		return sim.Result{}, errInterrupted
	}
	type outcome struct {
		r   sim.Result
		err error
	}
	// A run cannot be interrupted. One that is given up goes on until the program
	// ends, which is at once.
	done := make(chan outcome, 1)
	go func() {
		r, err := sim.Run(sc, trace)
		done <- outcome{r, err}
	}()
	select {
	case <-ctx.Done():
		return sim.Result{}, errInterrupted
	case o := <-done:
		return o.r, o.err
	}
}

// openTrace opens what -trace names. Without it the writer is nil.
func (c *simCommand) openTrace() (w io.Writer, closeIt func() error, err error) {
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
