package node

import (
	"sync/atomic"
	"time"
)

// Clock steps: a wall clock that is ahead of ours by more than stepAhead is
// followed at once (a suspend, or a clock that was set right); one that is behind
// is waited for, by running slower, since time must never step back here.
const (
	stepAhead = 100 * time.Millisecond
	slowBy    = 10 // run slower by one part in slowBy while ahead of the wall
	fineSlack = time.Millisecond
)

// clock is unix time that never steps back: read from the wall once, advanced by
// the monotonic clock, and steered towards the wall by keep. Reading it is
// wait-free.
type clock struct {
	epoch time.Time // carries a monotonic reading
	base  atomic.Pointer[clockBase]
	wall  func() time.Time // stands in for the wall in tests
}

// clockBase maps monotonic time since epoch to our time: at + (mono - from),
// slower by one part in slowBy if slow.
type clockBase struct {
	from, at int64
	slow     bool
}

func newClock() *clock {
	now := time.Now()
	c := &clock{epoch: now, wall: time.Now}
	c.base.Store(&clockBase{at: now.UnixNano()})
	return c
}

// Now is unix time in nanoseconds, never less than an earlier Now.
func (c *clock) Now() int64 { return c.base.Load().read(int64(time.Since(c.epoch))) }

func (b *clockBase) read(mono int64) int64 {
	d := mono - b.from
	if b.slow {
		d -= d / slowBy
	}
	return b.at + d
}

// keep compares with the wall clock and steers; it is to be called about once a
// second, by one goroutine. It returns how far our time is ahead of the wall.
func (c *clock) keep() time.Duration {
	mono := int64(time.Since(c.epoch))
	ours, wall := c.base.Load().read(mono), c.wall().Round(0).UnixNano()
	ahead := time.Duration(ours - wall)
	next := &clockBase{from: mono, at: ours}
	switch {
	case ahead < -stepAhead:
		// Real time passed that the monotonic clock did not count, or the wall was
		// set forward: both mean that buckets have drained.
		next.at = wall
	case ahead < 0:
		next.at = wall // within what a tick may jump without harm
	case ahead > fineSlack:
		next.slow = true
	}
	c.base.Store(next)
	return ahead
}

// fixedClock adapts Config.Now, which a caller may step back: readings never do.
type fixedClock struct {
	now  func() time.Time
	last atomic.Int64
}

func (c *fixedClock) Now() int64 {
	t := c.now().UnixNano()
	for {
		last := c.last.Load()
		if t <= last {
			return last
		}
		if c.last.CompareAndSwap(last, t) {
			return t
		}
	}
}
