package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"math"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"time"
)

const (
	module     = "github.com/distributed-rate-limiter/distributed-rate-limiter"
	natsServer = "github.com/nats-io/nats-server/v2"
)

// choice is what the command line says.
type choice struct {
	seed    uint64
	seeds   int
	length  time.Duration
	quiet   bool
	only    string
	compare bool
}

func main() {
	var c choice
	flag.Uint64Var(&c.seed, "seed", 1, "the first `seed`")
	flag.IntVar(&c.seeds, "seeds", 3, "how many seeds")
	flag.DurationVar(&c.length, "for", 2*time.Minute, "how long faults go on in each run")
	flag.BoolVar(&c.quiet, "quiet", false, "no faults")
	flag.StringVar(&c.only, "only", "", "only faults whose name holds this `text`")
	flag.BoolVar(&c.compare, "compare", true, "run each seed without faults as well, for a quarter of the time, and compare how late answers are")
	flag.Parse()
	if folder := os.Getenv(inside); folder != "" {
		if err := c.within(folder); err != nil {
			fmt.Fprintln(os.Stderr, "chaos:", err)
			os.Exit(1)
		}
		return
	}
	if err := c.all(); err != nil {
		fmt.Fprintln(os.Stderr, "chaos:", err)
		os.Exit(1)
	}
}

// all runs all seeds, each in namespaces of its own, and prints a row for each.
func (c *choice) all() error {
	for _, tool := range []string{"ip", "tc", "nft"} {
		if _, err := exec.LookPath(tool); err != nil {
			return fmt.Errorf("%s is missing: `make chaos` installs iproute2 and nftables of Debian: %w", tool, err)
		}
	}
	folder, err := os.MkdirTemp("", "chaos")
	if err != nil {
		return err
	}
	defer func() { _ = os.RemoveAll(folder) }()
	if err := build(folder); err != nil {
		return err
	}
	fmt.Println("| seed | nodes | faults | decisions | E, and its bound | closest | together after | p99.9, to that without faults | limits set | violations |")
	fmt.Println("|---|---|---|---|---|---|---|---|---|---|")
	var broken []string
	var ratios []float64
	admitted, beyond := 0, math.Inf(-1) // under bounded limits
	for i := range c.seeds {
		seed := c.seed + uint64(i) //nolint:gosec // small
		o, err := c.child(folder, seed, c.length, c.quiet)
		if err != nil {
			return err
		}
		ratio := ""
		if c.compare && !c.quiet {
			calm, err := c.child(folder, seed, max(c.length/4, 10*time.Second), true)
			if err != nil {
				return err
			}
			o.Violations = append(o.Violations, calm.Violations...)
			if calm.Late > 0 {
				ratios = append(ratios, float64(o.Late)/float64(calm.Late))
				ratio = fmt.Sprintf(", %.1f", ratios[len(ratios)-1])
			}
		}
		fmt.Println(o.row(ratio))
		admitted, beyond = admitted+o.Bounded, max(beyond, o.Beyond)
		for _, v := range o.Violations {
			broken = append(broken, fmt.Sprintf("seed %d: %s", seed, v))
			fmt.Fprintln(os.Stderr, broken[len(broken)-1]) // at once: the rest takes long
		}
	}
	if len(ratios) > 0 {
		slices.Sort(ratios)
		fmt.Printf("\nThe p99.9 of decisions is %.1f times that without faults (median of %d).\n", ratios[len(ratios)/2], len(ratios))
	}
	fmt.Printf("\nBounded limits admitted %d units. The nearest stayed %.2f units below its cap.\n", admitted, -beyond)
	if len(broken) > 0 {
		return errors.New("violations:\n  " + strings.Join(broken, "\n  "))
	}
	fmt.Printf("%d runs, 0 violations\n", c.seeds)
	return nil
}

// row is a run's row of the table in docs/reliability.md.
func (o *outcome) row(ratio string) string {
	return fmt.Sprintf("| %d | %d, %s | %d | %d | %.1f, %.1f | %.0f %% | %.1f s | %.1f ms%s | %d | %d |",
		o.Seed, o.Nodes, o.Network, len(o.Faults), o.Decisions, o.Excess, o.Bound, 100*o.Closest,
		o.Mended.Seconds(), float64(o.Late)/float64(time.Millisecond), ratio, o.Changes, len(o.Violations))
}

// build makes the programs: the daemon with a clock that can be set.
func build(folder string) error {
	for _, args := range [][]string{
		{"build", "-tags", "chaos", "-o", filepath.Join(folder, "ratelimitd"), module + "/cmd/ratelimitd"},
		{"build", "-o", filepath.Join(folder, "nats-server"), natsServer},
	} {
		if out, err := exec.Command("go", args...).CombinedOutput(); err != nil { //nolint:noctx // ends with this process
			return fmt.Errorf("go %s: %w\n%s", strings.Join(args, " "), err, out)
		}
	}
	return nil
}

// child runs one seed in a process of its own.
func (c *choice) child(folder string, seed uint64, length time.Duration, quiet bool) (o outcome, err error) {
	state, err := os.MkdirTemp(folder, "run")
	if err != nil {
		return o, err
	}
	for _, name := range []string{"ratelimitd", "nats-server"} {
		if err := os.Link(filepath.Join(folder, name), filepath.Join(state, name)); err != nil {
			return o, err
		}
	}
	fmt.Fprintf(os.Stderr, "seed %d, %v, quiet %t\n", seed, length, quiet)
	cmd := again([]string{"-seed", fmt.Sprint(seed), "-for", length.String(), fmt.Sprintf("-quiet=%t", quiet), "-only", c.only}, state)
	var out bytes.Buffer
	cmd.Stdout = &out
	if err := cmd.Run(); err != nil {
		return o, fmt.Errorf("seed %d: %w", seed, err)
	}
	err = json.Unmarshal(out.Bytes(), &o)
	return o, err
}

// within is one run, inside the namespaces. It writes its outcome as JSON.
func (c *choice) within(folder string) error {
	rnd := rand.New(rand.NewPCG(c.seed, 1)) //nolint:gosec // a plan, no secret
	r := &run{folder: folder, seed: c.seed, nodes: 3 + rnd.IntN(3), network: []string{"mesh", "server"}[c.seed%2]}
	o, err := r.execute(c.length, c.quiet, c.only)
	if err != nil || len(o.Violations) > 0 {
		for _, d := range r.daemons {
			log, _ := os.ReadFile(filepath.Join(d.dir, "log"))
			fmt.Fprintf(os.Stderr, "log of %s:\n%s\n", d.name, log[max(0, len(log)-4000):])
		}
	}
	if err != nil {
		return err
	}
	return json.NewEncoder(os.Stdout).Encode(o)
}
