package gcra

import (
	"math"
	"time"
)

// Never is an instant before all others: the origin of a client without one.
const Never = math.MinInt64 / 2

// Level is the use of one client, as a decision reads it. The client's theoretical arrival
// time is TAT = Base + D(Count).
//
// Base is the latest origin in unix nanoseconds: the start of the current busy period, or
// the TAT at the end of earlier windows. It is Never for an unknown client. Count is the
// net cost admitted since. The zero Level is a client whose bucket was full in 1970. It
// decides as an unknown client.
//
// Instants are unix nanoseconds from 0 on (1970). Sums with an earlier t may overflow.
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
	g := &GCRA{policy: p, rate: newRate(uint64(p.Limit), uint64(p.Window))}
	g.depth = g.rate.drain(uint64(p.Burst))
	return g, nil
}

// Slowed is the same limit at part/whole of its rate, with the same burst: the isolation
// share of nodes that cannot hear the rest of their cluster. part is from 1 to whole, and
// whole at most 1,000.
func (g *GCRA) Slowed(part, whole int) *GCRA {
	limit, window := g.rate.limit*uint64(part), g.rate.window //nolint:gosec // small and positive
	for window > math.MaxUint64/uint64(whole) {               // years by hundreds of nodes: a bit less exact
		limit, window = max(1, limit/2), window/2
	}
	s := &GCRA{policy: g.policy, rate: newRate(limit, window*uint64(whole))}
	s.depth = s.rate.drain(uint64(s.policy.Burst))
	return s
}

// Policy returns the policy with its defaults.
func (g *GCRA) Policy() Policy { return g.policy }

// Drain is D(c) = ceil(c·Window/Limit): the nanoseconds in which c units drain,
// saturating at Forever.
func (g *GCRA) Drain(c uint64) int64 { return g.rate.drain(c) }

// Units is the number of whole units that drain in d nanoseconds.
func (g *GCRA) Units(d int64) uint64 { return g.rate.units(d) }

// UnitsOver is the use that leaves d nanoseconds to drain, rounded up. Above a unit per
// nanosecond, several numbers of units take d to drain; UnitsOver is no less than any of
// them.
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

// Admit decides cost units at time t for a client at level l. It changes nothing. On true,
// the caller raises the level's origin to the returned one, unless that is Never, and then
// adds cost to the count.
//
// Admit returns an origin if TAT < t, that is if the bucket was full. The busy period then
// starts anew at t, and the count stays, because it can only grow. Admit never admits a
// cost below 1 or above the burst.
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

// Decision is one answer, with the numbers for the client. The zero value denies for good:
// nothing remains, and no wait is given.
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

// Explain describes the client's standing at level l and time t, for a peek and for the
// answer after a decision. l is the level after the decision. Explain copies allowed into
// the answer; cost is the requested cost.
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
