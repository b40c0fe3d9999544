package bench

import (
	"context"
	"math"
	"sync"
	"time"
)

// verdict is what came of a request.
type verdict uint8

const (
	denied verdict = iota
	admitted
	failed
)

// event is one request that was sent. Its times count from the start.
type event struct {
	due, asked, answered time.Duration
	client               int32
	node                 int16
	verdict              verdict
}

// recorder keeps what one worker saw until the judge takes it. Its worker and the judge use it
// at once.
type recorder struct {
	mu         sync.Mutex
	room       sync.Cond
	events     []event
	firstError error
	errorAt    time.Duration
}

// mostRecorded caps the events that wait for the judge, for each worker. A higher cap takes
// memory; a lower one makes a fast worker wait for the judge.
const mostRecorded = 1 << 15

func newRecorder() *recorder {
	r := &recorder{}
	r.room.L = &r.mu
	return r
}

// record notes that e was answered now.
func (r *recorder) record(begun time.Time, e event, err error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for len(r.events) == mostRecorded {
		r.room.Wait()
	}
	e.answered = time.Since(begun)
	r.events = append(r.events, e)
	if err != nil && r.firstError == nil {
		r.firstError, r.errorAt = err, e.answered
	}
}

// drain appends the events to all, and empties the recorder.
func (r *recorder) drain(all []event, j *judge) []event {
	r.mu.Lock()
	defer r.mu.Unlock()
	all = append(all, r.events...)
	r.events = r.events[:0]
	if r.firstError != nil {
		j.failed(r.firstError, r.errorAt)
		r.firstError = nil
	}
	r.room.Signal()
	return all
}

// bounds is the nodes' own error bound, as somebody last heard it. The zero value has heard
// nothing. Safe for concurrent use.
type bounds struct {
	mu     sync.Mutex
	now    float64
	recent float64 // the largest since the last look
	known  bool
	gaps   bool // it was not known at some time
}

// boundEvery is how often the nodes are asked. Asking more often costs them time; less often
// misses a bound that was wide for a moment.
const boundEvery = 100 * time.Millisecond

// follow asks until ctx ends.
func (b *bounds) follow(ctx context.Context, watch func(context.Context) (float64, bool)) {
	tick := time.NewTicker(boundEvery)
	defer tick.Stop()
	for {
		bound, ok := watch(ctx)
		if ctx.Err() != nil {
			return
		}
		b.mu.Lock()
		if ok {
			b.now, b.known = bound, true
			b.recent = max(b.recent, bound)
		} else {
			b.gaps = true
		}
		b.mu.Unlock()
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
	}
}

// look returns the largest bound since the last look, NaN if none is known.
func (b *bounds) look() float64 {
	b.mu.Lock()
	defer b.mu.Unlock()
	if !b.known {
		return math.NaN()
	}
	most := b.recent
	b.recent = b.now
	return most
}
