package clock

import (
	"math"
	"runtime"
	"sync/atomic"
	"time"
)

const (
	// span is for how long a look at the monotonic clock is good: until then the processor's counter
	// tells how much time has passed. A look takes as long as a decision: raising span saves looks.
	// Lowering it narrows what a wrong counter can do.
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
	// behind is by how much time is behind the clock at most: by drift of a span twice, since the rate
	// may be too low by as much, and by exact. Raising any of the three raises it.
	behind = 3 * time.Microsecond
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
	next atomic.Int64         // the monotonic time at which somebody looks again if there is none
	told atomic.Int64         // what readers may have been told when the last look was given up

	busy atomic.Bool // somebody looks; it guards the rest
	// The looks take turns, so that readers go by the last one while the next one is written.
	looks [2]look
	// trusted says that the counter goes with the monotonic clock. ticks and mono are of the last look,
	// and oldTicks and oldMono of the last measurement, which found a tick to take measured, in ns.
	trusted         bool
	ticks, oldTicks uint64
	mono, oldMono   int64
	measured        float64
	late            int    // how many looks in a row took too long
	good, rate      uint64 // what the next look is given
}

// look is what the clock showed at a value of the processor's counter.
type look struct {
	from atomic.Uint64 // the counter right after; 0 while the look is written
	at   atomic.Int64
	good atomic.Uint64 // for how many ticks
	rate atomic.Uint64 // a bit less than a tick takes; see rateBits
}

// source is where a look comes from.
type source interface {
	ticks() uint64 // the processor's counter
	passed() int64 // the monotonic clock
	// show is what the clock shows at a monotonic time. steady says that it goes as fast, and will for
	// the next span.
	show(mono int64) (at int64, steady bool)
}

// tell is the time by a look at a value of the processor's counter. It reports false if the look is
// not good any more.
func (l *look) tell(ticks uint64) (at int64, ok bool) {
	from := l.from.Load()
	d := ticks - from
	if d >= l.good.Load() {
		return 0, false
	}
	at = l.at.Load() + int64(d*l.rate.Load()>>rateBits) //nolint:gosec // at most a span
	return at, l.from.Load() == from                    // or at may be of a later look
}

// most is what tell tells at a value of the processor's counter, or what it told at most if the look is
// over. It reports false if the look is being replaced.
func (l *look) most(ticks uint64) (at int64, ok bool) {
	from := l.from.Load()
	d := min(ticks-from, l.good.Load())
	at = l.at.Load() + int64(d*l.rate.Load()>>rateBits) //nolint:gosec // at most a span
	return at, from > 0 && l.from.Load() == from
}

// read is the time when the last look is over, and makes the next one, unless somebody is at it.
// anyway says that it is made though the last one is good.
func (n *counter) read(s source, anyway bool) int64 {
	if n.last.Load() == nil {
		if mono := s.passed(); mono < n.next.Load() {
			return n.untold(s, mono, n.told.Load())
		}
	}
	if !n.busy.CompareAndSwap(false, true) {
		return n.meanwhile(s)
	}
	l := n.last.Load()
	if l != nil && !anyway { // somebody may have looked just now
		if at, ok := l.tell(s.ticks()); ok {
			n.busy.Store(false)
			return at
		}
	}
	begun := s.ticks()
	mono := s.passed()
	ended := s.ticks()
	at, steady := s.show(mono)
	least := max(at-int64(behind), min(at, n.told.Load()))
	if l != nil {
		told, _ := l.most(ended) // nobody else replaces it
		least = max(least, min(told, at+int64(exact)))
	}
	switch n.judge(begun, ended, mono, steady) {
	case keep:
		at = max(at, least)
		l = &n.looks[0]
		if n.last.Load() == l {
			l = &n.looks[1]
		}
		l.from.Store(0)
		l.at.Store(at)
		l.good.Store(n.good)
		l.rate.Store(n.rate)
		l.from.Store(ended)
		n.last.Store(l)
	case giveUp:
		if l != nil { // whoever has it may still be told as much
			end, _ := l.most(l.from.Load() - 1)
			n.told.Store(max(least, end))
		}
		n.next.Store(mono + int64(soon))
		n.last.Store(nil)
		at = least
	case again:
		at = least
	}
	n.busy.Store(false)
	return at
}

// meanwhile is the time while somebody else looks: untold, but not before what the last look told.
func (n *counter) meanwhile(s source) int64 {
	least := n.told.Load()
	for l := n.last.Load(); l != nil; l = n.last.Load() {
		if at, ok := l.most(s.ticks()); ok {
			least = max(least, at)
			break
		} // others have looked twice since
	}
	return n.untold(s, s.passed(), least)
}

// untold is the time at a monotonic time without a look, but not before least. It is so far behind the
// clock that no look is further behind it.
func (n *counter) untold(s source, mono, least int64) int64 {
	at, _ := s.show(mono)
	return max(at-int64(behind), min(at, least))
}

// jump is how far a clock may be set ahead, in ns, while readers go by the last look. Raising it lets
// them be behind by as much for a span; below behind, time might then step back.
const jump = behind

// hold keeps others from looking until release. It waits for one who looks, and is for those who set the
// clock.
func (n *counter) hold() {
	for !n.busy.CompareAndSwap(false, true) {
		runtime.Gosched()
	}
}

// release ends hold. anew says that readers are to look at once.
func (n *counter) release(anew bool) {
	if anew {
		n.next.Store(0)
		n.last.Store(nil)
	}
	n.busy.Store(false)
}

// judgement says what is done with a look.
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
	if math.Abs(n.measured-last) > drift*n.measured || n.measured < fastest || n.measured > slowest {
		return false
	}
	n.rate = uint64(n.measured * (1 - drift) * (1 << rateBits))
	n.good = uint64(float64(span) / n.measured)
	return true
}
