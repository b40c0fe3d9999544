package sim

import (
	"math"
	"time"

	"github.com/distributed-rate-limiter/distributed-rate-limiter/crdt"
	"github.com/distributed-rate-limiter/distributed-rate-limiter/gcra"
	"github.com/distributed-rate-limiter/distributed-rate-limiter/node"
)

// windows judges admissions where clients are counted by windows, where a limit has
// overrides, or where requests have to pass several limits. It knows all admissions as
// the oracle does, each with what its node's clock said, and compares pointwise: at an
// admission by node k the counts of all nodes, by the windows as k's clock names them
// (of a window in parts: of the last window of true time), are above the limit by no
// more than
//
//	what the other nodes admitted in there and k could not know of, of each at most the
//	limit, + what lies within σ of the window's edges
//
// because clocks that differ put it into different windows. In the last σ of a window
// a node may count in the next one already: then fixed windows are not judged.
type windows struct {
	o        *oracle
	tracks   map[string]*track
	accounts map[clientOf]*tally
	order    []*tally // as they came
	edge     float64  // the most that was ever excused for clocks
	loose    bool     // a change, or a reset: the bound that knows no load does not hold
}

// track is what one limit says over time: its policies in the order of the calls.
type track struct {
	policies []node.Policy
	now      int
}

// tally is one client under one limit.
type tally struct {
	of    clientOf
	ruler *ruler
	phase int // index of the policy in force
	taken map[*member][]*taken
	asked map[*member]*ledger
	book  *book // the central limiter's

	carried []*taken   // what was used before changes
	level   gcra.Level // of GCRA
	excused int64      // what a change may have carried over less
	until   int64      // as long as that counts
	most    int64      // the highest limit so far
	debts   map[*member]int64
	reset   crdt.Stamp
	pardon  int64

	worst, bound, exported float64
}

// taken is what one admission took.
type taken struct {
	at, stamp  int64 // in true time, and by the node's clock
	cost, back int64
	tat        int64 // of GCRA, after it
	backAt     int64 // when it was given back
	missed     bool  // somebody admitted something, and did not know of that
	blind      bool  // its node did not know of something that was given back
	minted     int64 // given back though it had drained in true time
	phase      int
	void       bool // of a life or a policy that was over already
}

func (e *taken) net() int64 { return e.cost - e.back }

// windowed reports whether the scenario is judged by windows.
func (sc *Scenario) windowed() bool {
	is := func(p *node.Policy) bool { return p.Algorithm != node.GCRA || len(p.Overrides) > 0 }
	if is(&sc.Policy) || len(sc.Limits) > 0 {
		return true
	}
	for i := range sc.Faults {
		if p := sc.Faults[i].Policy; p != nil && is(p) {
			return true
		}
	}
	return false
}

func newWindows(o *oracle) *windows {
	v := &windows{o: o, tracks: map[string]*track{}, accounts: map[clientOf]*tally{}}
	v.tracks[node.DefaultLimit] = &track{policies: []node.Policy{o.w.sc.Policy}}
	for _, l := range o.w.sc.Limits {
		v.tracks[l.Name] = &track{policies: []node.Policy{l.Policy}}
	}
	return v
}

// tally finds a client's, nil if nothing is counted against it.
func (v *windows) tally(limit, client string) *tally {
	k := clientOf{limit, client}
	if a, some := v.accounts[k]; some {
		return a
	}
	t := v.tracks[limit]
	p := policyOf(t.policies[t.now], client)
	if p.Access != node.Limited {
		return nil
	}
	r, err := newRuler(p)
	if err != nil {
		v.o.w.violate("ruler: %v", err)
		return nil
	}
	a := &tally{
		of: k, ruler: r, phase: t.now, taken: map[*member][]*taken{}, asked: map[*member]*ledger{}, debts: map[*member]int64{},
		book: newBook(r), level: gcra.Level{Base: gcra.Never}, most: r.policy.Burst,
	}
	v.accounts[k] = a
	v.order = append(v.order, a)
	return a
}

// asked lets the central limiter decide the request.
func (v *windows) asked(m *member, limits []string, client string, cost int64) {
	var books []*book
	for _, limit := range limits {
		if a := v.tally(limit, client); a != nil {
			books = append(books, a.book)
			if v.o.documented {
				ledgerOf(a.asked, m).add(v.o.w.now, cost)
			}
		}
	}
	v.o.central.ask(books, v.o.w.now, cost)
}

// admitted judges one admission under one limit.
func (v *windows) admitted(m *member, limit, client string, cost int64) *taken {
	a := v.tally(limit, client)
	if a == nil {
		return nil
	}
	for _, other := range v.o.w.living() {
		v.o.observeClock(other)
	}
	e := v.take(a, m, cost)
	if e.phase == a.phase && !e.void {
		v.judge(a, m, e)
	}
	return e
}

// take notes what a node took, under the policy that it decided by.
func (v *windows) take(a *tally, m *member, cost int64) *taken {
	t := v.o.w.now
	e := &taken{at: t, stamp: m.clock.read(t), cost: cost, phase: a.phase}
	stamp, p, held := m.step.Standing(a.of.limit, a.of.client)
	if !held || !a.ruler.same(p) {
		e.phase = v.decidedBy(a, p) // where the node holds nothing, everybody passes there
		e.void = e.phase < a.phase
	}
	if t < max(a.pardon, m.bornAt+int64(joinTime)) && stamp.Compare(a.reset) < 0 {
		e.void = true // of the life before: it ends wherever the reset is heard of
	}
	a.taken[m] = append(a.taken[m], e)
	if g := a.ruler.gcra; g != nil && e.phase == a.phase && !e.void {
		if g.TAT(a.level) < t {
			a.level = gcra.Level{Base: t}
			if t > a.until {
				a.excused = 0
			}
		}
		a.level.Count += uint64(cost) //nolint:gosec // positive
		e.tat = g.TAT(a.level)
	}
	return e
}

// decidedBy is the policy to come that a node is under already, since its clock is
// ahead; -1 if it is none.
func (v *windows) decidedBy(a *tally, p node.Policy) int {
	policies := v.tracks[a.of.limit].policies
	for i := a.phase + 1; i < len(policies); i++ {
		if r, err := newRuler(policyOf(policies[i], a.of.client)); err == nil && r.same(p) {
			return i
		}
	}
	return -1
}

// judge compares e, just admitted by m, with the bound.
func (v *windows) judge(a *tally, m *member, e *taken) {
	var over, bound, edge float64
	if a.ruler.gcra != nil {
		over, bound = v.drained(a, m, e)
	} else {
		var judged bool
		if over, bound, edge, judged = v.counted(a, m, e); !judged {
			return
		}
	}
	if e.at <= a.until {
		bound += float64(max(a.excused, v.before(a, m)))
	}
	v.edge = max(v.edge, edge)
	for other := range a.taken {
		v.o.observe(m, other, v.known(m, other))
	}
	if over <= 0 {
		return
	}
	bound += edge
	if over > a.worst {
		a.worst, a.bound = over, bound
		v.judgeExported(a, m, over-edge)
	}
	if over > bound+epsilon {
		v.o.w.violate("n%d admitted %d to %s under %s: %.3f over the limit, the bound %.3f (σ %v, %.3f at the edges, %d excused)", m.number, e.cost,
			a.of.client, a.of.limit, over, bound, time.Duration(v.o.sigma()), edge, a.excused)
	} else if bound > 0 {
		v.o.w.result.Tightest = max(v.o.w.result.Tightest, over/bound)
	}
}

// known is the true time up to which m has to know what other admitted.
func (v *windows) known(m, other *member) int64 {
	known := v.o.claimed(m, other)
	if kept, some := v.o.promise.kept(m, other, v.o.w.now); some {
		known = max(known, kept)
	}
	return known
}

// drained compares by GCRA, as the oracle does where there is no other algorithm. What
// was given back is excused where a node did not know of it: had it found the bucket
// empty, it would have raised the origin to t less what the counters drain in, that cost
// among them, and is left with too low an origin when it hears; and it takes its own
// reservation to drain later than it does, and gives too much of it back.
func (v *windows) drained(a *tally, m *member, now *taken) (over, bound float64) {
	p := &a.ruler.policy
	rate := float64(p.Limit) / float64(p.Window)
	over = float64(a.ruler.gcra.TAT(a.level)-v.o.w.now)*rate - float64(p.Burst)
	for other, all := range a.taken {
		if other != m {
			bound += unseenOf(all, v.known(m, other), func(e *taken) float64 { return a.counts(e, 1) })
		}
		for _, e := range all {
			if other != m && e.back > 0 && e.backAt > v.known(m, other) {
				e.missed, now.blind = true, true
			}
			if e.at <= now.at-a.ruler.lasts() {
				continue
			}
			bound += a.counts(e, float64(e.minted))
			if e.missed {
				bound += a.counts(e, float64(e.back))
			}
		}
	}
	return over, bound + rate*float64(v.o.sigma())
}

// counts is weight for what is counted under the policy in force, else 0.
func (a *tally) counts(e *taken, weight float64) float64 {
	if e.void || e.phase != a.phase {
		return 0
	}
	return weight
}

// counted compares by windows. It is not judged where the node may count in the next
// window already.
func (v *windows) counted(a *tally, m *member, e *taken) (over, bound, edge float64, judged bool) {
	r, sigma := a.ruler, v.o.sigma()
	start := r.part(e.stamp)
	end := r.end(start)
	share := 1 - float64(e.stamp-start)/float64(end-start) // of the window before, by estimate
	if r.fixed != nil && e.stamp >= end-sigma {
		return 0, 0, 0, false
	}
	weight := func(of *taken) float64 {
		switch at := r.part(of.stamp); {
		case r.segmented != nil:
			if of.at > e.at-int64(r.policy.Window) {
				return 1
			}
		case at == start:
			return 1
		case r.sliding != nil && at == start-r.width:
			return share
		}
		return 0
	}
	sum := 0.0
	for _, other := range v.o.w.members { // in order: sums of fractions depend on it
		all := a.taken[other]
		unseen, most := 0.0, float64(a.most+a.debts[other])
		known := v.known(m, other)
		for i := len(all) - 1; i >= 0 && all[i].at > e.at-r.lasts()-sigma; i-- {
			of := all[i]
			w := a.counts(of, weight(of))
			if w == 0 {
				continue
			}
			sum += w * float64(of.net())
			lost := r.segmented != nil && v.overlooked(r, of, e)
			if lost || r.sliding != nil && w < 1 && e.stamp >= end-sigma {
				edge += w * float64(of.net())
			}
			if of.at > known && other != m && !lost {
				unseen += w * float64(of.cost)
			}
			if of.stamp >= end-sigma || of.stamp < start && sigma > 0 {
				most += float64(of.cost) // in a window of its own, as that node's clock has it
			}
		}
		bound += min(unseen, most)
	}
	for _, c := range a.carried {
		sum += weight(c) * float64(c.cost)
	}
	return sum - float64(r.policy.Limit), bound, edge, true
}

// overlooked: of is within the last window of true time, but the clock of e's node has
// it in a part that is over; or parts are shorter than clocks differ, and it is in one
// that some clock counts anew.
func (v *windows) overlooked(r *ruler, of, e *taken) bool {
	if r.part(of.stamp) < r.oldest(e.stamp) {
		return true
	}
	frame := e.stamp - e.stamp%r.width
	return of.stamp < frame && e.stamp >= frame+r.width-v.o.sigma()
}

// unseenOf is the cost of what came after known.
func unseenOf(all []*taken, known int64, weight func(*taken) float64) (unseen float64) {
	for i := len(all) - 1; i >= 0 && all[i].at > known; i-- {
		unseen += weight(all[i]) * float64(all[i].cost)
	}
	return unseen
}

// before is what was admitted before the last change and m could not know of: it
// carried over less by as much.
func (v *windows) before(a *tally, m *member) int64 {
	unseen := int64(0)
	for other, all := range a.taken {
		if other == m {
			continue
		}
		known := v.known(m, other)
		for i := len(all) - 1; i >= 0 && all[i].at > known; i-- {
			if !all[i].void && all[i].phase < a.phase {
				unseen += all[i].cost
			}
		}
	}
	return unseen
}

// judgeExported checks the bound that m exports now.
func (v *windows) judgeExported(a *tally, m *member, over float64) {
	if !v.o.w.sc.exportable() || v.loose || len(a.debts) > 0 || over < 1.1*a.exported {
		return
	}
	a.exported = over
	for _, l := range m.step.Node.Stats().Limits {
		if l.Name == a.of.limit && over > l.OvershootBound+v.slack(a)+epsilon {
			v.o.w.violate("n%d exports a bound of %.3f for %s, but %s is over by %.3f", m.number, l.OvershootBound, l.Name, a.of.client, over)
		}
	}
}

// slack is what the exported bound of GCRA is off by: see the oracle's.
func (v *windows) slack(a *tally) float64 {
	if a.ruler.gcra == nil {
		return 0
	}
	link, p := &v.o.w.sc.Link, &a.ruler.policy
	return float64(p.Limit) / float64(p.Window) * (float64(link.DelayMax-link.DelayMin) + float64(v.o.lag()))
}

// report adds up what the run came to.
func (v *windows) report(r *Result) {
	most := 0.0
	for _, a := range v.order {
		v.loose = v.loose || a.ruler.gcra != nil
		debts := int64(0)
		for _, d := range a.debts {
			debts += d
		}
		most = max(most, float64(r.Incarnations-1)*float64(a.most)+float64(debts))
		if v.o.documented {
			terms := v.o.termsOf(a.asked, func(m *member, from int64) int64 {
				return int64(math.Ceil(unseenOf(a.taken[m], from, func(*taken) float64 { return 1 })))
			}, float64(a.most), 0)
			if a.worst > r.E {
				r.Documented = terms
			}
			if a.worst > terms.Total()+epsilon {
				v.o.w.violate("%s under %s: %.3f over the limit, the documented bound %.3f: %+v", a.of.client, a.of.limit, a.worst, terms.Total(), terms)
			}
		}
		if a.worst > r.E {
			r.E, r.Bound = a.worst, a.bound
		}
	}
	if !v.loose && !v.o.altered {
		r.Ceiling = most + v.edge
	}
}
