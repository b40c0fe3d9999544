// Package seldom keeps what anybody can cause from filling the log.
package seldom

import (
	"log/slog"
	"sync"
	"time"
)

// every is how often a Warner warns at most if it does not say. Raising it hides that another
// fault came; lowering it lets requests fill the log.
const every = time.Minute

// Warner writes a warning, leaves out those that follow too soon, and says with the next one how
// many these were. The zero value warns once a minute. Safe for concurrent use.
type Warner struct {
	// Every is the least time between two warnings; 0 is a minute. It never changes.
	Every time.Duration

	mu     sync.Mutex
	last   time.Time // of the last warning
	unsaid int       // left out since
}

// Warn writes the warning to a log, unless it wrote one lately.
func (w *Warner) Warn(log *slog.Logger, text string, args ...any) {
	if unsaid, due := w.due(time.Now()); due {
		if unsaid > 0 {
			args = append(args, "unsaid", unsaid)
		}
		log.Warn(text, args...)
	}
}

// due reports whether a warning is due at now, and how many were left out since the last one.
func (w *Warner) due(now time.Time) (unsaid int, due bool) {
	pause := w.Every
	if pause == 0 {
		pause = every
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	if !w.last.IsZero() && now.Sub(w.last) < pause {
		w.unsaid++
		return 0, false
	}
	unsaid, w.unsaid, w.last = w.unsaid, 0, now
	return unsaid, true
}
