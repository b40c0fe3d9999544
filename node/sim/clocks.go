package sim

// clocks is how far the clocks of nodes that mattered so far were from true time: of those that
// admitted or denied, and of all at some instants. The zero value has seen none.
type clocks struct {
	min, max int64 // of offsets, nanoseconds
	some     bool  // whether one was seen
}

// sigma is σ, nanoseconds.
func (c *clocks) sigma() int64 { return c.max - c.min }

// observe notes the offset of a node's clock now.
func (c *clocks) observe(m *member) {
	off := m.offset()
	if !c.some {
		c.some, c.min, c.max = true, off, off
	}
	c.min, c.max = min(c.min, off), max(c.max, off)
}

// apart is sigma with the clocks of those nodes that live.
func (c *clocks) apart(living []*member) int64 {
	with := *c
	for _, m := range living {
		with.observe(m)
	}
	return with.sigma()
}

// offset is how far the member's clock is ahead of true time now, nanoseconds.
func (m *member) offset() int64 { return m.clock.read(m.w.now) - m.w.now }
