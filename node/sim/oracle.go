package sim

import (
	"fmt"
	"maps"
	"math"
	"slices"
	"sort"
	"strings"
	"time"

	"github.com/distributed-rate-limiter/distributed-rate-limiter/crdt"
	"github.com/distributed-rate-limiter/distributed-rate-limiter/gcra"
	"github.com/distributed-rate-limiter/distributed-rate-limiter/node"
)

// oracle knows all admissions of all nodes in true time, and judges each.
//
// For every client it runs one unconditional GCRA over them. After an admission by
// node k at t, e = (TAT - t)/T - B is how far the cluster went beyond what a central
// limiter could have admitted, and must be at most
//
//	the cost that the other nodes admitted and k could not know of + r·σ
//
// What k could not know of follows from k's own claim of freshness, the one that it
// exports as its live bound: of each other node, everything that it admitted before
// (claim - flush interval) is merged; and from what a cluster without trouble
// promises, see promise. If a claim is wrong, or merging, folding or forgetting loses
// something, some admission breaks this.
type oracle struct {
	w       *world
	promise promise
	// documented is whether a bound for the whole run can be stated beforehand.
	documented bool
	gcra       *gcra.GCRA
	policy     node.Policy
	changes    bool // the policy changes in this run
	accounts   map[string]*account

	// How far clocks were from true time so far: σ is the difference.
	offMin, offMax int64
	offSome        bool

	windows *windows // nil: the default limit is all there is, and GCRA

	central   central
	staleness int64 // how far a node was behind another at most, nanoseconds
	altered   bool  // the limit changed, or a client was reset

	// late[k][j] are spans of j's admissions that k merged, if at all, after they had
	// left the two live windows: a long partition's are not charged any more.
	fresh map[[2]*member]int64
	late  map[[2]*member][]span
}

type span struct{ from, to int64 }

// epsilon is for rounding: one nanosecond a fold.
const epsilon = 1e-3

// account is one client.
type account struct {
	client  string
	level   gcra.Level
	admits  map[*member]*ledger
	asked   map[*member]*ledger // whether admitted or not; only if that matters
	idleAt  int64               // the bucket was last full then
	excused int64               // cost that no bound speaks of: admitted under an outdated revision or before a reset was heard
	lastExc int64               // when some was excused last
	pardon  int64               // until then after a reset, while a node has not heard of it
	reset   crdt.Stamp          // the last one
	worst   float64
	// exported is the excess for which a node's own bound was last looked at.
	exported float64
	bound    float64
}

// ledger is what one node admitted to one client. It outlives idleness: an origin
// is raised to t less what the counters of the current window drain in, so a node
// that does not know of some cost in it takes the bucket for fuller by as much, long
// after that cost has drained.
type ledger struct {
	at    []int64
	total []int64 // running
}

func newOracle(w *world, p node.Policy) (*oracle, error) {
	o := &oracle{
		w: w, promise: newPromise(&w.sc, w.start), documented: w.sc.documented(), accounts: map[string]*account{}, central: central{levels: map[string]gcra.Level{}},
		fresh: map[[2]*member]int64{}, late: map[[2]*member][]span{},
	}
	if w.sc.windowed() {
		o.windows = newWindows(o)
		return o, nil
	}
	err := o.set(p)
	return o, err
}

func (o *oracle) set(p node.Policy) error {
	g, err := gcra.New(gcra.Policy{Limit: p.Limit, Window: p.Window, Burst: p.Burst})
	if err != nil {
		return err
	}
	if p.Burst == 0 {
		p.Burst = p.Limit
	}
	o.gcra, o.policy = g, p
	return nil
}

// rate is r in units per nanosecond.
func (o *oracle) rate() float64 { return float64(o.policy.Limit) / float64(o.policy.Window) }

// sigma is σ, nanoseconds.
func (o *oracle) sigma() int64 { return o.offMax - o.offMin }

func (o *oracle) observeClock(m *member) {
	off := m.clock.read(o.w.now) - o.w.now
	if !o.offSome {
		o.offSome, o.offMin, o.offMax = true, off, off
	}
	o.offMin, o.offMax = min(o.offMin, off), max(o.offMax, off)
}

// observeStaleness notes how much of the others' lives m does not know of.
func (o *oracle) observeStaleness(a *account, m *member) {
	for other := range a.admits {
		o.observe(m, other, o.known(a, m, other))
	}
}

func (o *oracle) observe(m, other *member, known int64) {
	until := o.w.now
	if !other.alive {
		until = other.diedAt
	}
	if other != m {
		o.staleness = max(o.staleness, until-max(known, other.bornAt))
	}
}

func (o *oracle) account(client string) *account {
	a := o.accounts[client]
	if a == nil {
		a = &account{client: client, level: gcra.Level{Base: gcra.Never}, admits: map[*member]*ledger{}, asked: map[*member]*ledger{}}
		o.accounts[client] = a
	}
	return a
}

// asked notes one request.
func (o *oracle) asked(m *member, s *Stream, cost int64) {
	client := s.Client
	if o.windows != nil {
		o.windows.asked(m, s.limits(), client, cost)
		return
	}
	o.central.request(o.gcra, client, o.w.now, cost)
	if o.documented {
		ledgerOf(o.account(client).asked, m).add(o.w.now, cost)
	}
}

func ledgerOf(of map[*member]*ledger, m *member) *ledger {
	l := of[m]
	if l == nil {
		l = &ledger{}
		of[m] = l
	}
	return l
}

// admitted judges one admission, and returns what the client now has to give back: of
// each limit, if it is counted by windows.
func (o *oracle) admitted(m *member, s *Stream, cost int64) (of []*taken) {
	if o.windows == nil {
		o.judge(m, s.Client, cost)
		return nil
	}
	for _, limit := range s.limits() {
		of = append(of, o.windows.admitted(m, limit, s.Client, cost))
	}
	return of
}

func (o *oracle) judge(m *member, client string, cost int64) {
	t := o.w.now
	o.observeClock(m)
	a := o.account(client)
	if o.gcra.TAT(a.level) < t {
		a.level, a.idleAt = gcra.Level{Base: t}, t
		if t-a.lastExc > 2*o.w.width() {
			a.excused = 0
		}
	}
	a.level.Count += uint64(cost) //nolint:gosec // positive
	ledgerOf(a.admits, m).add(t, cost)
	elsewhere := o.elsewhere(m, client)
	if elsewhere || t < max(a.pardon, m.bornAt+int64(joinTime)) && !o.heard(m, client, a.reset) {
		a.excused, a.lastExc = a.excused+cost, t
	}
	if elsewhere {
		return // what it admits by another policy is judged by the others' next admission
	}
	o.observeStaleness(a, m)
	e := float64(o.gcra.TAT(a.level)-t)*o.rate() - float64(o.policy.Burst)
	if e <= 0 {
		return
	}
	bound := o.bound(a, m)
	if e > a.worst {
		a.worst, a.bound = e, bound
		o.judgeExported(a, m, e)
	}
	if e > bound+epsilon {
		o.w.violate("n%d admitted %d to %s: E is %.3f, the bound %.3f%s", m.number, cost, client, e, bound, o.why(a, m))
	} else if bound > 0 {
		o.w.result.Tightest = max(o.w.result.Tightest, e/bound)
	}
}

// heard reports whether the node knows of the client's reset.
func (o *oracle) heard(m *member, client string, reset crdt.Stamp) bool {
	stamp, _, _ := m.step.Standing(node.DefaultLimit, client)
	return stamp.Compare(reset) >= 0
}

// elsewhere reports whether the node decided by another policy than the one in force
// in true time: it does not know of a change yet, or its clock, or that of a peer
// whose rows it merged, has crossed the instant of change already, or not yet.
func (o *oracle) elsewhere(m *member, client string) bool {
	if !o.changes {
		return false
	}
	_, p, held := m.step.Standing(node.DefaultLimit, client)
	if !held { // it shares an overflow entry
		p = m.step.Node.Limits()[node.DefaultLimit]
	}
	return p.Limit != o.policy.Limit || p.Window != o.policy.Window || p.Burst != o.policy.Burst
}

// bound is what an admission by m may exceed the central limiter by right now.
func (o *oracle) bound(a *account, m *member) float64 {
	unseen := a.excused
	for other := range a.admits {
		if other != m {
			unseen += o.unseen(a, m, other)
		}
	}
	return float64(unseen) + o.rate()*float64(o.sigma())
}

// why lists what the bound is made of.
func (o *oracle) why(a *account, m *member) string {
	var out strings.Builder
	_, _ = fmt.Fprintf(&out, " (σ %v, excused %d", time.Duration(o.sigma()), a.excused)
	for _, other := range o.w.members {
		if l := a.admits[other]; l != nil && other != m {
			_, _ = fmt.Fprintf(&out, "; of n%d known until %v ago, %d of %d unseen", other.number,
				time.Duration(o.w.now-o.known(a, m, other)), o.unseen(a, m, other), l.total[len(l.total)-1])
		}
	}
	return out.String() + ")"
}

// unseen is the cost that other admitted, and of which m could not know.
func (o *oracle) unseen(a *account, m, other *member) int64 {
	l := a.admits[other]
	known := o.known(a, m, other)
	unseen := l.since(known)
	for _, s := range o.late[[2]*member{m, other}] {
		if s.from, s.to = max(s.from, a.idleAt-1), min(s.to, known); s.from < s.to {
			unseen += l.since(s.from) - l.since(s.to)
		}
	}
	return unseen
}

// known is the true time up to which m has to know what other admitted to a client.
func (o *oracle) known(a *account, m, other *member) int64 {
	known := o.claimed(m, other)
	// At a full table, rows of clients that are not held are not taken in.
	if kept, some := o.promise.kept(m, other, o.w.now); some && (o.w.sc.MaxClients == 0 || o.held(a, m) && o.held(a, other)) {
		known = max(known, kept)
	}
	return known
}

func (o *oracle) held(a *account, m *member) bool {
	_, _, held := m.step.Standing(node.DefaultLimit, a.client)
	return held
}

// claimed is the true time up to which m claims to know what other admitted.
func (o *oracle) claimed(m, other *member) int64 {
	known := m.floors[other]
	if at, ok := m.step.Fresh(other.replica); ok {
		// What was sent by then had waited for a flush at most; a clock that stands
		// still after a step back holds the flush up, too.
		known = max(known, other.clock.earliest(at)-o.lag())
	}
	return known
}

func (o *oracle) lag() int64 { return o.promise.lag(&o.w.sc) }

// progress is called when m took a message from other: claims may have grown.
func (o *oracle) progress(m, other *member) {
	if o.windows != nil {
		return // what is late is of windows that count no more
	}
	pair := [2]*member{m, other}
	known := o.claimed(m, other)
	was, some := o.fresh[pair]
	if !some {
		was = m.bornAt
	}
	if known <= was {
		return
	}
	// The earliest window that some node's clock has folded already, by the clock
	// that is furthest behind.
	width, ahead := o.w.width(), o.w.now+o.offMax
	folded := ahead - ahead%width - width - o.offMin
	if s := (span{from: was, to: min(known, folded)}); s.from < s.to {
		o.late[pair] = append(o.late[pair], s)
	}
	o.fresh[pair] = known
}

// tat is the client's theoretical arrival time in true time.
func (o *oracle) tat(client string) int64 { return o.gcra.TAT(o.account(client).level) }

// returned takes off the account what was given back of a reservation that left tat
// behind, as far as it has not drained.
func (o *oracle) returned(client string, back, tat int64) {
	a := o.account(client)
	// Rounded up: the node rounds down, but its clock may be on the other side of a
	// whole unit.
	left := o.gcra.UnitsOver(max(0, tat-o.w.now))
	a.level.Count -= min(uint64(max(back, 0)), left, a.level.Count) //nolint:gosec // not negative
}

// claims are what living nodes claim to know of the others by now.
func (o *oracle) claims() map[[2]*member]int64 {
	out := map[[2]*member]int64{}
	for _, g := range o.w.living() {
		for _, other := range o.w.members {
			if other != g {
				out[[2]*member{g, other}] = o.claimed(g, other)
			}
		}
	}
	return out
}

// joined is called when m is ready: if it merged a snapshot, it knows what the giver
// knew when m was born. What the giver claims now may be due to a repair since.
func (o *oracle) joined(m *member, giver uint64) {
	m.ready = true
	for _, g := range o.w.members {
		if g.replica != giver {
			continue
		}
		for _, other := range o.w.members {
			switch other {
			case m:
			case g:
				m.floors[other] = m.bornAt - o.lag()
			default:
				m.floors[other] = min(m.bornAt-o.lag(), m.claims[[2]*member{g, other}])
			}
		}
	}
}

// change converts all accounts to a new policy at true time t.
func (o *oracle) change(c node.LimitChange, t int64) {
	o.changes = true
	if o.windows != nil {
		o.windows.change(c, t)
		return
	}
	o.w.at(t, func() {
		for _, m := range o.w.living() {
			o.observeClock(m) // whoever crosses the instant, not only who admits
		}
		old := o.gcra
		o.central.change(old, c.Policy, t)
		o.altered = true
		for _, a := range o.accounts {
			a.level = convert(old, a.level, c.Policy, t)
			// Clocks that differ cross the instant of change at different times, and
			// what was used is rounded up to whole units.
			a.excused, a.lastExc = a.excused+int64(math.Ceil(o.rate()*float64(o.sigma())))+2, t
		}
		if err := o.set(c.Policy); err != nil {
			o.w.violate("change: %v", err)
		}
	})
}

// reset empties a client's account, which m was told to reset. What is admitted by
// nodes that did not hear of it yet is excused: it belongs to the life that ended.
func (o *oracle) reset(m *member, client string) {
	const heard = 5 * time.Second
	if o.windows != nil {
		o.windows.forget(m, client, heard)
		return
	}
	a := o.account(client)
	a.level = gcra.Level{Base: o.w.now}
	delete(o.central.levels, client)
	o.altered = true
	a.pardon = o.pardon(heard)
	a.reset, _, _ = m.step.Standing(node.DefaultLimit, client)
}

// pardon is until when a node may not have heard of a reset now: it does not get across
// a cut before that heals.
func (o *oracle) pardon(heard time.Duration) int64 {
	until := o.w.now + int64(heard)
	for _, f := range o.w.sc.Faults {
		if f.Kind == FaultPartition || f.Kind == FaultOneWay || f.Kind == FaultLoss || f.Kind == FaultSlow {
			until = max(until, o.w.start+int64(f.At+f.For+heard))
		}
	}
	return until
}

func (o *oracle) report(r *Result) {
	for _, client := range slices.Sorted(maps.Keys(o.accounts)) { // in order: two may tie
		a := o.accounts[client]
		if o.documented {
			terms := o.terms(a)
			if a.worst > r.E {
				r.Documented = terms
			}
			if a.worst > terms.Total()+epsilon {
				o.w.violate("%s: E is %.3f, the documented bound %.3f: %+v", client, a.worst, terms.Total(), terms)
			}
		}
		if a.worst > r.E {
			r.E, r.Bound = a.worst, a.bound
		}
	}
	r.Central, r.CentralUnits = o.central.admitted, o.central.units
	r.Incarnations, r.Sigma = len(o.w.members), time.Duration(o.sigma())
	r.Delta = time.Duration(o.staleness)
	if o.documented && len(o.w.sc.Faults) == 0 {
		r.Delta = time.Duration(o.promise.delta)
	}
	if o.windows != nil {
		o.windows.report(r)
		return
	}
	if !o.altered {
		rate := o.rate()
		r.Ceiling = float64(r.Incarnations-1)*(float64(o.policy.Burst)+rate*float64(r.Delta)) + rate*float64(r.Sigma)
	}
}

func (l *ledger) add(t, cost int64) {
	total := cost
	if n := len(l.total); n > 0 {
		total += l.total[n-1]
	}
	if n := len(l.at); n > 0 && l.at[n-1] == t {
		l.total[n-1] = total
		return
	}
	l.at, l.total = append(l.at, t), append(l.total, total)
}

// since is the cost after time t.
func (l *ledger) since(t int64) int64 {
	n := len(l.at)
	if n == 0 {
		return 0
	}
	i := sort.Search(n, func(i int) bool { return l.at[i] > t })
	if i == 0 {
		return l.total[n-1]
	}
	return l.total[n-1] - l.total[i-1]
}
