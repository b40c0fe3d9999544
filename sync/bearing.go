package sync

// bearing takes the measure of one peer's clock. A message cannot arrive before it was
// sent: so the peer's clock is at least as far ahead of ours as our lag is negative, and at
// most by the lag that the peer sees of our messages. Both are certain. Where a new
// measurement contradicts them, a clock was set, and both begin anew. The zero value has
// measured nothing.
type bearing struct {
	lo, hi int64 // the peer's clock minus ours; they mean nothing before some
	at     int64 // when they held, by our clock
	some   bool
	both   bool // hi is measured: the peer has reported its side
	// recent is the least lag of the last one to two of recentSpan, which we report.
	recent lagWindow
	// history is where the difference lay, its error included.
	history Offsets
}

const (
	// recentSpan is how long a lag that we report to a peer counts at least. Raising it tells
	// the peer later that a clock was set. Lowering it below a few beats reports the lag of
	// messages that were held up.
	recentSpan = int64(2e9)
	// wander is one part in how many by which two clocks that nobody sets may come apart.
	// Lowering it widens the error between two measurements. Raising it takes the drift of
	// poor clocks for a clock that was set, which does no harm to the bound.
	wander = 2000
)

// widen lets the certain bounds become less certain with time.
func (b *bearing) widen(now int64) {
	d := (now - b.at) / wander
	b.lo, b.hi, b.at = b.lo-d, b.hi+d, now
}

// sent takes a message of the peer's: its sending time by its clock.
func (b *bearing) sent(now, sent int64) {
	lo := sent - now
	if !b.both {
		if !b.some || lo > b.lo {
			b.lo, b.hi = lo, lo
		}
		b.at, b.some = now, true
		return
	}
	b.widen(now)
	b.lo = max(b.lo, lo)
	set := b.lo > b.hi // ahead, and what the peer saw before holds no more
	b.hi = max(b.hi, b.lo)
	b.history.Note(now, b.lo, b.hi, set)
}

// seen takes the least lag that the peer saw lately of our messages.
func (b *bearing) seen(now, lag int64) {
	if !b.some {
		return
	}
	if !b.both {
		b.both, b.at, b.hi = true, now, max(lag, b.lo)
		b.history.Note(now, b.lo, b.hi, true)
		return
	}
	b.widen(now)
	b.hi = min(b.hi, lag)
	set := b.hi < b.lo // back
	b.lo = min(b.lo, b.hi)
	b.history.Note(now, b.lo, b.hi, set)
}

// earliest is the earliest instant by our clock that may be at by the peer's.
func (b *bearing) earliest(at int64) int64 { return at - b.hi }
