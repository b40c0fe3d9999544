package sim

import (
	"cmp"
	"math"
	"slices"
	"strings"
	"time"

	"github.com/distributed-rate-limiter/distributed-rate-limiter/gcra"
	"github.com/distributed-rate-limiter/distributed-rate-limiter/node"
)

// yardstick applies one policy to counts that are known exactly: those of the oracle and of
// the central limiter. Immutable.
type yardstick struct {
	policy    node.Policy // of one client: without overrides
	gcra      *gcra.GCRA  // one of these, by policy.Algorithm
	fixed     *gcra.Fixed
	sliding   *gcra.Sliding
	segmented *gcra.Segmented
	width     int64 // of a window that nodes replicate
}

// newYardstick takes a valid policy of limited access.
func newYardstick(p node.Policy) (*yardstick, error) {
	p.Overrides = nil
	p.Burst = cmp.Or(p.Burst, p.Limit)
	if p.Resolution == 1 {
		p.Resolution = 0
	}
	y := &yardstick{policy: p}
	g := gcra.Policy{Limit: p.Limit, Window: p.Window, Burst: p.Burst}
	switch {
	case p.Algorithm == node.FixedWindow:
		window := p.Window
		if p.Calendar != gcra.NoUnit {
			window = 0 // as a node has filled it in
		}
		periods, err := gcra.NewPeriods(window, p.Calendar, p.TimeZone)
		if err != nil {
			return nil, err
		}
		y.policy.Window, y.width = periods.Longest(), int64(periods.Longest())
		y.fixed = gcra.NewFixed(g, periods)
	case p.Algorithm == node.SlidingWindow && p.Resolution > 1:
		y.segmented = gcra.NewSegmented(g, p.Resolution)
		y.width = int64(p.Resolution+1) * y.segmented.Sub()
	case p.Algorithm == node.SlidingWindow:
		y.sliding, y.width = gcra.NewSliding(g), int64(p.Window)
	default:
		var err error
		y.width = int64(widthOf(p.Window))
		y.gcra, err = gcra.New(g)
		return y, err
	}
	return y, nil
}

// policyOf is the policy of one client. Scenarios have overrides by id and by prefix only.
func policyOf(p node.Policy, client string) node.Policy {
	var found *node.Override
	longest := -1
	for i := range p.Overrides {
		o := &p.Overrides[i]
		if slices.Contains(o.Clients, client) {
			found, longest = o, math.MaxInt
		}
		for _, prefix := range o.Prefixes {
			if strings.HasPrefix(client, prefix) && len(prefix) > longest {
				found, longest = o, len(prefix)
			}
		}
	}
	p.Overrides = nil
	if found == nil {
		return p
	}
	p.Access = found.Access
	if found.Limit != 0 {
		p.Limit, p.Burst = found.Limit, 0
	}
	if found.Window != 0 {
		p.Window, p.Calendar = found.Window, 0
	}
	return p
}

// same reports whether p, of one client, is what the yardstick decides by.
func (y *yardstick) same(p node.Policy) bool {
	q := &y.policy
	p.Burst = cmp.Or(p.Burst, p.Limit)
	return p.Access == q.Access && p.Algorithm == q.Algorithm && p.Limit == q.Limit && p.Window == q.Window && p.Burst == q.Burst &&
		p.Calendar == q.Calendar && p.Resolution == q.Resolution && p.TimeZone == q.TimeZone
}

// alike reports whether both count in the same windows.
func (y *yardstick) alike(o *yardstick) bool {
	p, q := &y.policy, &o.policy
	return y.gcra == nil && p.Algorithm == q.Algorithm && p.Calendar == q.Calendar && p.TimeZone == q.TimeZone &&
		p.Resolution == q.Resolution && y.width == o.width
}

// part is the start of the window, or part of one, that u lies in.
func (y *yardstick) part(u int64) int64 {
	switch {
	case y.fixed != nil:
		return y.fixed.Periods().Start(u)
	case y.segmented != nil:
		return y.segmented.Start(u)
	}
	return u - u%y.width
}

// end is where the part ends that starts at start.
func (y *yardstick) end(start int64) int64 {
	switch {
	case y.fixed != nil:
		return y.fixed.Periods().End(start)
	case y.segmented != nil:
		return start + y.segmented.Sub()
	}
	return start + y.width
}

// oldest is the start of the first part that counts at u.
func (y *yardstick) oldest(u int64) int64 {
	start := y.part(u)
	switch {
	case y.segmented != nil:
		return start - int64(y.policy.Resolution)*y.segmented.Sub()
	case y.sliding != nil:
		return start - y.width
	}
	return start
}

// used is how much of counts, by part, counts at u under a window algorithm.
func (y *yardstick) used(counts map[int64]uint64, u int64) uint64 {
	start := y.part(u)
	if y.sliding != nil {
		return y.sliding.Used(counts[start], counts[start-y.width], start, u)
	}
	sum := uint64(0)
	for at, n := range counts {
		if at >= y.oldest(u) && at <= start {
			sum += n
		}
	}
	return sum
}

// lasts is the longest time for which a charge can count, nanoseconds.
func (y *yardstick) lasts() int64 { return 2 * y.width }

// frame is the start of the replicated window that u lies in.
func (y *yardstick) frame(u int64) int64 {
	if y.fixed != nil {
		return y.part(u)
	}
	return u - u%y.width
}

// rate is r in units per nanosecond: 0 where nothing drains.
func (y *yardstick) rate() float64 {
	if y.gcra == nil {
		return 0
	}
	return float64(y.policy.Limit) / float64(y.policy.Window)
}

// widthOf is how wide the replicated windows of a GCRA limit are.
func widthOf(window time.Duration) time.Duration {
	return min(max(window, 15*time.Second), time.Minute)
}
