package clock

import (
	"math"
	"sync/atomic"
	"time"
)

const (
	// span is for how long a look at the monotonic clock is good: until then the processor's counter
	// tells how much time has passed. Raising it saves looks, of which one takes as long as a decision;
	// lowering it narrows what a wrong counter can do.
	span = time.Millisecond
	// drift is by which part the counter's rate may change from one measurement to the next. NTP
	// mostly slews a clock by up to 1/2000. Raising it trusts worse counters, and a clock is behind by
	// that part of span; lowering it trusts none.
	drift = 1e-3
	// exact is how long a look may take, in ns. One that takes longer was interrupted halfway, and the
	// next reader looks again. Raising it makes rates less exact; lowering it throws good looks away.
	exact = drift / 2 * float64(span)
	// tries is how many looks in a row may take longer, until the counter is taken to be slow to
	// read. Raising it costs that many readers their time; lowering it gives good counters up.
	tries = 8
	// soon and later are the times between measurements of a counter that is not trusted, and of one
	// that is. Raising them makes the rate more exact, and finds a wrong one later.
	soon, later = 10 * time.Millisecond, time.Second
	// rateBits makes rates integers: they are in 2^-rateBits ns a tick.
	rateBits = 32
	// fastest and slowest are what a tick may take, in ns. Shorter ones are of no processor, and
	// longer ones tell too little.
	fastest, slowest = 1.0 / 16, 16.0
)

// counter tells a clock's time by the processor's counter. It is never ahead of the clock, and never
// steps back while it trusts the counter. The zero value does not trust it yet.
type counter struct {
	last atomic.Pointer[look] // the look that readers go by; nil if there is none
	good atomic.Uint64        // for how many ticks a look is good
	rate atomic.Uint64        // a bit less than a tick takes; see rateBits
	next atomic.Int64         // the monotonic time at which somebody looks again if there is none
	told atomic.Int64         // what readers may have been told by the last look when it was given up

	busy atomic.Bool // somebody looks; it guards the rest
	// The looks take turns, so that readers go by the last one while the next one is written.
	looks [2]look
	// trusted says that the counter goes with the monotonic clock. ticks and mono are of the last look,
	// and oldTicks and oldMono of the last measurement, which found a tick to take measured, in ns.
	trusted         bool
	ticks, oldTicks uint64
	mono, oldMono   int64
	measured        float64
	late            int // how many looks in a row took too long
}

// look is what the clock showed at a value of the processor's counter.
type look struct {
	from atomic.Uint64 // the counter right after; 0 while the look is written
	at   atomic.Int64
}

// source is where a look comes from.
type source interface {
	ticks() uint64 // the processor's counter
	passed() int64 // the monotonic clock
	// show is what the clock shows at a monotonic time. steady says that it goes as fast, and will for
	// the next two spans.
	show(mono int64) (at int64, steady bool)
}

// tell is the time by a look at a value of the processor's counter. It reports false if the look is
// older than most ticks.
func (n *counter) tell(l *look, ticks, most uint64) (at int64, ok bool) {
	from := l.from.Load()
	d := ticks - from
	if d >= most {
		return 0, false
	}
	at = l.at.Load() + int64(d*n.rate.Load()>>rateBits) //nolint:gosec // at most two spans
	return at, l.from.Load() == from                    // or at may be of another look
}

// read is the time when the last look is over, and makes the next one, unless somebody is at it.
// anyway says that it is made though the last one is good.
func (n *counter) read(s source, anyway bool) int64 {
	if n.last.Load() == nil && s.passed() < n.next.Load() || !n.busy.CompareAndSwap(false, true) {
		return n.meanwhile(s)
	}
	l := n.last.Load()
	if l != nil && !anyway { // somebody may have looked just now
		if at, ok := n.tell(l, s.ticks(), n.good.Load()); ok {
			n.busy.Store(false)
			return at
		}
	}
	begun := s.ticks()
	mono := s.passed()
	ended := s.ticks()
	at, steady := s.show(mono)
	least := at - int64(exact)
	if l != nil {
		if told, ok := n.tell(l, ended, 2*n.good.Load()); ok {
			least = max(least, told) // somebody may have read that
		}
	}
	least = max(least, n.told.Load())
	switch n.judge(begun, ended, mono, steady) {
	case keep:
		at = max(at, least)
		l = &n.looks[0]
		if n.last.Load() == l {
			l = &n.looks[1]
		}
		l.from.Store(0)
		l.at.Store(at)
		l.from.Store(ended)
		n.last.Store(l)
		if now, _ := s.show(mono); now-at > jump { // the clock was set meanwhile: see forget
			n.forget()
		}
	case giveUp:
		n.told.Store(least)
		n.next.Store(mono + int64(soon))
		n.last.Store(nil)
		at = least
	case again:
		at = least
	}
	n.busy.Store(false)
	return at
}

// meanwhile is the time while nobody is to look. It is the last look's, if readers may have read a time
// by it within a span. Otherwise it is so far behind the clock that the next look is not behind it.
func (n *counter) meanwhile(s source) int64 {
	if l := n.last.Load(); l != nil {
		if at, ok := n.tell(l, s.ticks(), 2*n.good.Load()); ok {
			return at
		}
	}
	at, _ := s.show(s.passed())
	return max(at-int64(exact), n.told.Load())
}

// jump is how far a clock may be set ahead, in ns, while readers go by the last look. Raising it lets
// them be behind by as much for a span; below exact, they might then step back.
const jump = 1000

// forget makes readers look again, because the clock was set ahead by more than jump.
func (n *counter) forget() {
	n.next.Store(0)
	n.last.Store(nil)
}

// What becomes of a look.
type judgement uint8

const (
	keep   judgement = iota
	again            // it was interrupted, and the next reader looks again
	giveUp           // the counter is not trusted for a while
)

// judge judges a look between two values of the processor's counter.
func (n *counter) judge(begun, ended uint64, mono int64, steady bool) judgement {
	late := float64(ended-begun)*max(n.measured, fastest) > exact
	if late && steady && n.trusted && n.late < tries {
		n.late++
		return again
	}
	n.late = 0
	if late {
		n.trusted, n.measured = false, 0
		return giveUp
	}
	n.trusted = n.keepsTime(ended, mono)
	if !n.trusted || !steady {
		return giveUp
	}
	return keep
}

// keepsTime reports whether the processor's counter goes with the monotonic clock: since the last look,
// if it was trusted, and from one measurement to the next.
func (n *counter) keepsTime(ended uint64, mono int64) bool {
	passed, since, last := float64(mono-n.mono), mono-n.oldMono, n.measured
	told := float64(int64(ended-n.ticks)) * last //nolint:gosec // negative if the counter was set back
	n.ticks, n.mono = ended, mono
	if n.trusted {
		if math.Abs(told-passed) > drift*passed+2*exact {
			n.measured = 0
			return false
		}
		if since < int64(later) {
			return true
		}
	} else if since < int64(soon) {
		return false // another reader has just measured it
	}
	n.measured = float64(since) / float64(ended-n.oldTicks)
	n.oldTicks, n.oldMono = ended, mono
	if math.Abs(n.measured-last) > drift*last || n.measured < fastest || n.measured > slowest {
		return false
	}
	n.rate.Store(uint64(n.measured * (1 - drift) * (1 << rateBits)))
	n.good.Store(uint64(float64(span) / n.measured))
	return true
}
