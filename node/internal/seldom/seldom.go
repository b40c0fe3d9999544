// Package seldom keeps what anybody can cause by requests from filling the log.
package seldom

import (
	"log/slog"
	"sync/atomic"
	"time"
)

// Every is how often a log gets a warning at most. Raising it hides that another fault came;
// lowering it lets requests fill the log.
const Every = time.Minute

// Warner writes a warning, and leaves out those that follow within Every. The zero value is
// ready. Safe for concurrent use.
type Warner struct{ last atomic.Int64 } // Unix seconds

// Warn writes the warning to a log, unless it wrote one lately.
func (w *Warner) Warn(log *slog.Logger, text string, args ...any) {
	now, last := time.Now().Unix(), w.last.Load()
	if now-last >= int64(Every/time.Second) && w.last.CompareAndSwap(last, now) {
		log.Warn(text, args...)
	}
}
