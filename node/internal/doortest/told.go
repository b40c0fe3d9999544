package doortest

import (
	"context"
	"fmt"
	"sync"

	"github.com/distributed-rate-limiter/distributed-rate-limiter/node"
)

// Told notes what a door tells its option Decided, which its method of that name is. The zero Told is
// ready to use. Safe for concurrent use.
type Told struct {
	mu    sync.Mutex
	lines []string
}

// Decided notes one decision in words.
func (t *Told) Decided(_ context.Context, q node.Request, d node.Detail) {
	t.mu.Lock()
	defer t.mu.Unlock()
	verdict := "denied"
	if d.Allowed {
		verdict = "allowed"
	}
	line := fmt.Sprintf("%s %s %d of %d, %d left", d.Limit, verdict, d.Cost, q.Cost, d.Remaining)
	if q.Peek {
		line = fmt.Sprintf("%s %s a look, %d left", d.Limit, verdict, d.Remaining)
	}
	t.lines = append(t.lines, line)
}

// Lines are what was noted since the last call.
func (t *Told) Lines() []string {
	t.mu.Lock()
	defer t.mu.Unlock()
	lines := t.lines
	t.lines = nil
	return lines
}
