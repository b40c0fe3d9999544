package tally

import (
	"math/bits"
	"sync/atomic"
	"unsafe"

	"github.com/distributed-rate-limiter/distributed-rate-limiter/node/internal/top"
)

// Refusals counts denials for which nobody took a lock, so that a client that hammers on all
// cores does not make them wait for each other. The zero value is ready. Safe for concurrent
// use, and wait-free.
type Refusals struct{ stripes [stripes]stripe }

// stripes is in how many parts Refusals counts, a power of two. Raising it makes it rarer that
// two cores write one cache line, and costs 128 bytes a limit; lowering it does the opposite.
const stripes = 16

// stripe is written by some goroutines. It fills two cache lines, which processors fetch
// together.
type stripe struct {
	count atomic.Uint64 // decisions
	more  atomic.Uint64 // units beyond one for each
	// second is the last second in which something was counted, and before the count until
	// then. Two goroutines that begin a second at once may write either's count.
	second atomic.Int64
	before atomic.Uint64
	_      [96]byte
}

// Count counts a denial of cost, which is positive, at now. share and timed are as of top.Sampler.
func (r *Refusals) Count(now, cost int64) (share uint64, timed bool) {
	s := &r.stripes[place()]
	n := s.count.Add(1)
	if cost > 1 {
		s.more.Add(uint64(cost - 1)) //nolint:gosec // positive
	}
	if second := top.Second(now); second != s.second.Load() {
		s.second.Store(second)
		s.before.Store(n - 1)
	}
	seen := n - 1 - min(n-1, s.before.Load())
	share, random := top.Share(seen, n)
	return share, top.Timed(random)
}

// AddTo adds the denials so far to d.
func (r *Refusals) AddTo(d *Decisions) {
	for i := range r.stripes {
		n := r.stripes[i].count.Load()
		d.Denied += n
		d.DeniedUnits += n + r.stripes[i].more.Load()
	}
}

// place is the stripe of the running goroutine, by where its stack is. Goroutines that run at
// one time have different stacks, and one that goes on mostly keeps its own.
func place() uintptr {
	var here byte
	return uintptr(uint64(uintptr(unsafe.Pointer(&here))>>11) * 0x9e3779b97f4a7c15 >> (64 - bits.TrailingZeros(stripes))) //nolint:gosec // nobody follows the pointer
}
