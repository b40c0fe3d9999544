package sim

import (
	"slices"
	"sort"

	"github.com/distributed-rate-limiter/distributed-rate-limiter/crdt"
	"github.com/distributed-rate-limiter/distributed-rate-limiter/gcra"
	"github.com/distributed-rate-limiter/distributed-rate-limiter/node"
)

// clientOf is one client under one limit.
type clientOf struct{ limit, client string }

// track is what one limit says over time: its policies in the order of the calls that
// set them. All before now are over, all after it are still to come.
type track struct {
	policies []node.Policy
	now      int
}

// yardstick is the limit's own, by the policy in force.
func (t *track) yardstick() *yardstick {
	y, err := newYardstick(t.policies[t.now])
	if err != nil {
		panic(err) // the scenario was validated
	}
	return y
}

// account is all that the nodes together charged to one client under one limit, in true
// time. A reset begins a new life of it.
type account struct {
	of      clientOf
	yard    *yardstick
	phase   int // index of the policy in force, in the limit's track
	life    int // how often it was reset
	central *central
	asked   map[*member]*series // all requests; only if the run has a documented bound

	charged map[*member]*series   // what each node charged in this life
	charges map[*member][]*charge // the same, one by one: only what window algorithms count
	refunds []*charge             // those of which something was given back, while that matters
	recent  []*charge             // of GCRA, while a reservation may be settled
	ahead   []*charge             // by nodes whose clocks are past a change that is still to come
	carried []*charge             // what was used before a change, as if charged then
	level   gcra.Level            // of GCRA
	heavy   gcra.Level            // with what came back and some node never heard of
	idleAt  int64                 // the bucket was last full then
	backAt  int64                 // something was last given back then

	// excused is what no bound speaks of until then: what a change may have carried over less.
	// forgotten is the part of it that was above the new limit, which counts nowhere any more.
	excused   int64
	forgotten int64
	until     int64
	turned    int64      // when the policy in force came
	fuller    int64      // until then nodes may take more for used than was: see outdated
	converted int64      // when the limit last went over to another way to count
	former    *yardstick // by which it counted before that

	most    int64             // the highest burst so far
	narrow  int64             // the narrowest window so far
	debts   map[*member]int64 // what commits charged beyond what was reserved
	reset   crdt.Stamp        // the last reset
	unheard int64             // until then after a reset, while a node has not heard of it
	before  int64             // charged since to the life that it ends: that goes on if nobody hears of it

	worst, bound     float64 // the largest excess, and what it could be then
	limited, wouldBe bool    // some request was denied: by a node, by the central limiter
}

// charge is one admission, or the part of a commit that exceeds its reservation.
type charge struct {
	by         *member
	at, stamp  int64  // in true time, and by the node's clock
	cost, back int64  // charged, and given back of that
	backAt     int64  // when
	off        uint64 // of that, what had not drained in true time
	tat        int64  // of GCRA, after it
	topped     int64  // when a refund without a reservation last took from its top, and set tat
	part       int64  // of a window algorithm: the start of the part that it counts in
	early      bool   // its node had not joined, and told nobody yet
	missed     bool   // somebody admitted something, and did not know of what was given back
	missedAt   int64  // when that was last
	blind      bool   // its node did not know of something that was given back
	minted     int64  // given back though it had drained in true time
	phase      int
	life       int  // of the account
	void       bool // of a life or a policy that was over already
	late       bool // by a policy that was over already, but counts
}

func (c *charge) net() int64 { return c.cost - c.back }

// counts reports whether c counts under the policy in force.
func (a *account) counts(c *charge) bool { return !c.void && c.phase == a.phase && c.life == a.life }

// add counts a charge.
func (a *account) add(c *charge) {
	seriesOf(a.charged, c.by).add(c.at, c.cost)
	g := a.yard.gcra
	if g == nil {
		c.part = a.yard.part(c.stamp)
		a.charges[c.by] = append(a.charges[c.by], c)
		return
	}
	if g.TAT(a.level) < c.at {
		a.level, a.idleAt = gcra.Level{Base: c.at}, c.at
		if c.at > a.until {
			a.excused = 0
		}
	}
	if g.TAT(a.heavy) < c.at {
		a.heavy = gcra.Level{Base: c.at}
	}
	a.level.Count += uint64(c.cost) //nolint:gosec // positive
	a.heavy.Count += uint64(c.cost) //nolint:gosec // positive
	c.tat = g.TAT(a.level)
	for len(a.recent) > 0 && a.recent[0].at < c.at-int64(longestReservation) {
		a.recent = a.recent[1:]
	}
	a.recent = append(a.recent, c)
}

// pruneRefunds drops the refunds that matter no more at t.
func (a *account) pruneRefunds(t int64) {
	old := t - a.yard.lasts()
	a.refunds = slices.DeleteFunc(a.refunds, func(c *charge) bool { return max(c.at, c.backAt) <= old && !a.remains(c) })
}

// remains reports whether a refund made an origin too low, or gave too much back, in this busy
// period. Nodes take the bucket for emptier by that until it is full in true time as well.
func (a *account) remains(c *charge) bool {
	return (c.missed || c.minted > 0) && max(c.backAt, c.missedAt) >= a.idleAt && c.life == a.life && a.yard.gcra != nil
}

// forget begins another life at t.
func (a *account) forget(t int64) {
	a.life++
	a.charged, a.charges = map[*member]*series{}, map[*member][]*charge{}
	a.refunds, a.recent, a.ahead, a.carried = nil, nil, nil, nil
	a.level, a.heavy, a.excused = gcra.Level{Base: t}, gcra.Level{Base: t}, 0
	a.central = newCentral(a.yard)
}

// series is costs over true time, as running totals. It outlives idleness. An admission to a
// full bucket raises the origin to t less the time in which the current window's counters
// drain. A node that does not know of some of that cost takes the bucket for fuller by as
// much, long after the cost has drained.
type series struct{ at, total []int64 }

func seriesOf(of map[*member]*series, m *member) *series {
	s := of[m]
	if s == nil {
		s = &series{}
		of[m] = s
	}
	return s
}

func (s *series) add(t, cost int64) {
	n := len(s.at)
	if n > 0 {
		cost += s.total[n-1]
		if s.at[n-1] == t {
			s.total[n-1] = cost
			return
		}
	}
	s.at, s.total = append(s.at, t), append(s.total, cost)
}

// since is the cost after time t. A nil series has none.
func (s *series) since(t int64) int64 {
	if s == nil || len(s.at) == 0 {
		return 0
	}
	n := len(s.at)
	i := sort.Search(n, func(i int) bool { return s.at[i] > t })
	if i == 0 {
		return s.total[n-1]
	}
	return s.total[n-1] - s.total[i-1]
}

// between is the cost from time from on, up to and including time to; 0 if to is earlier.
func (s *series) between(from, to int64) int64 { return s.since(from-1) - s.since(max(to, from-1)) }

// most is the most cost within any stretch of d from begin on.
func (s *series) most(begin, d int64) float64 {
	most, from := int64(0), 0
	for i, at := range s.at {
		for s.at[from] < max(begin, at-d) && from < i {
			from++
		}
		before := int64(0)
		if from > 0 {
			before = s.total[from-1]
		}
		if at >= begin {
			most = max(most, s.total[i]-before)
		}
	}
	return float64(most)
}
