package crdt_test

import (
	"math/big"
	"math/bits"

	"github.com/distributed-rate-limiter/distributed-rate-limiter/crdt"
)

// epoch is where simulated time starts: 23 November 2026, in unix nanoseconds.
const epoch = 1_795_392_000_000_000_000

// limit is what this package is not supposed to know: how fast a cost drains, and
// how a decision is made from a State.
type limit struct {
	units, window, burst int64
	frame                crdt.Frame
}

func newLimit(units, window, burst, width int64) *limit {
	l := &limit{units: units, window: window, burst: burst}
	l.frame = crdt.Frame{Width: width, Drain: l.drain}
	return l
}

// drain is ceil(cost·window/units), at most End.
func (l *limit) drain(cost uint64) int64 {
	hi, lo := bits.Mul64(cost, uint64(l.window))
	if hi >= uint64(l.units) {
		return crdt.End
	}
	q, rem := bits.Div64(hi, lo, uint64(l.units))
	if q >= crdt.End {
		return crdt.End
	}
	if rem > 0 {
		q++
	}
	return int64(q)
}

// charge counts cost at t, whether it conforms or not, and returns the origin that
// it raised, or Never.
func (l *limit) charge(s *crdt.State, t, cost int64) (origin int64) {
	origin = crdt.Never
	if drained := l.drain(s.Count()); s.Base()+drained < t {
		origin = t - drained
		s.Raise(origin)
	}
	s.Admit(uint64(cost))
	return origin
}

// take decides cost at t as a node does.
func (l *limit) take(s *crdt.State, t, cost int64) bool {
	s.Roll(&l.frame, l.frame.Start(t))
	if s.Base()+l.drain(s.Count()) >= t && s.Base()+l.drain(s.Count()+uint64(cost))-t > l.drain(uint64(l.burst)) {
		return false
	}
	l.charge(s, t, cost)
	return true
}

// scaled is x nanoseconds in 1/units nanoseconds, in which the time that a cost
// takes to drain is the integer cost·window.
func (l *limit) scaled(x int64) *big.Int { return new(big.Int).Mul(big.NewInt(x), big.NewInt(l.units)) }

func (l *limit) drained(cost uint64) *big.Int {
	return new(big.Int).Mul(new(big.Int).SetUint64(cost), big.NewInt(l.window))
}

// rounds reports whether a unit does not drain in a whole number of nanoseconds.
func (l *limit) rounds() bool { return l.window%l.units != 0 }
