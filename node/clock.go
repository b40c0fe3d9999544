package node

import (
	"sync/atomic"
	"time"
)

// How the clock is steered. A wall clock that is ahead of ours is followed at once:
// time passed that the monotonic clock did not count (a suspend), or the wall was
// set right; either way buckets have drained. One that is behind is waited for, by
// running slower by one part in slowBy, since time must never step back here.
const (
	slowBy    = 10
	fineSlack = time.Millisecond // ahead by less needs no steering
	// slowLead is how long after the decision to change speed it changes: nobody
	// still reads by the old speed then.
	slowLead = 100 * time.Millisecond
)

// clock is unix time that never steps back: read from the wall once, advanced by
// the monotonic clock, and steered towards the wall by keep. Reading it is
// wait-free.
type clock struct {
	epoch time.Time // carries a monotonic reading
	base  atomic.Pointer[clockBase]
}

// clockBase maps monotonic time since epoch to our time: from from on, at + (mono -
// from), slower by one part in slowBy if slow; before that, as before maps it.
type clockBase struct {
	from, at int64
	slow     bool
	before   *clockBase // nil for the first, which begins with the epoch
}

func newClock() *clock {
	now := time.Now()
	c := &clock{epoch: now}
	c.base.Store(&clockBase{at: now.UnixNano()})
	return c
}

// Now is unix time in nanoseconds, never less than an earlier Now.
func (c *clock) Now() int64 {
	// In this order: a reading by a base that is replaced meanwhile must not be
	// later than the replacement.
	mono := int64(time.Since(c.epoch))
	return c.base.Load().read(mono)
}

func (b *clockBase) read(mono int64) int64 {
	d := mono - b.from
	if d < 0 && b.before != nil {
		return b.before.read(mono)
	}
	if b.slow {
		d -= d / slowBy
	}
	return b.at + d
}

// keep compares with the wall clock and steers; it is to be called about once a
// second, by one goroutine. It returns how far our time is ahead of the wall.
func (c *clock) keep() time.Duration {
	wall := time.Now()
	return c.steer(int64(wall.Sub(c.epoch)), wall.UnixNano())
}

// steer is keep with both clocks' readings, taken at one instant.
func (c *clock) steer(mono, wall int64) time.Duration {
	b := c.base.Load()
	ours := b.read(mono)
	ahead := time.Duration(ours - wall)
	slow := ahead > fineSlack
	switch {
	case mono < b.from: // the last change of speed is still to come
	case ahead < 0:
		c.base.Store(&clockBase{from: mono, at: wall})
	case slow != b.slow:
		last := *b
		last.before = nil
		from := mono + int64(slowLead)
		c.base.Store(&clockBase{from: from, at: b.read(from), slow: slow, before: &last})
	}
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
