package sim

import (
	"math"
	"slices"

	"github.com/distributed-rate-limiter/distributed-rate-limiter/node"
)

// What a node has to know of another, and by how much clocks and knowledge differ.

// sigma is σ, nanoseconds.
func (o *oracle) sigma() int64 { return o.offMax - o.offMin }

func (o *oracle) observeClock(m *member) {
	off := m.clock.read(o.w.now) - o.w.now
	if !o.offSome {
		o.offSome, o.offMin, o.offMax = true, off, off
	}
	o.offMin, o.offMax = min(o.offMin, off), max(o.offMax, off)
}

// apartAtMost is how far the clocks of all nodes that live are apart, of those that admitted also
// at earlier times, in nanoseconds.
func (o *oracle) apartAtMost() int64 {
	lo, hi := o.offMin, o.offMax
	for _, m := range o.w.living() {
		off := m.clock.read(o.w.now) - o.w.now
		lo, hi = min(lo, off), max(hi, off)
	}
	return hi - lo
}

// observeStaleness notes how long a stretch of another's life m does not know of.
func (o *oracle) observeStaleness(a *account, m *member) {
	for other := range a.charged {
		if other == m {
			continue
		}
		until := o.w.now
		if !other.alive {
			until = other.diedAt
		}
		o.staleness = max(o.staleness, until-max(o.known(a, m, other), other.bornAt))
	}
}

// known is the true time up to which m has to know what other charged to a client. Nodes
// refuse rows of windows that are too far ahead of their clocks, whatever they claim.
func (o *oracle) known(a *account, m, other *member) int64 {
	if o.sigma() > min(int64(node.DefaultClockTolerance), a.narrow/4) {
		return math.MinInt64
	}
	if o.w.sc.MaxClients > 0 && !o.w.sc.OpenWhenFull && a.yard.gcra != nil && (!o.held(a, m) || !o.held(a, other)) {
		return math.MinInt64 // each node alone counts a client without room
	}
	known := o.claimed(m, other)
	// At a full table, rows of clients that are not held are not taken in.
	if kept, some := o.promise.kept(m, other, o.w.now); some && (o.w.sc.MaxClients == 0 || o.held(a, m) && o.held(a, other)) {
		known = max(known, kept)
	}
	return known
}

func (o *oracle) held(a *account, m *member) bool {
	_, _, held := m.step.Inside().Standing(a.of.limit, a.of.client)
	return held
}

// claimed is the true time up to which m claims to know what other admitted.
func (o *oracle) claimed(m, other *member) int64 {
	known := m.floors[other]
	if at, ok := m.step.Inside().Fresh(other.replica); ok {
		// What was sent by then had waited for a flush at most; a clock that stands
		// still after a step back holds the flush up, too.
		known = max(known, other.clock.earliest(at)-o.lag())
	}
	return known
}

func (o *oracle) lag() int64 { return o.promise.lag(&o.w.sc) }

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
	m.ready, m.joinedAt, m.founder = true, o.w.now, giver == 0
	for _, g := range o.w.members {
		if g.replica != giver {
			continue
		}
		for _, other := range o.w.members {
			// What the giver learnt too late is not in the snapshot either. What it had not
			// learnt, m learns on its own, too late or not.
			pair := [2]*member{m, other}
			o.late[pair] = slices.Clone(o.late[[2]*member{g, other}])
			delete(o.fresh, pair)
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

// progress is called when m took a message from other: claims may have grown.
func (o *oracle) progress(m, other *member) {
	pair := [2]*member{m, other}
	known := o.claimed(m, other)
	was, some := o.fresh[pair]
	if !some {
		if was, some = m.floors[other]; !some {
			was = min(m.bornAt, other.bornAt)
		}
	}
	if known <= was {
		return
	}
	// A policy decides how wide its windows are, but none are narrower than this.
	l := late{span: span{was, known}, ahead: o.w.now + o.offMax, behind: o.offMin}
	if was < l.ahead-l.behind-int64(widthOf(0)) {
		o.late[pair] = append(o.late[pair], l)
	}
	o.fresh[pair] = known
}

// unseen is the cost that other charged, in this life and by this way to count, and of
// which m could not know.
func (o *oracle) unseen(a *account, m, other *member) int64 {
	s := a.charged[other]
	known := max(o.known(a, m, other), a.converted)
	unseen := s.since(known)
	if a.yard.gcra == nil {
		return unseen // a joiner tells it at once, and what is late is of windows that count no more
	}
	unseen += o.untold(a, other, known)
	for _, l := range o.late[[2]*member{m, other}] {
		f := l.folded(a.narrow)
		if from, to := max(f.from, a.idleAt-1), min(f.to, known); from < to {
			unseen += s.since(from) - s.since(to)
		}
	}
	return unseen
}

// untold is what other admitted under GCRA by known, before it had joined, and never told
// those who know it up to then. Once it has joined, that is what had drained by then.
func (o *oracle) untold(a *account, other *member, known int64) int64 {
	cost := a.charged[other].between(max(other.bornAt, a.idleAt), min(known, o.joinedBy(other)))
	if other.joinedAt == 0 || known <= other.joinedAt {
		return cost
	}
	return min(cost, o.drainedBy(a, other))
}

// drainedBy is what can drain, rounded up, while other joins.
func (o *oracle) drainedBy(a *account, other *member) int64 {
	return int64(math.Ceil(a.yard.rate()*float64(o.joinedBy(other)-other.bornAt))) + 1
}

func (o *oracle) joinedBy(m *member) int64 {
	if m.joinedAt == 0 {
		return o.w.now
	}
	return m.joinedAt
}

// untoldOwn is what m itself does not count any more of what it admitted before it had
// joined. Until it has joined, it takes both sides to drain by themselves.
func (o *oracle) untoldOwn(a *account, m *member) int64 {
	if a.yard.gcra == nil {
		return 0
	}
	return min(a.charged[m].between(max(m.bornAt, a.idleAt), o.joinedBy(m)), o.drainedBy(a, m))
}

// unseenOfOthers adds unseen up over all nodes but m.
func (o *oracle) unseenOfOthers(a *account, m *member) int64 {
	sum := int64(0)
	for other := range a.charged {
		if other != m {
			sum += o.unseen(a, m, other)
		}
	}
	return sum
}

// unseenBefore is what others charged before the limit last went over to another way to
// count, and of which m could not know: that much less was carried over there.
func (o *oracle) unseenBefore(a *account, m *member) int64 {
	sum := int64(0)
	for other, s := range a.charged {
		if known := o.known(a, m, other); other != m && known < a.converted {
			sum += s.since(known) - s.since(a.converted)
		}
	}
	return sum
}
