package main

import (
	"context"
	"fmt"
	"io"

	"github.com/distributed-rate-limiter/distributed-rate-limiter/node/sim"
)

// runCampaign runs random scenarios.
func (c *simCommand) runCampaign(ctx context.Context) error {
	seeds := uint64(campaignSeeds)
	if c.given["seeds"] {
		seeds = c.seeds
	}
	sum := sim.Campaign(ctx, c.from, seeds, c.workers, func(total sim.Row) {
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

// verdict is the error that a campaign ends with, nil if all was well.
func (c *simCommand) verdict(sum *sim.Summary, interrupted bool) error {
	switch {
	case len(sum.Failed) > 0:
		return fmt.Errorf("%d violations of what is promised; repeat the first with: %s", sum.Total.Violations, c.again(sum.Failed[0].Seed))
	case interrupted:
		return fmt.Errorf("interrupted; go on with -from %d", sum.Next)
	}
	return nil
}
