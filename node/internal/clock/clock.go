// Package clock is a node's time: unix nanoseconds that never step back.
package clock

import (
	"sync/atomic"
	"time"

	"github.com/distributed-rate-limiter/distributed-rate-limiter/crdt"
)

// A wall clock that is ahead of a Clock is followed at once. Either the machine slept and
// the monotonic clock did not count that time, or somebody set the wall clock right. In
// both cases the buckets of all clients have drained. A wall clock that is behind is waited
// for, because time must never step back.
const (
	// slowBy is the part of its speed that a Clock gives up while it waits. A smaller
	// number catches up sooner, but distorts every rate by more meanwhile.
	slowBy = 10
	// fineSlack is how far ahead a Clock may be without slowing down. Lower it and the
	// jitter of the wall clock changes the speed every second; raise it and the clocks of a
	// cluster stay apart by as much.
	fineSlack = time.Millisecond
	// slowLead is how long a change of speed is decided before it takes effect. A reader may
	// hold the old speed for as long as its goroutine is suspended between two loads: lower
	// it and such a reader may see time that later readers have not reached yet. Raise it
	// and a Clock runs at the wrong speed for longer.
	slowLead = 100 * time.Millisecond
)

// Latest is the last instant at which the arithmetic of limits holds, in unix nanoseconds: what
// an admission leaves to drain, ten years at most, has to end before crdt.End. A wall clock
// beyond it is wrong. Raising it lets buckets end at the cap, where everything passes; lowering
// it refuses times that may come.
const Latest = int64(crdt.End) - 11*365*24*int64(time.Hour)

// latestYear is that of Latest.
var latestYear = time.Unix(0, Latest).Year()

// Clock reads the wall clock once, advances by the monotonic clock, and is steered towards
// the wall clock by Steer. Make one with New; the zero value is not usable. Now is safe for
// concurrent use and wait-free.
type Clock struct {
	epoch   time.Time // carries a monotonic reading; never changes
	base    atomic.Pointer[base]
	counter counter
}

// base maps the monotonic time since the epoch to the clock's time. It is immutable. From
// from on the clock reads at + (mono - from), or slower by one part in slowBy if slow. For
// earlier mono it reads what before reads. jumped is by how much all bases so far moved it ahead
// of the monotonic clock.
type base struct {
	from, at int64
	slow     bool
	jumped   int64
	before   *base // nil for one that takes effect at once; its own before is nil
}

// New makes a clock that shows the wall clock's time now.
func New() *Clock {
	now := time.Now()
	c := &Clock{epoch: now}
	c.base.Store(&base{at: now.UnixNano()})
	return c
}

// Now is unix time in nanoseconds, never less than an earlier Now. It is behind the monotonic clock by up
// to 3 µs, because it goes by the processor's counter where that can be trusted: see counter. That counter
// may become faster by more than drift, or differ between cores by more than 1 µs. Then Now is ahead by
// less than a span, and steps back when the next look finds that out. It is no fence: what the processor
// reorders, and what trusted cores differ by, can put two readings the wrong way round.
func (c *Clock) Now() int64 {
	if !hasTicks {
		at, _ := c.show(c.passed())
		return at
	}
	if l := c.counter.last.Load(); l != nil {
		if at, ok := l.tell(ticks()); ok {
			return at
		}
	}
	return c.counter.read(c, false)
}

func (c *Clock) ticks() uint64 { return ticksBehind() }

func (c *Clock) passed() int64 { return int64(time.Since(c.epoch)) }

// show is what the clock shows at a monotonic time. steady is false while the clock is slower than the
// monotonic one, or will be soon: see slowLead.
func (c *Clock) show(mono int64) (at int64, steady bool) {
	// The monotonic clock has to be read first. If Steer replaces the base in between, the
	// reading is by a later base but for an earlier instant, so it is not too high.
	b := c.base.Load()
	if b.slow || mono < b.from {
		return b.read(mono), false
	}
	return b.at + mono - b.from, true
}

func (b *base) read(mono int64) int64 {
	d := mono - b.from
	if d < 0 && b.before != nil {
		return b.before.read(mono)
	}
	if b.slow {
		d -= d / slowBy
	}
	return b.at + d
}

// Jumped is by how much the clock jumped ahead of the monotonic clock since its start, in
// nanoseconds. Now less a later Jumped is a time that advances by the lesser of what this clock
// and the monotonic one do.
func (c *Clock) Jumped() int64 { return c.base.Load().jumped }

// Mono is the monotonic time since the start, in nanoseconds, and wall is the wall clock.
func (c *Clock) Mono() (mono, wall int64) {
	now := time.Now()
	return int64(now.Sub(c.epoch)), now.UnixNano()
}

// Offset is how far the clock is from a monotonic one, in nanoseconds: it changes where the
// clock is set or slowed down, and nowhere else.
func (c *Clock) Offset() int64 {
	mono := int64(time.Since(c.epoch))
	return c.base.Load().read(mono) - mono
}

// Steer compares the clock with the wall clock and corrects it. Call it about once a
// second, from one goroutine. It returns how far the clock is ahead of the wall clock.
func (c *Clock) Steer() time.Duration {
	wall := time.Now()
	ahead := c.steerBy(int64(wall.Sub(c.epoch)), wall.UnixNano())
	if hasTicks {
		c.counter.read(c, true) // a counter that stands still makes no look end
	}
	return ahead
}

// steerBy is Steer with both clocks' readings, taken at one instant.
func (c *Clock) steerBy(mono, wall int64) time.Duration {
	b := c.base.Load()
	ours := b.read(mono)
	ahead := time.Duration(ours - wall)
	slow := ahead > fineSlack
	switch {
	case wall > Latest: // nobody's time: ours goes on by the monotonic clock
	case mono < b.from: // the last change of speed is still to come
	case ahead < 0:
		c.counter.hold() // or a look by the old base could still become the last one
		c.base.Store(&base{from: mono, at: wall, jumped: b.jumped - int64(ahead)})
		c.counter.release(-ahead > jump)
	case slow != b.slow:
		last := *b
		last.before = nil
		from := mono + int64(slowLead)
		c.base.Store(&base{from: from, at: b.read(from), slow: slow, jumped: b.jumped, before: &last})
	}
	return ahead
}

// Ratchet makes a clock of the caller's now: unix nanoseconds that stand still where now
// steps back, or is later than Latest: buckets then do not drain. It is safe for concurrent
// use if now is.
func Ratchet(now func() time.Time) func() int64 {
	var last atomic.Int64
	return func() int64 {
		wall := now()
		t := wall.UnixNano()
		if wall.Year() > latestYear {
			t = Latest + 1 // UnixNano may have wrapped around
		}
		for {
			held := last.Load()
			if t <= held || t > Latest {
				return held
			}
			if last.CompareAndSwap(held, t) {
				return t
			}
		}
	}
}
