package sync

import "math"

// lagWindow keeps the least lag of the last one to two spans. The zero value holds none.
type lagWindow struct {
	now    int64 // least of the span that began at turn
	before int64 // least of the span before it; MaxInt64 if there was none
	turn   int64 // own clock
	some   bool  // a lag was added; now and before mean nothing else
}

// lagSpan is how long a lag counts at least. Raising it makes a clock that was set
// right show later. Lowering it lets a busy minute pass for a slower clock.
const lagSpan = int64(60e9)

func (l *lagWindow) add(now, lag, span int64) {
	switch {
	case !l.some:
		*l = lagWindow{now: lag, before: math.MaxInt64, turn: now, some: true}
	case now-l.turn >= span:
		l.before, l.now, l.turn = l.now, lag, now
	default:
		l.now = min(l.now, lag)
	}
}

func (l *lagWindow) least() int64 { return min(l.now, l.before) }

// offset estimates the peer's clock minus ours and the one-way delay as NTP does: half
// the difference and half the sum of the least lags in both directions. Before the peer
// has reported its side, offset takes the delay as 0 and all lag as skew.
func (p *peer) offset() (skew, delay int64) {
	if !p.lag.some {
		return 0, 0
	}
	ours := p.lag.least()
	if !p.hearsUs {
		return -ours, 0
	}
	return (p.theirLag - ours) / 2, max(0, (p.theirLag+ours)/2)
}
