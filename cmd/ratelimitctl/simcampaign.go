package main

import (
	"context"
	"errors"
	"fmt"
	"io"

	"github.com/distributed-rate-limiter/distributed-rate-limiter/node/sim"
)

// runCampaign runs random scenarios.
func (c *simCommand) runCampaign(ctx context.Context) error {
	seeds := campaignSeeds
	if c.given["seeds"] {
		seeds = c.seeds
	}
	sum := sim.Campaign(ctx, c.from, uint64(seeds), c.workers, func(total sim.Row) { //nolint:gosec // checked
		c.progress.Showf("%d of %d seeds, %d decisions, %d violations", total.Seeds, seeds, total.Decisions, total.Violations)
	})
	c.progress.Done()
	err := c.format.Print(c.stdout, sum, func(w io.Writer) error {
		_, err := fmt.Fprint(w, sum)
		return err
	})
	switch {
	case err != nil:
		return err
	case sum.Total.Violations > 0 && len(sum.Failed) > 0:
		return fmt.Errorf("%d violations of what is promised; repeat the first with: %s", sum.Total.Violations, c.again(sum.Failed[0].Seed))
	case ctx.Err() != nil:
		return errors.New("interrupted after seed " + fmt.Sprint(sum.Next-1) + "; go on with -from " + fmt.Sprint(sum.Next))
	}
	return nil
}
