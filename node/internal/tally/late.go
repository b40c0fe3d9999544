package tally

import "sync"

// mostLate caps the refunds that Late remembers. Above it the oldest one counts for as long as the
// next. Raising it costs memory of each limit that gives back; lowering it lets an old refund count
// for too long, never for too short.
const mostLate = 16

// Late is how many units came back of one client at most that this node heard of late, over time.
// The zero value has none. Safe for concurrent use.
type Late struct {
	mu sync.Mutex
	// past has the largest refunds, oldest first. Each is above all that came later.
	past []lateRefund
}

type lateRefund struct {
	at    int64
	units float64
}

// Note takes that units came back. Calls are in the order of now.
func (l *Late) Note(now int64, units float64) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for n := len(l.past); n > 0 && l.past[n-1].units <= units; n-- {
		l.past = l.past[:n-1]
	}
	l.past = append(l.past, lateRefund{now, units})
	if len(l.past) > mostLate {
		l.past[1].units = l.past[0].units
		l.past = append(l.past[:0], l.past[1:]...)
	}
}

// Since is the most that came back at once since an instant.
func (l *Late) Since(at int64) float64 {
	l.mu.Lock()
	defer l.mu.Unlock()
	for i := range l.past {
		if l.past[i].at >= at {
			return l.past[i].units
		}
	}
	return 0
}
