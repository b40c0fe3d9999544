package node

import (
	"sync"
	"time"
)

// terse lets one line a second into the log and counts the others. The zero value is ready.
// Safe for concurrent use.
type terse struct {
	mu     sync.Mutex
	last   time.Time // of the last line
	unsaid int       // without a line since
}

// say reports whether a line is due at now, and how many were left out since the last one.
func (t *terse) say(now time.Time) (unsaid int, due bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if !t.last.IsZero() && now.Sub(t.last) < time.Second {
		t.unsaid++
		return 0, false
	}
	unsaid, t.unsaid, t.last = t.unsaid, 0, now
	return unsaid, true
}
