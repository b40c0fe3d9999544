// Package seldom keeps what anybody can cause from filling the log.
package seldom

import (
	"sync"
	"time"
)

// Lines lets one line a second into the log and counts the others. The zero value is ready.
// Safe for concurrent use.
type Lines struct {
	mu     sync.Mutex
	last   time.Time // of the last line
	unsaid int       // without a line since
}

// Say reports whether a line is due at now, and how many were left out since the last one.
func (l *Lines) Say(now time.Time) (unsaid int, due bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if !l.last.IsZero() && now.Sub(l.last) < time.Second {
		l.unsaid++
		return 0, false
	}
	unsaid, l.unsaid, l.last = l.unsaid, 0, now
	return unsaid, true
}
