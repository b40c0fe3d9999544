package sim_test

import (
	"context"
	"strings"
	"testing"

	"github.com/distributed-rate-limiter/distributed-rate-limiter/node/sim"
)

func TestACampaignDependsOnItsSeedsAlone(t *testing.T) {
	t.Parallel()
	const from, seeds = 100, 12
	one := sim.Campaign(t.Context(), sim.Random, from, seeds, 1, nil)
	calls := uint64(0)
	three := sim.Campaign(t.Context(), sim.Random, from, seeds, 3, func(sim.Row) { calls++ })
	if calls != seeds {
		t.Errorf("progress was told %d times, want %d", calls, seeds)
	}
	if one.String() != three.String() || one.Total.Trace != three.Total.Trace {
		t.Errorf("one worker and three disagree:\n%s\n%s", one, three)
	}
	if one.Total.Seeds != seeds || one.Next != from+seeds || one.Total.Decisions == 0 {
		t.Errorf("the total is not of all seeds: %+v", one)
	}
}

func TestACampaignThatIsStoppedSaysWhereToGoOn(t *testing.T) {
	t.Parallel()
	ctx, stop := context.WithCancel(t.Context())
	defer stop()
	s := sim.Campaign(ctx, sim.Random, 1, 1<<40, 2, func(r sim.Row) {
		if r.Seeds == 3 {
			stop()
		}
	})
	if s.Total.Seeds < 3 || s.Next != 1+s.Total.Seeds {
		t.Errorf("stopped after %d runs, and to go on at %d: want one more", s.Total.Seeds, s.Next)
	}
	if !strings.Contains(s.String(), "violations") {
		t.Errorf("no table: %s", s)
	}
}
