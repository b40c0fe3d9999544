package health

import (
	"sync"
	"sync/atomic"
)

// Growing notices that a counter grew since the last look. The zero value is ready. Safe for
// concurrent use.
type Growing struct {
	mu   sync.Mutex
	last uint64
}

// Grew reports whether the counter is above what it was at the last look.
func (g *Growing) Grew(to uint64) bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	was := g.last
	g.last = max(was, to)
	return to > was
}

// recent notices that a counter grew a short while ago. The zero value is ready. Safe for
// concurrent use.
type recent struct {
	Growing
	at atomic.Int64 // when it was seen to grow last; 0 is never
}

func (r *recent) lately(now int64, count uint64) bool {
	if r.Grew(count) {
		r.at.Store(now)
	}
	at := r.at.Load()
	return at != 0 && now-at < crowdedFor
}
