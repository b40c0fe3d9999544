package limit

import (
	"cmp"
	"errors"
	"fmt"
	"hash/fnv"
	"math"
	"time"

	"github.com/distributed-rate-limiter/distributed-rate-limiter/gcra"
	"github.com/distributed-rate-limiter/distributed-rate-limiter/node/internal/rights"
)

// MaxBoundedRate caps the rate of a Bounded limit, in units per second. Each unit that a node
// admits there is rounded up by a nanosecond at most: raising the cap costs such a limit more of
// its rate, lowering it refuses limits that work.
const MaxBoundedRate = 10_000_000

// bounded judges what a Bounded policy may have. It names the field that has to change.
func (p Policy) bounded() error {
	refuse := func(field string, value any, reason string) error {
		return &FieldError{Field: field, Value: value, Reason: reason}
	}
	if p.Consistency != Bounded {
		if p.MaxExcess != 0 {
			return refuse("max_excess", p.MaxExcess, "needs consistency: bounded; for eventual limits max_overshoot is the target")
		}
		if p.Hold != 0 {
			return refuse("hold", shownHold(p.Hold), "needs consistency: bounded; requests for other limits never wait")
		}
		return nil
	}
	var faults []error
	if p.Hold != NoHold && (p.Hold < 0 || p.Hold > MaxHold) {
		faults = append(faults, refuse("hold", p.Hold, fmt.Sprintf("must be from 0, which is never, to %v", MaxHold)))
	}
	switch x, burst := p.MaxExcess, float64(p.WithDefaults().Burst); {
	case x < 0 || x > burst || x != x:
		faults = append(faults, refuse("max_excess", x, "must be a share of the burst below 1, or units up to the burst"))
	case p.Algorithm == FixedWindow && (x >= 1 && x > burst/2 || x < 1 && x > 0.5):
		faults = append(faults, refuse("max_excess", x, "must be at most half of the limit with fixed_window"))
	case x > 1 && x != math.Trunc(x):
		faults = append(faults, refuse("max_excess", x, "must be whole units, or a share of the burst below 1"))
	}
	if p.Algorithm == SlidingWindow {
		faults = append(faults, refuse("consistency", p.Consistency, "needs the algorithm gcra or fixed_window: what a sliding window lends would have to stay lent until it has slid out of the window"))
	}
	if p.OnIsolation != IsolationKeep {
		faults = append(faults, refuse("on_isolation", p.OnIsolation, "must be keep with consistency: bounded, which holds under any partition by itself"))
	}
	if p.Shadow {
		faults = append(faults, refuse("shadow", p.Shadow, "cannot be together with consistency: bounded: a shadow lets everything pass"))
	}
	if p.Window > 0 && float64(p.Limit) > MaxBoundedRate*p.Window.Seconds() {
		faults = append(faults, refuse("limit", p.Limit, fmt.Sprintf("must be at most %d per second with consistency: bounded", MaxBoundedRate)))
	}
	if p.Window > 0 && p.Limit > 0 && float64(p.WithDefaults().Burst)/float64(p.Limit)*float64(p.Window) > float64(gcra.MaxWindow) {
		faults = append(faults, refuse("burst", p.WithDefaults().Burst, fmt.Sprintf("must drain within %s with consistency: bounded", Span(gcra.MaxWindow))))
	}
	return errors.Join(faults...)
}

// shownHold is a Hold as people write it: never is 0.
func shownHold(d time.Duration) time.Duration {
	if d == NoHold {
		return 0
	}
	return d
}

// holds is how long doors hold a request by a valid policy.
func (p Policy) holds() time.Duration {
	if p.Consistency != Bounded || p.Access != Limited {
		return 0
	}
	return shownHold(cmp.Or(p.Hold, DefaultHold))
}

// excess is a valid policy's MaxExcess as nanoseconds of drain.
func excess(p Policy, g *gcra.GCRA) int64 {
	if p.MaxExcess < 1 {
		return int64(p.MaxExcess * float64(g.Depth()))
	}
	return g.Drain(uint64(p.MaxExcess))
}

// ExcessUnits is MaxExcess in units: the most that nodes admit beyond the burst.
func (r *Rule) ExcessUnits() float64 {
	if r.Policy.MaxExcess < 1 {
		return r.Policy.MaxExcess * float64(r.Policy.Burst)
	}
	return r.Policy.MaxExcess
}

// Lets is how many units a node would let pass now under a Bounded rule: seen is what the merged counts
// leave, and free what the account covers without its credit.
func (r *Rule) Lets(seen, free, credit int64) int64 {
	covered := int64(r.GCRA.Units(free))           //nolint:gosec // at most a burst and the credit
	onCredit := int64(r.GCRA.Units(free + credit)) //nolint:gosec // the same
	return min(max(covered, min(seen, onCredit)), r.Policy.Burst)
}

// Divide sets the Shares of a Bounded rule, which has its name and revision.
func (r *Rule) Divide() {
	if !r.Bounded {
		return
	}
	h := fnv.New64a()
	p := &r.Policy
	_, _ = fmt.Fprintf(h, "%s\x00%d %d %d %d %d %d %x %d %d %s", r.Limit, r.Revision.At, r.Revision.By, r.Index, p.Limit, p.Window, p.Burst, math.Float64bits(p.MaxExcess), p.Algorithm, p.Calendar, p.TimeZone)
	r.Shares = rights.NewShares(r.GCRA.Depth(), excess(*p, r.GCRA), p.Burst+int64(r.ExcessUnits()), h.Sum64())
	r.Shares.Windowed = p.Algorithm == FixedWindow
}
