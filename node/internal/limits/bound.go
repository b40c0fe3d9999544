package limits

import (
	"time"

	"github.com/distributed-rate-limiter/distributed-rate-limiter/node/limit"
	deltasync "github.com/distributed-rate-limiter/distributed-rate-limiter/sync"
)

// Bound is by how many units the cluster can have over-admitted one client by now: the
// widest of the rules' bounds.
func (r *Revision) Bound(s *deltasync.Status, flush time.Duration) float64 {
	worst := 0.0
	for i := range r.Rules {
		worst = max(worst, bound(&r.Rules[i], s, flush))
	}
	return worst
}

// bound is the worst case now (docs/error-bound.md). Each peer that can admit may have spent
// the whole burst unseen, and what drained since the data held from it and its next flush.
// Clocks that differ shift origins by their difference. Peers of a window algorithm need no
// staleness: alone each admits Rule.MostAlone within a window, however little it knows.
// Nothing can be exceeded where everybody passes or each node counts by itself.
func bound(r *limit.Rule, s *deltasync.Status, flush time.Duration) float64 {
	if r.Silent || r.Policy.Access != limit.Limited {
		return 0
	}
	rate := float64(r.Policy.Limit) / float64(r.Policy.Window)
	units, skew := 0.0, int64(0)
	for _, p := range s.Peers {
		if !p.Admits {
			continue
		}
		units += r.MostAlone()
		if r.Policy.Algorithm == limit.GCRA {
			units += rate * (float64(p.StaleFor) + float64(flush))
			skew = max(skew, p.Skew, -p.Skew)
		}
	}
	return units + rate*float64(skew)
}
