package sim

import (
	"math/rand/v2"
	"slices"
	"strings"
	"time"

	"github.com/distributed-rate-limiter/distributed-rate-limiter/crdt"
	"github.com/distributed-rate-limiter/distributed-rate-limiter/node"
	"github.com/distributed-rate-limiter/distributed-rate-limiter/node/internal/inside"
	deltasync "github.com/distributed-rate-limiter/distributed-rate-limiter/sync"
)

// How refunds without a reservation are ordered. refundPoll is how often whoever ordered one looks
// whether it is done, and refundWait for how long, as the HTTP interface does.
const (
	refundPoll = 10 * time.Millisecond
	refundWait = 2 * time.Second
)

// orders are the refunds without a reservation of one client, in units: what was ordered, what
// nodes said came back, what they said may come back still, and what nodes gave back in truth.
type orders struct {
	client                       string
	returned, unconfirmed, given int64
	underway                     int
}

// ordered finds the orders of a client.
func (w *world) ordered(client string) *orders {
	for _, x := range w.orders {
		if x.client == client {
			return x
		}
	}
	x := &orders{client: client}
	w.orders = append(w.orders, x)
	return x
}

// refund orders a refund of a node, and waits for it.
func (w *world) refund(m *member, client string, units int64) {
	x := w.ordered(client)
	var poll func(last bool) (node.Refund, bool, error)
	before := x.given
	w.watchGifts(m, func() { poll = m.step.Refund(node.Request{Client: client, Cost: units}) })
	if did, _, _ := poll(false); did.Returned != x.given-before {
		w.violate("n%d says that it gave %s %d units back by itself, and its counters say %d", m.number, client, did.Returned, x.given-before)
	}
	if !w.sc.FixedFlush {
		m.urge()
	}
	x.underway++
	w.await(m, x, units, w.now+int64(refundWait), poll)
}

// await looks at a refund until it is done.
func (w *world) await(m *member, x *orders, units, until int64, poll func(last bool) (node.Refund, bool, error)) {
	did, done, err := poll(!m.alive || w.now >= until)
	if !done {
		w.after(refundPoll, func() { w.await(m, x, units, until, poll) })
		return
	}
	x.underway--
	x.returned, x.unconfirmed = x.returned+did.Returned, x.unconfirmed+did.Unconfirmed
	w.result.Refunded += uint64(max(0, did.Returned)) //nolint:gosec // not negative
	w.note("refunded", int64(m.number), did.Returned, did.Unconfirmed)
	switch {
	case err != nil:
		w.violate("n%d refunds %d to %s: %v", m.number, units, x.client, err)
	case did.Returned < 0 || did.Unconfirmed < 0 || did.Returned+did.Unconfirmed > units:
		w.violate("n%d was to refund %d to %s, and did %+v", m.number, units, x.client, did)
	case (did.Returned == units) != (did.Short == 0):
		w.violate("n%d was to refund %d to %s, and says that it did %+v", m.number, units, x.client, did)
	}
}

// settleOrders compares, in the end, what nodes gave back with what they said.
func (w *world) settleOrders() {
	for _, x := range w.orders {
		if x.given < x.returned || x.given > x.returned+x.unconfirmed {
			w.violate("%s got %d units back without a reservation, though nodes said %d and perhaps %d more", x.client, x.given, x.returned, x.unconfirmed)
		}
	}
}

// takeIn passes a packet on, and watches what a node gives back that others ask for a refund.
func (w *world) takeIn(m *member, p deltasync.Packet) {
	take := func() { m.do(deltasync.Input{Kind: deltasync.InputPacket, Packet: p}) }
	if len(w.orders) == 0 || !strings.Contains(p.Subject, ".settle.") {
		take()
		return
	}
	if m.alive {
		m.do(deltasync.Input{Kind: deltasync.InputTick}) // so that nothing else is due
	}
	w.watchGifts(m, take)
}

// watchGifts has the oracle judge what a node gives back of its own while do runs, by the node's
// own counters.
func (w *world) watchGifts(m *member, do func()) {
	own := func(x *orders) inside.Own { return m.step.Inside().Own(node.DefaultLimit, x.client) }
	var before []inside.Own
	for _, x := range w.orders {
		before = append(before, own(x))
	}
	do()
	for i, x := range w.orders {
		x.given += w.oracle.gave(m, x.client, before[i], own(x))
	}
}

// gave judges what a node gave back without a reservation, by its counters before and after, and
// takes it off the account.
//
// A node may give back what has not drained, as far as it knows. What it knows is wrong by what
// others gave back without its hearing of it, and by as much as an origin may be late: see denied.
// What it gives beyond what has not drained in true time is no credit: the account's bucket is full
// then and no fuller.
func (o *oracle) gave(m *member, client string, before, after inside.Own) (given int64) {
	if before.Life != after.Life {
		before = inside.Own{} // it went over to another life first, where it has counted nothing yet
	}
	a := o.account(node.DefaultLimit, client)
	var parts []inside.OwnPart
	for _, p := range after.Parts {
		i := slices.IndexFunc(before.Parts, func(q inside.OwnPart) bool { return q.Window == p.Window && q.Start == p.Start })
		was := crdt.Count{}
		if i >= 0 {
			was = before.Parts[i].Count
		}
		if p.Count.N -= was.N; p.Count.N > 0 {
			parts = append(parts, p)
			given += int64(p.Count.N) //nolint:gosec // at most what was charged
		}
	}
	if a == nil {
		return given
	}
	for _, p := range parts {
		o.ledger.gave(a, m, p)
	}
	if early := int64(before.Early) - int64(after.Early); early > 0 { //nolint:gosec // far below
		given += early
		o.ledger.gaveEarly(a, m, early)
	}
	if given > 0 {
		o.unused(a, m, given, parts)
	}
	return given
}

// unused takes units off the account that a node gave back.
func (o *oracle) unused(a *account, m *member, units int64, parts []inside.OwnPart) {
	t := o.w.now
	o.clocks.observe(m)
	reset, p, held := m.step.Inside().Standing(a.of.limit, a.of.client)
	if held && reset.Compare(a.reset) < 0 && o.notHeard(a, m) {
		return // of the life before
	}
	if held && !a.yard.same(p) {
		// Of a policy that is over, or still to come: nodes may carry the units over, or not.
		a.excused, a.forgotten = a.excused+units, a.forgotten+units
		a.until = max(a.until, t+a.yard.lasts())
		return
	}
	unheard := int64(0)
	for _, r := range a.refunds {
		if r.by != m && r.backAt > o.knows.known(a, m, r.by) {
			unheard += r.back
		}
	}
	left, may := o.refundable(a, m)
	if t <= a.until {
		may += float64(a.excused) // what the change carried over is not known to the unit
	}
	if held && reset.Compare(a.reset) < 0 {
		may += float64(a.before)
		a.before -= min(a.before, max(0, units-int64(left)))
	}
	if float64(units) > left+may+float64(unheard)+epsilon {
		o.w.violate("n%d gave %d back to %s, of which %.0f had not drained: %.3f more may be given, and %d for what it has not heard of",
			m.number, units, a.of.client, left, may, unheard)
	}
	c := &charge{by: m, at: t, stamp: m.clock.read(t), back: units, backAt: t, phase: a.phase, life: a.life}
	a.refunds = append(a.refunds, c)
	if a.yard.gcra == nil {
		for _, p := range parts {
			a.takeBack(m, p)
		}
		return
	}
	o.credit(a, m, min(a.level.Count, uint64(units), uint64(left))) //nolint:gosec // not negative
	if c.blind = unheard > 0; c.blind {
		c.minted = max(0, units-int64(left))
	}
	tat := a.yard.gcra.TAT(a.level)
	full := a.yard.gcra.UnitsOver(max(0, tat-t))
	for _, r := range a.recent { // no charge lies higher than the bucket is full
		if a.above(r, t) > full {
			r.tat, r.topped = tat, t
		}
	}
}

// refundable is how many units have not drained in true time, rounded up, and how many more a node
// may take for that.
func (o *oracle) refundable(a *account, m *member) (left, may float64) {
	t := o.w.now
	if g := a.yard.gcra; g != nil {
		behind := min(max(o.knows.staleness, o.knows.promise.delta), a.yard.lasts())
		apart := max(o.clocks.sigma(), o.clocks.apart(o.w.living()))
		left = float64(g.UnitsOver(max(0, g.TAT(a.level)-t)))
		heavy := float64(g.UnitsOver(max(0, g.TAT(a.heavy)-t)))
		return left, max(0, heavy-left) + 1 + a.yard.rate()*float64(behind+apart)
	}
	now := m.clock.read(t)
	used, edge := o.recent(a, now)
	if a.yard.sliding != nil { // units of the window before weigh less than one each
		for at, n := range a.byPart() {
			if at == a.yard.part(now)-a.yard.width {
				edge += float64(n)
			}
		}
	}
	return float64(used), edge + 1
}

// takeBack takes units off what a node charged in one part of a window, from the last charge on. A
// node that has merged rows of the next part counts there already, so the rest is of any part.
func (a *account) takeBack(m *member, p inside.OwnPart) {
	left := int64(p.Count.N) //nolint:gosec // at most what was charged
	for _, any := range []bool{false, true} {
		for _, c := range slices.Backward(a.charges[m]) {
			if c.part != p.Start && !any || !a.counts(c) {
				continue
			}
			back := min(left, max(0, c.net()))
			c.back += back
			left -= back
		}
	}
}

// Refunds is the scenario of a seed of Random, Correlated or Restarts in which clients are refunded
// without a reservation: now and then, and often around the moments of its faults, by several nodes
// at once, for less and for more than they used. Bursts follow, which take what came back.
func Refunds(seed uint64) Scenario {
	d := draw{rand.New(rand.NewPCG(seed, 6))} //nolint:gosec // repeatable on purpose
	sc := []func(uint64) Scenario{Random, Random, Correlated, Restarts}[d.upTo(3)](seed)
	client := victim
	if !slices.ContainsFunc(sc.Streams, func(s Stream) bool { return s.Client == victim }) {
		client = sc.Streams[0].Client
	}
	// A client that conforms gets no promise: what is given back late counts as taken.
	sc.Streams = slices.DeleteFunc(sc.Streams, func(s Stream) bool { return s.Conforming })
	burst := max(sc.Policy.Burst, sc.Policy.Limit)
	moments := []time.Duration{}
	for i := range sc.Faults {
		moments = append(moments, sc.Faults[i].At, sc.Faults[i].At+sc.Faults[i].For)
	}
	for _, s := range sc.Streams {
		if s.Burst > 0 {
			moments = append(moments, s.Start)
		}
	}
	for range 2 + d.upTo(8) {
		at := d.between(0, sc.Duration)
		if len(moments) > 0 && !d.one(3) {
			at = max(0, moments[d.r.IntN(len(moments))]+d.between(-time.Second, 3*time.Second))
		}
		for range 1 + d.upTo(2) {
			units := 1 + d.r.Int64N(burst)
			if d.one(6) {
				units = maxPerNode
			}
			at += d.pick(0, 0, 1, 10, 100)
			sc.Faults = append(sc.Faults, Fault{At: min(at, sc.Duration), Kind: FaultRefund, Nodes: d.node(sc.Nodes), Client: client, Value: float64(min(units, maxPerNode))})
		}
		if d.one(2) {
			sc.Streams = append(sc.Streams, Stream{Client: client, Burst: int(min(burst+2, 100)), Cost: max(1, burst/100), Start: at + d.pick(0, 1, 10, 100, 1000)})
		}
	}
	return sc
}
