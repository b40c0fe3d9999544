package sim

import "github.com/distributed-rate-limiter/distributed-rate-limiter/gcra"

// central is what the one central limiter knows of a client under a limit. It gets the
// same requests as the cluster, at the same true times, and knows everything at once.
type central struct {
	*yardstick
	counts map[int64]uint64 // by part
	level  gcra.Level       // of GCRA
}

func newCentral(y *yardstick) *central {
	return &central{yardstick: y, counts: map[int64]uint64{}, level: gcra.Level{Base: gcra.Never}}
}

// used is what counts at t, in whole units, rounded up.
func (c *central) used(t int64) uint64 {
	if c.gcra != nil {
		return c.gcra.UnitsOver(max(0, c.gcra.TAT(c.level)-t))
	}
	return c.yardstick.used(c.counts, t)
}

// admits decides cost at t, and counts nothing.
func (c *central) admits(t, cost int64) bool {
	if c.gcra != nil {
		level := c.level
		if c.gcra.TAT(level) < t {
			level = gcra.Level{Base: t}
		}
		admitted, _ := c.gcra.Admit(level, t, cost)
		return admitted
	}
	limit := c.policy.Limit
	return cost <= limit && c.used(t) <= uint64(limit-cost) //nolint:gosec // not negative
}

// count counts cost at t.
func (c *central) count(t, cost int64) {
	if c.gcra != nil {
		if c.gcra.TAT(c.level) < t {
			c.level = gcra.Level{Base: t}
		}
		c.level.Count += uint64(cost) //nolint:gosec // positive
		return
	}
	c.counts[c.part(t)] += uint64(cost) //nolint:gosec // positive
	for start := range c.counts {
		if start < c.oldest(t)-c.width {
			delete(c.counts, start)
		}
	}
}

// change goes over to another yardstick at t: what was used stays so, as far as the new
// limit goes, and where both count in the same windows, in those that it was used in.
func (c *central) change(y *yardstick, t int64) {
	most := uint64(y.policy.Burst) //nolint:gosec // validated
	if y.alike(c.yardstick) {
		for start, n := range c.counts {
			c.counts[start] = min(n, most)
		}
		c.yardstick = y
		return
	}
	units := min(c.used(t), most)
	*c = *newCentral(y)
	if y.gcra != nil {
		c.level = gcra.Level{Base: t, Count: units}
	} else if units > 0 {
		c.counts[y.part(t)] = units
	}
}
