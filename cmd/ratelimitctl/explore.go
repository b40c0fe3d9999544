package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/distributed-rate-limiter/distributed-rate-limiter/cmd/internal/output"
	"github.com/distributed-rate-limiter/distributed-rate-limiter/node"
	"github.com/distributed-rate-limiter/distributed-rate-limiter/node/sim"
)

// mostDepth is far beyond what anybody waits for: each step multiplies the time by six.
const mostDepth = 12

// runExplore tries all short schedules of small clusters.
func (c *simCall) runExplore(ctx context.Context) error {
	if err := c.refuse("-explore", except(simExploreFlags)); err != nil {
		return err
	}
	if c.explore < 1 || c.explore > mostDepth {
		return usagef("-explore %d: must be from 1 to %d steps", c.explore, mostDepth)
	}
	all := exploration{}
	list := sim.Explorations
	if c.bounded {
		list = sim.BoundedExplorations
	}
	for _, x := range list(c.explore) {
		found := x.Run(ctx, c.workers, func(depth int, states uint64) {
			c.progress.Showf("%d nodes, %s: %d states within %d steps", x.Nodes, limitOf(x.Policy), states, depth)
		})
		if ctx.Err() != nil {
			c.progress.Done()
			return errors.New("interrupted")
		}
		all = append(all, found)
	}
	c.progress.Done()
	if err := c.format.Print(c.stdout, all, all.print); err != nil {
		return err
	}
	if n := all.broken(); n > 0 {
		return fmt.Errorf("%d states break what is promised", n)
	}
	return nil
}

// exploration is the outcome for all clusters.
type exploration []sim.Explored

func (all exploration) broken() (n uint64) {
	for i := range all {
		n += all[i].Broken
	}
	return n
}

func (all exploration) print(w io.Writer) error {
	t := output.Table{Numbers: true}
	t.Row("cluster", "steps", "states", "transitions", "broken", "took")
	for i := range all {
		x := &all[i]
		t.Row(fmt.Sprintf("%d nodes, %s", x.Nodes, limitOf(x.Policy)), x.Depth, x.States, x.Steps, x.Broken, x.Took.Round(time.Second/10))
	}
	if err := t.Print(w); err != nil {
		return err
	}
	for i := range all {
		for _, f := range all[i].Found {
			if _, err := fmt.Fprintf(w, "%d nodes, %s: %s: %s\n", all[i].Nodes, limitOf(all[i].Policy), f.Schedule, f.Violations[0]); err != nil {
				return err
			}
		}
	}
	return nil
}

func limitOf(p node.Policy) string {
	switch {
	case p.Consistency == node.Bounded:
		return fmt.Sprintf("bounded, burst %d, excess %.0f", p.Burst, p.MaxExcess)
	case p.Algorithm == node.GCRA:
		return fmt.Sprintf("gcra, burst %d", p.Burst)
	}
	return fmt.Sprintf("%v of %d", p.Algorithm, p.Limit)
}
