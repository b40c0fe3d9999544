package limits

import (
	"math"
	"time"

	"github.com/distributed-rate-limiter/distributed-rate-limiter/node/limit"
)

// Denied is the other half of the bound: how many units of room a client can have at most when
// this node denies it something, and how many to expect. demand is what the client asks of the
// other nodes, in units a second. Reservations and refunds that others settled, and that this
// node has not heard of, come on top.
func (r *Revision) Denied(s *Sight, demand float64) (worst, expected float64) {
	for i := range r.Rules {
		w, e := denied(&r.Rules[i], s, demand)
		worst, expected = max(worst, w), max(expected, e)
	}
	return worst, expected
}

// denied is theorem 2 of docs/error-bound.md. Who raises an origin, and is behind the others by
// some time, charges what drained meanwhile again; the others hear of it. This node knows how far
// it is behind, and not how far others are, so the worst case is a whole replicated window: no
// origin is further off. A window algorithm counts only what was admitted, so its denials are wrong
// at most by what lies at the edges of windows, where clocks differ.
func denied(r *limit.Rule, s *Sight, demand float64) (worst, expected float64) {
	all := float64(r.Policy.Burst)
	others := s.Sync.Heard || len(s.Sync.Unknown) > 0
	switch {
	case r.Policy.Access != limit.Limited:
		return 0, 0
	case r.Revision.At != 0 && s.Sync.Now-r.Revision.At < r.GCRA.Depth()+2*r.Frame.Width:
		return all, 0 // what a change carried over is rounded, and some heard of it late
	case s.Isolated && (r.Policy.OnIsolation == limit.IsolationShare || r.Policy.OnIsolation == limit.IsolationClosed):
		return all, all // on purpose
	case r.Silent || !others:
		return 0, 0
	case r.Policy.Consistency == limit.Bounded:
		return all, all // others hold the rights to the rest
	}
	differ := apart(s, int64(Horizon(&r.Policy)))
	if r.Policy.Algorithm != limit.GCRA {
		return all, min(all, demand*time.Duration(differ).Seconds())
	}
	behind := int64(0)
	for i := range s.Sync.Unknown {
		for _, sp := range s.Sync.Unknown[i].Spans {
			if sp.Ended == 0 {
				behind = max(behind, sp.Began)
			}
		}
	}
	room := func(behind int64) float64 { return min(all, 1+math.Ceil(rate(r)*float64(behind+differ))) }
	return room(r.Frame.Width), room(min(behind, r.Frame.Width) + int64(s.Flush))
}
