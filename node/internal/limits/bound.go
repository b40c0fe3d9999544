package limits

import (
	"cmp"
	"math"
	"slices"
	"time"

	"github.com/distributed-rate-limiter/distributed-rate-limiter/node/limit"
	deltasync "github.com/distributed-rate-limiter/distributed-rate-limiter/sync"
)

// Sight is what a node knows of the others and of its clock: what its live bounds follow from.
type Sight struct {
	Sync  *deltasync.Status
	Flush time.Duration // how long an admission may wait before the peers are told
	// Tolerance is how far apart clocks may be before rows are refused.
	Tolerance time.Duration
	// Own is how far this node's clock was from a clock that nobody sets, over time.
	Own *deltasync.Offsets
	// Never says that the node was told of others, and never heard one.
	Never bool
	// Isolated says that some node cannot be heard, so that OnIsolation applies.
	Isolated bool
	// Open says that unknown clients pass because the table is full.
	Open bool
}

// LeastHorizon is the least length of the stretches that a live bound speaks of. Raising it
// lets what is over count for longer. Lowering it below the time in which people look at a
// graph hides what happened.
const LeastHorizon = 10 * time.Minute

// Horizon is the length of the stretches that the limit's live bound speaks of: what is over
// for longer does not count.
func Horizon(p *limit.Policy) time.Duration { return max(LeastHorizon, 2*p.Window) }

// Horizon is the longest of all limits' horizons, in nanoseconds.
func (g *Registry) Horizon(now int64) int64 {
	longest := LeastHorizon
	for _, l := range g.All() {
		if r := l.Known(now); r != nil {
			for i := range r.Rules {
				longest = max(longest, Horizon(&r.Rules[i].Policy))
			}
		}
	}
	return int64(longest)
}

// Bound is by how many units the cluster can have over-admitted one client by now, within
// any stretch of at most Horizon: the widest of the rules' bounds. It is +Inf if that is not
// known, or if nothing limits it.
func (r *Revision) Bound(s *Sight) float64 {
	worst := 0.0
	for i := range r.Rules {
		worst = max(worst, bound(&r.Rules[i], s))
	}
	return worst
}

// Excess is the part of the bound of bounded rules that no clock adds to: the largest of them.
func (r *Revision) Excess() float64 {
	worst := 0.0
	for i := range r.Rules {
		if r.Rules[i].Bounded {
			worst = max(worst, r.Rules[i].ExcessUnits())
		}
	}
	return worst
}

// bound is the worst case now (docs/error-bound.md, section 9): what each other incarnation
// can have admitted unseen, and what the distance of clocks adds once. Nothing can be
// exceeded where everybody passes or each node counts by itself.
func bound(r *limit.Rule, s *Sight) float64 {
	if r.Silent || r.Policy.Access != limit.Limited {
		return 0
	}
	horizon := int64(Horizon(&r.Policy))
	if r.Bounded && r.Policy.Algorithm != limit.GCRA { // clocks only move requests to another window
		return r.ExcessUnits()
	}
	if r.Bounded { // whatever nobody knows
		return r.ExcessUnits() + rate(r)*float64(apart(s, horizon))
	}
	switch {
	case s.Never, s.Open, s.Isolated && r.Policy.OnIsolation == limit.IsolationOpen,
		s.Sync.Dropped && s.Sync.DroppedAgo < horizon,
		s.Sync.Partial && s.Sync.FoundedAgo < horizon:
		return math.Inf(1)
	}
	units := 0.0
	for i := range s.Sync.Unknown {
		units += unseen(r, s, &s.Sync.Unknown[i], horizon)
	}
	if r.Policy.Algorithm != limit.GCRA {
		return units
	}
	return units + rate(r)*float64(apart(s, horizon))
}

// rate is what drains, in units per nanosecond: nothing where everybody passes, or nobody.
func rate(r *limit.Rule) float64 {
	if r.Policy.Access != limit.Limited {
		return 0
	}
	return float64(r.Policy.Limit) / float64(r.Policy.Window)
}

// apart is the largest distance of two readings of clocks within the horizon: of ours, then
// and now, and of all that were heard, with the error of the measurements. In nanoseconds.
func apart(s *Sight, horizon int64) int64 {
	since := s.Sync.Now - horizon
	lo, hi, some := s.Own.Within(since)
	if !some {
		lo, hi = 0, 0
	}
	own := hi - lo // peers are measured against our clock, which moved by that itself
	lo, hi = 0, 0
	take := func(o *deltasync.Offsets) {
		if l, h, some := o.Within(since); some {
			lo, hi = min(lo, l), max(hi, h)
		}
	}
	for i := range s.Sync.Peers {
		take(&s.Sync.Peers[i].Offsets)
	}
	take(&s.Sync.Departed)
	return hi - lo + own
}

// unseen is the most that an incarnation can have admitted to one client within its spans, by
// lemma 3: in each stretch of its clock a burst, and what drains meanwhile. Two spans close
// to each other count as one stretch where that is less. A window algorithm admits by itself
// no more than Rule.MostAlone in a window, however little it knows.
func unseen(r *limit.Rule, s *Sight, of *deltasync.Unknown, horizon int64) float64 {
	spans := relevant(r, s, of.Spans, horizon)
	if len(spans) == 0 {
		return 0
	}
	burst := r.MostAlone()
	if r.Policy.Algorithm != limit.GCRA {
		return burst
	}
	slices.SortFunc(spans, func(a, b deltasync.Span) int { return cmp.Compare(b.Began, a.Began) }) // oldest first
	drained := 0.0
	spans = slices.DeleteFunc(spans, func(sp deltasync.Span) bool {
		if sp.Kind == deltasync.SpanDrained {
			drained += rate(r)*float64(sp.Began-sp.Ended) + 1
		}
		return sp.Kind == deltasync.SpanDrained
	})
	if of.Own {
		return drained + burst*float64(len(spans))
	}
	units, end := drained, int64(math.MaxInt64)
	for _, sp := range spans {
		switch gap := end - sp.Began; {
		case end == math.MaxInt64 || rate(r)*float64(gap) >= burst:
			units += burst
		case sp.Ended >= end:
			continue // within the one before
		default:
			units += rate(r) * float64(max(0, gap))
			sp.Began = min(sp.Began, end)
		}
		units += rate(r) * float64(sp.Began-sp.Ended)
		end = sp.Ended
	}
	return units + rate(r)*float64(moved(s, of, horizon))
}

// relevant lists the spans that can hold cost which counts within the horizon: as they were
// by the other's last message, one flush earlier than by ours. Of a span that healed, what
// was young enough by then is merged.
func relevant(r *limit.Rule, s *Sight, spans []deltasync.Span, horizon int64) (out []deltasync.Span) {
	for _, sp := range spans {
		if sp.Kind != deltasync.SpanLost && r.Policy.Algorithm != limit.GCRA {
			continue
		}
		if sp.Kind == deltasync.SpanHealed {
			sp.Ended += r.Frame.Width - int64(s.Tolerance) - int64(s.Flush)
		}
		sp.Began = min(sp.Began, horizon) + int64(s.Flush)
		apart := sp.Apart || s.Isolated && sp.Ended == 0
		if apart && (r.Policy.OnIsolation == limit.IsolationShare || r.Policy.OnIsolation == limit.IsolationClosed) {
			sp.Began = min(sp.Began, sp.Ended+int64(notice)+int64(s.Flush))
		}
		if sp.Ended < sp.Began && sp.Ended < horizon {
			out = append(out, sp)
		}
	}
	return out
}

// notice is how long two nodes that lost each other go on before both apply OnIsolation. From
// then on one that is closed admits nothing, and shares add up to the rate of the limit, so
// what is missing does not grow. Lowering it counts less than can be; raising it more.
const notice = 5 * time.Second

// moved is by how much an incarnation's clock can have gone ahead of ours within the horizon:
// by that much more of a stretch it counted as drained.
func moved(s *Sight, of *deltasync.Unknown, horizon int64) int64 {
	offsets := &s.Sync.Departed
	for i := range s.Sync.Peers {
		if s.Sync.Peers[i].Replica == of.Replica {
			offsets = &s.Sync.Peers[i].Offsets
		}
	}
	lo, hi, some := offsets.Within(s.Sync.Now - horizon)
	if !some {
		return 0
	}
	return hi - lo
}

// Expected is what to expect of a client that asks the other nodes for demand units a second,
// all together (corollary 2 of docs/error-bound.md): the unsent cost that nodes keep back on
// purpose, and what arrives there while a message is under way. What silence hides, and what
// a crash took along, comes on top, as in Bound. It is an estimate, and never above Bound.
func (r *Revision) Expected(s *Sight, demand float64) float64 {
	worst := 0.0
	for i := range r.Rules {
		worst = max(worst, min(expected(&r.Rules[i], s, demand), bound(&r.Rules[i], s)))
	}
	return worst
}

func expected(r *limit.Rule, s *Sight, demand float64) float64 {
	if len(s.Sync.Unknown) == 0 || r.Bounded || r.Silent || r.Policy.Access != limit.Limited {
		return bound(r, s)
	}
	horizon, delay, units, peers := int64(Horizon(&r.Policy)), int64(0), r.Slack, 0.0
	for i := range s.Sync.Peers {
		if p := &s.Sync.Peers[i]; p.Admits {
			delay, peers = max(delay, p.Delay), peers+1
		}
	}
	for i := range s.Sync.Unknown {
		of := s.Sync.Unknown[i]
		of.Spans = slices.DeleteFunc(slices.Clone(of.Spans), func(sp deltasync.Span) bool { return sp.Ended == 0 && sp.Began < int64(fresh) })
		units += unseen(r, s, &of, horizon)
	}
	ways := 1.0
	if peers > r.Slack/2 { // single units wait until a peer's row says that the client uses much
		ways = 3
	}
	units += demand * ways * (time.Duration(delay) + underWay).Seconds()
	if r.Policy.Algorithm == limit.GCRA {
		units += rate(r) * float64(apart(s, horizon))
	}
	return units
}

const (
	// fresh is how old what is known of a node that works may be: a beat, one that is lost, and
	// its delivery. Raising it expects nothing of a node that has fallen silent.
	fresh = 2500 * time.Millisecond
	// underWay is the pause between two urgent flushes and the time to merge one, which come
	// on top of the delivery. Raising it expects more than happens; lowering it expects less than a
	// busy node takes.
	underWay = 3 * time.Millisecond
)
