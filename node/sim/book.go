package sim

import "github.com/distributed-rate-limiter/distributed-rate-limiter/gcra"

// clientOf is one client under one limit.
type clientOf struct{ limit, client string }

// book is what the central limiter knows of one client under one limit.
type book struct {
	ruler  *ruler
	counts map[int64]uint64 // by part
	level  gcra.Level       // of GCRA
}

func newBook(r *ruler) *book {
	return &book{ruler: r, counts: map[int64]uint64{}, level: gcra.Level{Base: gcra.Never}}
}

// used is what counts at t, in whole units, rounded up.
func (b *book) used(t int64) uint64 {
	if b.ruler.gcra != nil {
		return b.ruler.gcra.UnitsOver(max(0, b.ruler.gcra.TAT(b.level)-t))
	}
	return b.ruler.used(b.counts, t)
}

// admits decides cost at t, and counts nothing.
func (b *book) admits(t, cost int64) bool {
	if b.ruler.gcra != nil {
		level := b.level
		if b.ruler.gcra.TAT(level) < t {
			level = gcra.Level{Base: t}
		}
		admitted, _ := b.ruler.gcra.Admit(level, t, cost)
		return admitted
	}
	limit := b.ruler.policy.Limit
	return cost <= limit && b.used(t) <= uint64(limit-cost) //nolint:gosec // not negative
}

// count counts cost at t.
func (b *book) count(t, cost int64) {
	if b.ruler.gcra != nil {
		if b.ruler.gcra.TAT(b.level) < t {
			b.level = gcra.Level{Base: t}
		}
		b.level.Count += uint64(cost) //nolint:gosec // positive
		return
	}
	b.counts[b.ruler.part(t)] += uint64(cost) //nolint:gosec // positive
	for start := range b.counts {
		if start < b.ruler.oldest(t)-b.ruler.width {
			delete(b.counts, start)
		}
	}
}

// change goes over to another ruler at t: what was used stays so, as far as the new
// limit goes, and where both count in the same windows, in those that it was used in.
func (b *book) change(r *ruler, t int64) {
	most := uint64(r.policy.Burst) //nolint:gosec // validated
	if r.alike(b.ruler) {
		for start, n := range b.counts {
			b.counts[start] = min(n, most)
		}
		b.ruler = r
		return
	}
	units := min(b.used(t), most)
	*b = *newBook(r)
	if r.gcra != nil {
		b.level = gcra.Level{Base: t, Count: units}
	} else if units > 0 {
		b.counts[r.part(t)] = units
	}
}

// ask decides one request that several limits may have to admit.
func (c *central) ask(books []*book, t, cost int64) {
	for _, b := range books {
		if !b.admits(t, cost) {
			return
		}
	}
	for _, b := range books {
		b.count(t, cost)
	}
	c.admitted++
	c.units += uint64(cost) //nolint:gosec // positive
}
