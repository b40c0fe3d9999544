package clock

import (
	"math"
	"sync/atomic"
	"time"
)

const (
	// span is for how long a look at the clock is good: until then its time is told by the
	// processor's counter. Raising it saves looks, of which one takes as long as a decision;
	// lowering it narrows what a wrong counter can do.
	span = time.Millisecond
	// drift is by which part the counter's rate may change from one measurement to the next. NTP
	// slews a clock by 1/2000. Raising it trusts worse counters, and Lately is behind by that part of
	// span; lowering it trusts none.
	drift = 1e-3
	// exact is how long a look may take. One that takes longer was interrupted halfway, and the next
	// reader looks again. Raising it makes rates less exact; lowering it throws good looks away.
	exact = drift / 2 * float64(span)
	// tries is how many looks in a row may take longer, until the counter is taken to be slow to
	// read. Raising it costs that many readers their time; lowering it gives good counters up.
	tries = 8
	// soon and later are the times between measurements of a counter that is not trusted, and of one
	// that is. Raising them makes the rate more exact, and finds a wrong one later.
	soon, later = 10 * time.Millisecond, time.Second
	// rateBits makes rates integers: they are in 2^-rateBits ns a tick.
	rateBits = 32
	// fastest and slowest are what a tick may take, in ns. With shorter ones a product could overflow,
	// and longer ones tell too little.
	fastest, slowest = 1.0 / 16, 16.0
)

// counter tells a clock's time by the processor's counter. The zero value does not trust it yet.
// What all readers read is on one cache line, which is seldom written.
type counter struct {
	from atomic.Uint64 // the processor's counter right after the last look, untrusted or looking
	at   atomic.Int64  // what the clock showed at that look
	good atomic.Uint64 // for how many ticks a look is good
	rate atomic.Uint64 // a bit less than a tick takes; see rateBits
	next atomic.Int64  // while it is untrusted: when to look again

	// These are for whoever looks: the monotonic clock at the last look; the processor's counter and
	// the monotonic clock when the rate was last measured, and what it was, in ns a tick; 0 for not yet;
	// and how many looks in a row took too long.
	seen     int64
	ticks    uint64
	mono     int64
	measured float64
	late     int
}

// What counter.from may be instead of a value of the processor's counter.
const (
	untrusted = iota // the counter did not tell the same rate twice, or the clock is slowed down
	looking          // somebody looks
)

// Lately is what Now was a moment ago, for half of the cost. The moment is up to 3 µs long. If the
// processor's counter becomes slower by more than drift, it is as long as span takes by that counter.
// If it becomes faster by more than drift, or differs between cores, Lately may be ahead of Now by less
// than span. The next look finds that out, and then Lately is Now. It is no fence: readings on several
// cores may be some nanoseconds the wrong way round. Safe for concurrent use, and wait-free.
func (c *Clock) Lately() int64 {
	if !hasTicks {
		return c.Now()
	}
	n := &c.counter
	from := n.from.Load()
	if from > looking {
		if at, ok := n.tell(from, ticks()); ok {
			return at
		}
	}
	return c.look(from)
}

// tell is the time at a value of the processor's counter by the look that ended at from. It reports
// false if that look is not good any more.
func (n *counter) tell(from, ticks uint64) (at int64, ok bool) {
	d := ticks - from // huge if the counter was set back
	if d >= n.good.Load() {
		return 0, false
	}
	at = n.at.Load() + int64(d*n.rate.Load()>>rateBits) //nolint:gosec // below span
	return at, n.from.Load() == from                    // or at may be of another look
}

// look is Now, and by it Lately tells the time for a while. from is as it was read.
func (c *Clock) look(from uint64) int64 {
	n := &c.counter
	if from <= looking {
		if at := c.Now(); from == looking || at < n.next.Load() {
			return at
		}
	}
	if !n.from.CompareAndSwap(from, looking) {
		return c.Now()
	}
	begun := ticks()
	mono := int64(time.Since(c.epoch))
	ended := ticks()
	at, b := c.show(mono), c.base.Load()
	steady := !b.slow && mono >= b.from // or the clock is slower than the counter, or will be: see slowLead
	n.note(from, begun, ended, mono, at, steady)
	return at
}

// note takes a look between two values of the processor's counter, and sets from, which was as given.
// The clock showed at, and steady says that it goes as fast as the monotonic one.
func (n *counter) note(from, begun, ended uint64, mono, at int64, steady bool) {
	late := float64(ended-begun)*max(n.measured, fastest) > exact
	if late && steady && from > looking && n.late < tries {
		n.late++
		n.from.Store(from) // it is over, so the next reader looks again
		return
	}
	n.late = 0
	if late {
		n.measured = 0
	}
	if late || !steady || !n.keepsTime(from, ended, mono) {
		n.next.Store(at + int64(soon))
		n.from.Store(untrusted)
		return
	}
	n.at.Store(at)
	n.from.Store(ended)
}

// keepsTime reports whether the processor's counter goes with the monotonic clock: since the look that
// ended at from, if it was trusted, and from one measurement to the next.
func (n *counter) keepsTime(from, ended uint64, mono int64) bool {
	last, passed := n.measured, float64(mono-n.seen)
	n.seen = mono
	if from > looking {
		if math.Abs(float64(ended-from)*last-passed) > drift*passed+2*exact {
			n.measured = 0
			return false
		}
		if mono-n.mono < int64(later) {
			return true
		}
	}
	n.measured = float64(mono-n.mono) / float64(ended-n.ticks)
	n.ticks, n.mono = ended, mono
	if math.Abs(n.measured-last) > drift*last || n.measured < fastest || n.measured > slowest {
		return false
	}
	n.rate.Store(uint64(n.measured * (1 - drift) * (1 << rateBits)))
	n.good.Store(uint64(float64(span) / n.measured))
	return true
}
