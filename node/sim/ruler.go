package sim

import (
	"cmp"
	"math"
	"slices"
	"strings"

	"github.com/distributed-rate-limiter/distributed-rate-limiter/gcra"
	"github.com/distributed-rate-limiter/distributed-rate-limiter/node"
)

// ruler is what one policy says of counts that are known exactly: of the oracle's, and
// of the one central limiter's. Immutable.
type ruler struct {
	policy    node.Policy // of one client: without overrides
	gcra      *gcra.GCRA  // one of these, by policy.Algorithm
	fixed     *gcra.Fixed
	sliding   *gcra.Sliding
	segmented *gcra.Segmented
	width     int64 // of a window that nodes replicate
}

// newRuler takes a valid policy of limited access.
func newRuler(p node.Policy) (*ruler, error) {
	p.Overrides = nil
	p.Burst = cmp.Or(p.Burst, p.Limit)
	if p.Resolution == 1 {
		p.Resolution = 0
	}
	r := &ruler{policy: p}
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
		r.policy.Window, r.width = periods.Longest(), int64(periods.Longest())
		r.fixed = gcra.NewFixed(g, periods)
	case p.Algorithm == node.SlidingWindow && p.Resolution > 1:
		r.segmented = gcra.NewSegmented(g, p.Resolution)
		r.width = int64(p.Resolution+1) * r.segmented.Sub()
	case p.Algorithm == node.SlidingWindow:
		r.sliding, r.width = gcra.NewSliding(g), int64(p.Window)
	default:
		var err error
		r.width = int64(widthOf(p.Window))
		r.gcra, err = gcra.New(g)
		return r, err
	}
	return r, nil
}

// policyOf is the policy of one client, as far as scenarios have overrides: by ids and
// prefixes.
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

// same reports whether p is what the ruler decides by.
func (r *ruler) same(p node.Policy) bool {
	q := &r.policy
	return p.Algorithm == q.Algorithm && p.Limit == q.Limit && p.Window == q.Window && p.Burst == q.Burst &&
		p.Calendar == q.Calendar && p.Resolution == q.Resolution && p.TimeZone == q.TimeZone
}

// alike reports whether both count in the same windows.
func (r *ruler) alike(o *ruler) bool {
	p, q := &r.policy, &o.policy
	return r.gcra == nil && p.Algorithm == q.Algorithm && p.Calendar == q.Calendar && p.TimeZone == q.TimeZone &&
		p.Resolution == q.Resolution && r.width == o.width
}

// part is the start of the window, or part of one, in which is counted at u.
func (r *ruler) part(u int64) int64 {
	switch {
	case r.fixed != nil:
		return r.fixed.Periods().Start(u)
	case r.segmented != nil:
		return r.segmented.Start(u)
	}
	return u - u%r.width
}

// end is where the part ends that starts at start.
func (r *ruler) end(start int64) int64 {
	switch {
	case r.fixed != nil:
		return r.fixed.Periods().End(start)
	case r.segmented != nil:
		return start + r.segmented.Sub()
	}
	return start + r.width
}

// oldest is the start of the first part that counts at u.
func (r *ruler) oldest(u int64) int64 {
	start := r.part(u)
	switch {
	case r.segmented != nil:
		return start - int64(r.policy.Resolution)*r.segmented.Sub()
	case r.sliding != nil:
		return start - r.width
	}
	return start
}

// used is what counts of some parts' counts at u, of a window algorithm.
func (r *ruler) used(counts map[int64]uint64, u int64) uint64 {
	start := r.part(u)
	if r.sliding != nil {
		return r.sliding.Used(counts[start], counts[start-r.width], start, u)
	}
	sum := uint64(0)
	for at, n := range counts {
		if at >= r.oldest(u) && at <= start {
			sum += n
		}
	}
	return sum
}

// lasts is for how long what is counted may count.
func (r *ruler) lasts() int64 { return 2 * r.width }
