package health

import (
	"sync"
	"sync/atomic"
)

// Growing notices that a counter grew since the last look. Scrapes and the node's own look once a
// second share one: whoever looks first after a growth sees it, so whoever needs it for longer
// notes when it was seen. The zero value is ready. Safe for concurrent use.
type Growing struct {
	mu   sync.Mutex
	last uint64
}

// Grew reports whether the counter is above the highest value of any look before. Two looks at
// once may come in the other order than they read the counter, so the highest one stays.
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

// lately reports whether the counter grew within crowdedFor before now. It needs a look that often
// to see a growth at the right time.
func (r *recent) lately(now int64, count uint64) bool {
	if r.Grew(count) {
		r.at.Store(now)
	}
	at := r.at.Load()
	return at != 0 && now-at < crowdedFor
}
