package limits

import (
	"math"
	"slices"

	"github.com/distributed-rate-limiter/distributed-rate-limiter/node/limit"
	deltasync "github.com/distributed-rate-limiter/distributed-rate-limiter/sync"
)

// late is a stretch in which this node decided by a revision although the next one was in force
// already: it had not heard of that.
type late struct {
	by       *Revision
	from, to int64
}

// maxLate is how many such stretches a limit remembers. Above it the two oldest become one.
// Raising it takes memory. Lowering it counts the time between two of them for late, too.
const maxLate = 8

// hear notes that the revision at place i of the chain was heard of at now. g.mu is held.
func (l *Limit) hear(now, began int64, i int) {
	chain := l.Revisions()
	if i+1 >= len(chain) || chain[i].Stamp.At >= now || l.At(now) != chain[i] {
		return // it is still to come, or over
	}
	x := late{chain[i+1], max(began, chain[i].Stamp.At), now}
	if x.from >= x.to {
		return
	}
	var all []late
	if was := l.late.Load(); was != nil {
		all = slices.Clone(*was)
	}
	if len(all) == maxLate {
		all[1].from = all[0].from
		all = slices.Delete(all, 0, 1)
	}
	all = append(all, x)
	l.late.Store(&all)
	l.lateUnits.Store(math.Float64bits(l.LateUnits() + x.units()))
}

// LateUnits sums what this node can have admitted by revisions that were over, since its start.
func (l *Limit) LateUnits() float64 { return math.Float64frombits(l.lateUnits.Load()) }

// Unseen is the most that an incarnation can have admitted to one client within its spans by
// the widest rule in force.
func (l *Limit) Unseen(s *Sight, of *deltasync.Unknown) (most float64) {
	r := l.Known(s.Sync.Now)
	if r == nil {
		return 0
	}
	for i := range r.Rules {
		if rule := &r.Rules[i]; !rule.Silent && rule.Policy.Access == limit.Limited {
			most = max(most, unseen(rule, s, of, int64(Horizon(&rule.Policy))))
		}
	}
	return most
}

// Bound is by how many units the cluster can have over-admitted one client by now, within any
// stretch of at most Horizon: the bound of the widest revision that was in force since, what
// this node admitted by one that was over already, what the changes themselves lose, and what came
// back late. It is +Inf if that is not known, or if nothing limits it.
func (l *Limit) Bound(s *Sight) float64 {
	now, worst, changes := s.Sync.Now, 0.0, 0.0
	over := int64(math.MaxInt64) // when the revision was over
	for _, r := range l.Revisions() {
		if r.Stamp.At > now {
			continue
		}
		horizon := int64(Horizon(&r.Policy))
		if over != math.MaxInt64 {
			if over < now-horizon {
				break
			}
			changes += r.crossing(s)
		}
		if !r.Gone {
			worst = max(worst, r.Bound(s))
		}
		over = r.Stamp.At
	}
	return worst + changes + l.lateBound(now) + l.lateRefunds(s)
}

// lateRefunds is what an origin of this node can be too low by, because it had not heard of
// refunds: of all other nodes at once, as much each as came back late at most.
func (l *Limit) lateRefunds(s *Sight) float64 {
	horizon := LeastHorizon
	if r := l.Known(s.Sync.Now); r != nil {
		for i := range r.Rules {
			horizon = max(horizon, Horizon(&r.Rules[i].Policy))
		}
	}
	return float64(max(1, len(s.Sync.Unknown))) * l.Account.Late.Since(s.Sync.Now-int64(horizon))
}

// lateBound is what this node can have admitted by revisions that were over.
func (l *Limit) lateBound(now int64) (units float64) {
	all := l.late.Load()
	if all == nil {
		return 0
	}
	for i := range *all {
		x := &(*all)[i]
		if x.to < now-int64(Horizon(&x.by.Policy)) {
			continue
		}
		units += x.units()
	}
	return units
}

// units is the most that this node can have admitted to one client meanwhile.
func (x *late) units() (most float64) {
	for i := range x.by.Rules {
		rule := &x.by.Rules[i]
		switch {
		case rule.Silent || rule.Policy.Access == limit.Blocked:
		case rule.Policy.Access != limit.Limited:
			return math.Inf(1)
		case rule.Policy.Algorithm == limit.GCRA:
			most = max(most, rule.MostAlone()+rate(rule)*float64(x.to-x.from))
		default:
			most = max(most, rule.MostAlone()*math.Ceil(1+float64(x.to-x.from)/float64(rule.Policy.Window)))
		}
	}
	return most
}

// crossing is what a change of the revision to the next one loses: clocks cross the instant at
// different times, and units are rounded up.
func (r *Revision) crossing(s *Sight) float64 {
	most := 0.0
	for i := range r.Rules {
		most = max(most, rate(&r.Rules[i])*float64(apart(s, int64(Horizon(&r.Rules[i].Policy)))))
	}
	return most + 2
}
