package gcra

import (
	"math"
	"time"
)

// Never is an instant before all others: the origin of a client that has none.
const Never = math.MinInt64 / 2

// Level is what one client has used, as a decision reads it. The client's
// theoretical arrival time is TAT = Base + D(Count).
//
// Base is the latest origin in unix nanoseconds: the start of the current busy
// period, or the TAT with which earlier windows were left; Never for a client that
// was never seen. Count is the net cost admitted since. The zero Level is a client
// whose bucket was full in 1970, which decides as an unknown one.
//
// Instants are unix nanoseconds from 0 on (1970): sums with an earlier t may overflow.
type Level struct {
	Base  int64
	Count uint64
}

// GCRA is a validated policy, ready to decide. It is immutable and safe for
// concurrent use. Make one with New; the zero value is not usable.
type GCRA struct {
	policy Policy
	rate   rate
	depth  int64 // D(burst)
}

// New validates p and returns its decider. The error is Policy.Validate's.
func New(p Policy) (*GCRA, error) {
	if err := p.Validate(); err != nil {
		return nil, err
	}
	p = p.WithDefaults()
	g := &GCRA{policy: p, rate: rate{limit: uint64(p.Limit), window: uint64(p.Window)}}
	g.depth = g.rate.drain(uint64(p.Burst))
	return g, nil
}

// Slowed is the same limit at the share part/whole of its rate, and with the same
// burst: what a part of a cluster may let pass while it cannot hear the rest. part
// is from 1 to whole, whole at most 1,000.
func (g *GCRA) Slowed(part, whole int) *GCRA {
	limit, window := g.rate.limit*uint64(part), g.rate.window //nolint:gosec // small and positive
	for window > math.MaxUint64/uint64(whole) {               // years by hundreds of nodes: a bit less exact
		limit, window = max(1, limit/2), window/2
	}
	s := &GCRA{policy: g.policy, rate: rate{limit: limit, window: window * uint64(whole)}}
	s.depth = s.rate.drain(uint64(s.policy.Burst))
	return s
}

// Policy returns the policy with its defaults filled in.
func (g *GCRA) Policy() Policy { return g.policy }

// Drain is D(c) = ceil(c·Window/Limit): the nanoseconds in which c units drain,
// saturating at Forever.
func (g *GCRA) Drain(c uint64) int64 { return g.rate.drain(c) }

// Units is the number of whole units that drain in d nanoseconds.
func (g *GCRA) Units(d int64) uint64 { return g.rate.units(d) }

// UnitsOver is what was used if d nanoseconds are left, rounded up: no fewer than any
// number of units that takes d to drain, which are several above a unit per nanosecond.
func (g *GCRA) UnitsOver(d int64) uint64 {
	c := g.rate.units(d)
	if g.rate.drain(c) < d {
		c++
	}
	return c
}

// Depth is D(Burst) in nanoseconds: how far TAT may run ahead of the clock.
func (g *GCRA) Depth() int64 { return g.depth }

// TAT is the instant at which a client at level l has a full bucket again.
func (g *GCRA) TAT(l Level) int64 { return l.Base + g.rate.drain(l.Count) }

// Admit decides cost units at time t for a client at level l. It changes nothing:
// on true the caller raises the level's origin to the returned one, if that is not
// Never, and then adds cost to the count.
//
// An origin is returned when TAT < t, that is when the bucket was full: the busy
// period starts anew at t, and the count stays, since it can only grow. A cost below
// 1 or above the burst is never admitted.
func (g *GCRA) Admit(l Level, t, cost int64) (admitted bool, origin int64) {
	if cost < 1 || cost > g.policy.Burst {
		return false, Never
	}
	drained := g.rate.drain(l.Count)
	if l.Base+drained < t {
		// t + D(cost) - t <= D(burst) holds for every cost <= burst.
		return true, t - drained
	}
	// Draining the sum, not adding D(cost) to a rounded TAT: two ceilings would
	// deny a full burst for many pairs of limit and burst.
	next := l.Base + g.rate.drain(l.Count+uint64(cost))
	return next-t <= g.depth, Never
}

// Decision is one answer, with what a client may be told. The zero value is a
// denial that never ends well: nothing remains and nothing is to be waited for.
type Decision struct {
	Allowed   bool
	Remaining int64 // whole units that would pass at t, after this decision: 0 to Burst
	// RetryAfter is the time until the same cost would pass if nothing else
	// arrives: 0 if allowed, the largest Duration if it never can.
	RetryAfter time.Duration
	ResetAfter time.Duration // until the bucket is full, 0 if it is
}

// MaxDuration is the RetryAfter of a request that can never pass.
const MaxDuration = time.Duration(math.MaxInt64)

// Explain describes the client's standing at level l and time t: what Peek shows,
// and what is told after a decision. allowed is passed through, and l is the level
// after the decision took effect. cost is the cost that was asked for.
func (g *GCRA) Explain(l Level, t, cost int64, allowed bool) Decision {
	d := Decision{Allowed: allowed, Remaining: g.policy.Burst}
	if tat := g.TAT(l); tat >= t {
		d.ResetAfter = time.Duration(tat - t)
		// The largest c with Base + D(Count+c) - t <= D(burst).
		room := g.rate.units(t + g.depth - l.Base)
		d.Remaining = 0
		if room > l.Count {
			d.Remaining = int64(min(room-l.Count, uint64(g.policy.Burst)))
		}
	}
	if !allowed {
		d.RetryAfter = g.retryAfter(l, t, cost)
	}
	return d
}

func (g *GCRA) retryAfter(l Level, t, cost int64) time.Duration {
	if cost > g.policy.Burst {
		return MaxDuration
	}
	if cost < 1 {
		return 0
	}
	if g.TAT(l) < t {
		return 0
	}
	at := l.Base + g.rate.drain(l.Count+uint64(cost)) - g.depth
	return time.Duration(max(0, at-t))
}
