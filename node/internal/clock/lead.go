package clock

import (
	"sync/atomic"
	"time"
)

// Lead is how far a node's time is ahead of the wall clock. Set the fields before the first Look.
// Look is for one goroutine; everything else is safe for concurrent use.
type Lead struct {
	Clock *Clock           // nil where the time is a caller's
	Now   func() int64     // the node's time, where Clock is nil
	Wall  func() time.Time // the caller's clock, which Now does not follow back
	// Most is how far ahead peers tolerate. Raising it lets a wrong clock lock clients out for
	// longer; lowering it takes ordinary differences for faults.
	Most time.Duration

	ahead atomic.Int64
}

// Look steers the Clock, or compares the caller's clocks. It reports whether the time is further
// ahead than Most. Call it about once a second.
func (l *Lead) Look() bool {
	if l.Clock != nil {
		l.ahead.Store(int64(l.Clock.Steer()))
	} else {
		l.ahead.Store(l.Now() - l.Wall().UnixNano())
	}
	return l.Beyond()
}

// Last is how far ahead the time was at the last Look; 0 before the first.
func (l *Lead) Last() time.Duration { return time.Duration(l.ahead.Load()) }

// Beyond reports whether Last is above Most.
func (l *Lead) Beyond() bool { return l.Last() > l.Most }
