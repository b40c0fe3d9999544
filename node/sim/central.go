package sim

import (
	"github.com/distributed-rate-limiter/distributed-rate-limiter/gcra"
	"github.com/distributed-rate-limiter/distributed-rate-limiter/node"
)

// central is the one limiter that the cluster is compared with: it gets the same
// requests at the same true times, and knows everything at once.
type central struct {
	levels   map[string]gcra.Level
	admitted uint64 // requests
	units    uint64 // their cost
}

// request decides one request.
func (c *central) request(g *gcra.GCRA, client string, t, cost int64) {
	level, some := c.levels[client]
	if !some || g.TAT(level) < t {
		level = gcra.Level{Base: t}
	}
	if admitted, _ := g.Admit(level, t, cost); !admitted {
		return
	}
	level.Count += uint64(cost) //nolint:gosec // positive
	c.levels[client] = level
	c.admitted++
	c.units += uint64(cost) //nolint:gosec // positive
}

// change converts all clients to a new policy at true time t.
func (c *central) change(old *gcra.GCRA, p node.Policy, t int64) {
	for client, level := range c.levels {
		c.levels[client] = convert(old, level, p, t)
	}
}

// convert is what a level under an old policy becomes under p at true time t: what
// was used up stays so, in whole units, as far as the new burst goes.
func convert(old *gcra.GCRA, l gcra.Level, p node.Policy, t int64) gcra.Level {
	level := gcra.Level{Base: t}
	if ahead := old.TAT(l) - t; ahead > 0 {
		units := old.Units(ahead)
		if old.Drain(units) < ahead {
			units++
		}
		level.Count = min(units, uint64(p.Burst)) //nolint:gosec // validated
	}
	return level
}
