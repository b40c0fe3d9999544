package sim

import (
	"math"
	"time"

	"github.com/distributed-rate-limiter/distributed-rate-limiter/crdt"
	"github.com/distributed-rate-limiter/distributed-rate-limiter/node"
)

// oracle knows all admissions of all nodes in true time, and judges each: see judge. It
// keeps an account of every client under every limit.
//
// What a node could not know of is the core of each judgement. That follows from the
// node's own claim of freshness, the one that it exports as its live bound: of each other
// node, everything that it admitted before (claim - flush interval) is merged; and from
// what a cluster without trouble promises, see promise. If a claim is wrong, or merging,
// folding or forgetting loses something, some admission breaks its bound.
type oracle struct {
	w      *world
	clocks *clocks
	knows  *knowledge
	ledger *ledger
	// documented is whether a bound for the whole run can be stated beforehand.
	documented bool
	altered    bool // a limit changes, or a client was reset
	tracks     map[string]*track
	accounts   map[clientOf]*account
	order      []*account // as they came
	edge       float64    // the most that was ever excused at the edges of windows
}

// epsilon is for rounding: one nanosecond a fold.
const epsilon = 1e-3

func newOracle(w *world) *oracle {
	tracks := map[string]*track{node.DefaultLimit: {policies: []node.Policy{w.sc.Policy}}}
	for _, l := range w.sc.Limits {
		tracks[l.Name] = &track{policies: []node.Policy{l.Policy}}
	}
	c := &clocks{}
	return &oracle{
		w: w, clocks: c, knows: newKnowledge(w, c), ledger: newLedger(w, tracks),
		documented: w.sc.documented(), tracks: tracks, accounts: map[clientOf]*account{},
	}
}

// account finds a client's, nil if nothing is counted against it.
func (o *oracle) account(limit, client string) *account {
	k := clientOf{limit, client}
	if a, some := o.accounts[k]; some {
		return a
	}
	t := o.tracks[limit]
	p := policyOf(t.policies[t.now], client)
	if p.Access != node.Limited {
		return nil
	}
	y, err := newYardstick(p)
	if err != nil {
		o.w.violate("yardstick: %v", err)
		return nil
	}
	a := &account{
		of: k, yard: y, phase: t.now, most: y.policy.Burst, narrow: y.width,
		asked: map[*member]*series{}, debts: map[*member]int64{}, idleAt: o.w.now,
	}
	a.forget(0)
	o.accounts[k] = a
	o.order = append(o.order, a)
	return a
}

// asked lets the central limiter decide a request that its limits have to admit
// together, and notes it.
func (o *oracle) asked(m *member, limits []string, client string, cost int64, allowed bool) {
	t, admitted := o.w.now, true
	var all []*account
	for _, limit := range limits {
		if a := o.account(limit, client); a != nil {
			all = append(all, a)
			admitted = a.central.admits(t, cost) && admitted
			if o.documented {
				seriesOf(a.asked, m).add(t, cost)
			}
		}
	}
	for _, a := range all {
		a.limited, a.wouldBe = a.limited || !allowed, a.wouldBe || !admitted
		if admitted {
			a.central.count(t, cost)
		}
	}
	if admitted {
		o.w.result.Central++
		o.w.result.CentralUnits += uint64(cost) //nolint:gosec // positive
	}
}

// admitted judges one admission, and returns what was charged under each limit: nil where
// nothing is counted.
func (o *oracle) admitted(m *member, limits []string, client string, cost int64, why node.Reason) (of []*charge) {
	for _, limit := range limits {
		a := o.account(limit, client)
		if a != nil && len(limits) == 1 && (why == node.ReasonIsolatedOpen || why == node.ReasonFull) {
			o.uncounted(m, limit, client)
			a = nil
		}
		if a == nil {
			of = append(of, nil)
			continue
		}
		o.clocks.observe(m)
		if a.yard.gcra == nil { // at the edges of windows every clock matters
			for _, other := range o.w.living() {
				o.clocks.observe(other)
			}
		}
		c := o.charge(a, m, cost)
		if a.counts(c) && !c.late {
			o.judge(a, c)
		}
		of = append(of, c)
	}
	return of
}

// uncounted judges a request that passes whatever was used, because nodes do not hear each other or
// the table is full. No bound holds for it, and the node has to say so. What it counts is judged as
// ever.
func (o *oracle) uncounted(m *member, limit, client string) {
	if x := m.exports(limit); !x.degraded || !math.IsInf(x.bound, 1) {
		o.w.violate("n%d lets %s pass under %s uncounted, and exports %.3f, degraded %t", m.number, client, limit, x.bound, x.degraded)
	}
}

// charge notes what a node charged, under the policy that it decided by.
func (o *oracle) charge(a *account, m *member, cost int64) *charge {
	t := o.w.now
	c := &charge{by: m, at: t, stamp: m.clock.read(t), cost: cost, phase: a.phase, life: a.life, early: a.yard.gcra != nil && m.joinedAt == 0}
	unheard := false
	if o.altered {
		reset, p, held := m.step.Inside().Standing(a.of.limit, a.of.client)
		if !held { // it shares an overflow entry, or everybody passes there
			p = policyOf(m.step.Node.Limits()[a.of.limit], a.of.client)
		}
		if !a.yard.same(p) {
			c.phase = o.phaseOf(a, p)
		}
		// Of the life before, which ends wherever the reset is heard of.
		unheard = reset.Compare(a.reset) < 0 && o.notHeard(a, m)
		if c.void = c.phase < a.phase || unheard; unheard {
			a.before += cost
		}
	}
	o.ledger.add(a, c, crdt.Count{P: uint64(cost)}) //nolint:gosec // positive
	switch {
	case c.phase < a.phase && !unheard:
		c.void, c.late = false, true
		o.outdated(a, c)
	case c.void:
	case c.phase > a.phase:
		a.ahead = append(a.ahead, c)
	default:
		a.add(c)
	}
	return c
}

// phaseOf is the policy to come that a node is under already, since its clock, or that
// of a peer whose rows it merged, is ahead; -1 if it is none.
func (o *oracle) phaseOf(a *account, p node.Policy) int {
	policies := o.tracks[a.of.limit].policies
	for i := a.phase + 1; i < len(policies); i++ {
		if y, err := newYardstick(policyOf(policies[i], a.of.client)); err == nil && y.same(p) {
			return i
		}
	}
	return -1
}

func (o *oracle) report(r *Result) {
	r.Incarnations, r.Sigma = len(o.w.members), time.Duration(o.clocks.sigma())
	r.Delta = time.Duration(o.knows.staleness)
	if o.documented && len(o.w.sc.Faults) == 0 {
		r.Delta = time.Duration(o.knows.promise.delta)
	}
	for _, a := range o.order {
		if o.documented {
			terms := o.terms(a)
			if a.worst > r.E {
				r.Documented = terms
			}
			if a.worst > terms.Total()+epsilon {
				o.w.violate("%s under %s: E is %.3f, the documented bound %.3f: %+v", a.of.client, a.of.limit, a.worst, terms.Total(), terms)
			}
		}
		if a.worst > r.E {
			r.E, r.Bound = a.worst, a.bound
		}
		if !o.altered {
			r.Ceiling = max(r.Ceiling, o.ceiling(a, r))
		}
		if a.limited {
			r.Limited++
		}
		if a.wouldBe {
			r.CentralLimited++
		}
	}
}

// ceiling is the bound that can be stated without knowing the load.
func (o *oracle) ceiling(a *account, r *Result) float64 {
	most, rate := float64(a.most), a.yard.rate()
	if a.yard.gcra == nil {
		rate = 0
	}
	c := float64(r.Incarnations-1)*(most+rate*float64(r.Delta)) + rate*float64(r.Sigma)
	for _, debt := range a.debts {
		c += float64(debt)
	}
	if a.yard.gcra == nil {
		c += o.edge
	}
	return c
}
