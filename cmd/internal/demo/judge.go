package demo

import (
	"time"

	"github.com/distributed-rate-limiter/distributed-rate-limiter/gcra"
	"github.com/distributed-rate-limiter/distributed-rate-limiter/node"
)

// judge sees every request in true time. It runs two limiters for each client beside the nodes.
// The central one decides the same requests. The yardstick admits what the nodes admitted, and
// shows how far beyond the limit that was: E of docs/error-bound.md. Not safe for concurrent
// use.
type judge struct {
	gcra    *gcra.GCRA
	changes []node.LimitChange // that are still to come
	last    time.Time          // when the last one that was heard of holds
	clients map[int]*account
	bounds  map[*node.Node]sample
	slack   float64 // units that a change of the limit may round up

	requests, admitted, denied, central int
	wronged                             int // denied, though within the limit
	e                                   float64
	bound                               float64 // when E was largest
	closest                             float64 // E's largest share of its bound
	broken                              int     // admissions beyond the bound
}

type account struct{ central, yardstick gcra.Level }

// sample is a node's live bound at one time.
type sample struct {
	at    int64
	bound float64
}

// sampleEvery is the longest time between two looks at a node's live bound. Raising it judges by older
// bounds; lowering it takes time from the nodes.
const sampleEvery = 50 * time.Millisecond

// rounding is what a change of the limit may add to E, because nodes carry whole units over.
const rounding = 2

func newJudge(p node.Policy) *judge {
	return &judge{gcra: limiterOf(p), clients: map[int]*account{}, bounds: map[*node.Node]sample{}}
}

// limiterOf is the limiter for a policy. The nodes have judged the policy before.
func limiterOf(p node.Policy) *gcra.GCRA {
	g, err := gcra.New(gcra.Policy{Limit: p.Limit, Window: p.Window, Burst: p.Burst})
	if err != nil {
		panic(err)
	}
	return g
}

// heard takes in the changes of the limit that a node knows and that do not hold yet. Somebody who
// looks at the demonstration may have made one.
func (j *judge) heard(changes []node.LimitChange) {
	for _, c := range changes {
		if c.At.After(j.last) {
			j.changes, j.last = append(j.changes, c), c.At
		}
	}
}

// decided takes in one request: the node that decided it, the time and the answer.
func (j *judge) decided(n *node.Node, client int, modest bool, t int64, allowed bool) {
	for len(j.changes) > 0 && t >= j.changes[0].At.UnixNano() {
		j.change(j.changes[0])
		j.changes = j.changes[1:]
	}
	before := j.lately(n, t)
	a := j.clients[client]
	if a == nil {
		a = &account{central: gcra.Level{Base: t}, yardstick: gcra.Level{Base: t}}
		j.clients[client] = a
	}
	j.requests++
	if ok, origin := j.gcra.Admit(a.central, t, 1); ok {
		a.central.Base = max(a.central.Base, origin)
		a.central.Count++
		j.central++
	}
	switch {
	case allowed:
		j.admitted++
		j.measure(a, n, t, before)
	case modest:
		j.wronged++
		fallthrough
	default:
		j.denied++
	}
}

// measure puts an admission on the yardstick. It compares E with the live bound of the node
// that admitted.
func (j *judge) measure(a *account, n *node.Node, t int64, before float64) {
	if j.gcra.TAT(a.yardstick) < t {
		a.yardstick = gcra.Level{Base: t}
	}
	a.yardstick.Count++
	p := j.gcra.Policy()
	e := float64(j.gcra.TAT(a.yardstick)-t)*float64(p.Limit)/float64(p.Window) - float64(p.Burst)
	if e <= 0 {
		return
	}
	// The bound falls when messages arrive, perhaps between the decision and this look.
	bound := max(before, boundOf(n)) + j.slack
	if e > j.e {
		j.e, j.bound = e, bound
	}
	j.closest = max(j.closest, e/bound)
	if e > bound {
		j.broken++
	}
}

// lately is the node's live bound shortly before t.
func (j *judge) lately(n *node.Node, t int64) float64 {
	s, some := j.bounds[n]
	if !some || t-s.at >= int64(sampleEvery) {
		s = sample{t, boundOf(n)}
		j.bounds[n] = s
	}
	return s.bound
}

func boundOf(n *node.Node) float64 { return n.Stats().Limits[0].OvershootBound }

// change converts all accounts to a new policy as the nodes do. Used units stay used, in whole
// units and up to the new burst.
func (j *judge) change(c node.LimitChange) {
	old, t := j.gcra, c.At.UnixNano()
	j.gcra, j.slack = limiterOf(c.Policy), rounding
	convert := func(l gcra.Level) gcra.Level {
		next := gcra.Level{Base: t}
		if ahead := old.TAT(l) - t; ahead > 0 {
			next.Count = min(old.UnitsOver(ahead), uint64(c.Policy.Burst)) //nolint:gosec // positive
		}
		return next
	}
	for _, a := range j.clients {
		a.central, a.yardstick = convert(a.central), convert(a.yardstick)
	}
}
