package sim

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/distributed-rate-limiter/distributed-rate-limiter/node"
)

// judge compares an admission with the bound of its moment.
//
// Under GCRA a yardstick that refuses nothing counts all admissions: after one by node k
// at t, E = (TAT - t)/T - B is how far the cluster went beyond what a central limiter
// could have admitted. Under a window algorithm E is what counts, by the windows as k's
// clock names them, less the limit. E must be at most
//
//	the cost that the other nodes admitted and k could not know of + what clocks that
//	differ do + what a change of the limit is allowed to lose
func (o *oracle) judge(a *account, c *charge) {
	e := excess{}
	judged := true
	switch {
	case a.yard.policy.Consistency == node.Bounded:
		e = o.capped(a, c)
	case a.yard.gcra != nil:
		e = o.drained(a, c)
	default:
		e, judged = o.counted(a, c)
	}
	if !judged {
		return
	}
	if a.yard.gcra != nil || c.at <= a.until {
		lost := a.excused
		if a.converted != 0 && c.at <= a.until {
			lost = max(lost, o.knows.unseenBefore(a, c.by))
		}
		e.bound += float64(lost)
	}
	o.edge = max(o.edge, e.edge)
	o.knows.observeStaleness(a, c.by)
	if e.over <= 0 {
		return
	}
	e.bound += e.edge
	o.judgeLive(a, c, e.over-e.edge)
	if e.over > a.worst {
		a.worst, a.bound = e.over, e.bound
	}
	if e.over > e.bound+epsilon {
		o.w.violate("n%d admitted %d to %s under %s: E is %.3f, the bound %.3f%s", c.by.number, c.cost, a.of.client, a.of.limit, e.over, e.bound, o.why(a, c.by, e))
	} else if e.bound > 0 {
		o.w.result.Tightest = max(o.w.result.Tightest, e.over/e.bound)
	}
}

// excess is one judgement: E, what it may be, and what lies at the edges of windows.
type excess struct{ over, bound, edge float64 }

// why lists what the bound is made of.
func (o *oracle) why(a *account, m *member, e excess) string {
	var out strings.Builder
	_, _ = fmt.Fprintf(&out, " (σ %v, %.3f at the edges, %d excused", time.Duration(o.clocks.sigma()), e.edge, a.excused)
	for _, other := range o.w.members {
		if s := a.charged[other]; s != nil && other != m {
			_, _ = fmt.Fprintf(&out, "; of n%d known until %v ago, %d of %d unseen", other.number,
				time.Duration(o.w.now-o.knows.known(a, m, other)), o.knows.unseen(a, m, other), s.total[len(s.total)-1])
		}
	}
	return out.String() + ")"
}

// drained judges by GCRA. It excuses cost that came back while a node did not know of it, for
// two reasons. A node that finds the bucket empty raises the origin to t less the time in
// which the counters drain. They contain that cost, so the node has too low an origin when it
// hears. And it takes its own reservation to drain later than it does, and gives too much of
// it back. Refunds are rounded up besides: that is less than one unit, however many there are.
func (o *oracle) drained(a *account, now *charge) excess {
	rate := a.yard.rate()
	e := excess{
		over:  float64(a.yard.gcra.TAT(a.level)-now.at)*rate - float64(a.yard.policy.Burst),
		bound: float64(o.knows.unseenOfOthers(a, now.by)+o.knows.untoldOwn(a, now.by)) + rate*float64(o.clocks.sigma()),
	}
	old := now.at - a.yard.lasts()
	a.pruneRefunds(now.at)
	rounded := 0.0
	if a.backAt >= a.idleAt && a.backAt > 0 {
		rounded = 1
	}
	for _, c := range a.refunds {
		if c.by != now.by && c.backAt > o.knows.known(a, now.by, c.by) {
			c.missed, c.missedAt, now.blind = true, now.at, true
		}
		if (c.at <= old || !a.counts(c)) && !a.remains(c) {
			continue
		}
		rounded = 1
		e.bound += float64(c.minted)
		if c.missed {
			e.bound += float64(c.back)
		}
	}
	e.bound += rounded
	return e
}

// counted judges by windows. In the last σ of a fixed window nothing is judged: the node
// may count in the next one already.
func (o *oracle) counted(a *account, now *charge) (e excess, judged bool) {
	y, sigma := a.yard, o.clocks.sigma()
	start := y.part(now.stamp)
	end := y.end(start)
	share := 1 - float64(now.stamp-start)/float64(end-start) // of the window before, by estimate
	if y.fixed != nil && now.stamp >= end-sigma {
		return e, false
	}
	weight := func(c *charge) float64 {
		switch at := c.part; {
		case y.segmented != nil:
			if c.at > now.at-int64(y.policy.Window) {
				return 1
			}
		case at == start:
			return 1
		case y.sliding != nil && at == start-y.width:
			return share
		}
		return 0
	}
	sum := 0.0
	for _, other := range o.w.members { // in order: sums of fractions depend on it
		all := a.charges[other]
		if len(all) == 0 {
			continue
		}
		unseen, most := 0.0, float64(a.most)+float64(a.debts[other])
		known := o.knows.known(a, now.by, other)
		for _, c := range slices.Backward(all) {
			if c.at <= now.at-y.lasts()-sigma {
				break
			}
			w := weight(c)
			if w == 0 || !a.counts(c) {
				continue
			}
			sum += w * float64(c.net())
			lost := y.segmented != nil && o.overlooked(y, c, now)
			if lost || y.sliding != nil && w < 1 && now.stamp >= end-sigma {
				e.edge += w * float64(c.net())
			}
			if c.at > known && other != now.by && !lost {
				unseen += w * float64(c.cost)
			}
			if c.stamp >= end-sigma || c.stamp < start && sigma > 0 {
				most += float64(c.cost) // in a window of its own, as that node's clock has it
			}
		}
		e.bound += min(unseen, most)
	}
	for _, c := range a.carried {
		c.part = y.part(c.stamp)
		sum += weight(c) * float64(c.cost)
	}
	e.over = sum - float64(y.policy.Limit)
	return e, true
}

// overlooked: c is within the last window of true time, but the clock of the node that
// admits has it in a part that is over; or parts are shorter than clocks differ, and it
// is in one that some clock counts anew.
func (o *oracle) overlooked(y *yardstick, c, now *charge) bool {
	if y.part(c.stamp) < y.oldest(now.stamp) {
		return true
	}
	frame := y.frame(now.stamp)
	return c.stamp < frame && now.stamp >= frame+y.width-o.clocks.sigma()
}
