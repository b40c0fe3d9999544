package clock

import (
	"sync"
	"time"
)

// Steady is a caller's two clocks as one time that advances by the lesser of both. Make one with
// NewSteady. Safe for concurrent use.
type Steady struct {
	elapsed func() time.Duration

	mu                sync.Mutex
	now, mono, jumped int64
}

// NewSteady makes a Steady that starts at now. A nil elapsed is a clock that always goes with the
// other one.
func NewSteady(now int64, elapsed func() time.Duration) *Steady {
	s := &Steady{elapsed: elapsed, now: now}
	if elapsed != nil {
		s.mono = int64(elapsed())
	}
	return s
}

// Jumped is by how much the time now, which never steps back, has jumped ahead of elapsed.
func (s *Steady) Jumped(now int64) int64 {
	if s.elapsed == nil {
		return 0
	}
	mono := int64(s.elapsed())
	s.mu.Lock()
	defer s.mu.Unlock()
	if now > s.now {
		s.jumped += max(0, now-s.now-max(0, mono-s.mono))
		s.now, s.mono = now, max(s.mono, mono)
	}
	return s.jumped
}
