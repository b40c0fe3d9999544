package sim

import (
	"math"
	"slices"

	"github.com/distributed-rate-limiter/distributed-rate-limiter/node"
)

// knowledge is what each node has to know of the others, by the node's own claims and by the
// promise. It says what a judgement excuses: what a node could not know of.
type knowledge struct {
	w       *world
	promise promise
	clocks  *clocks

	staleness int64                 // how far a node was behind another at most, nanoseconds
	fresh     map[[2]*member]int64  // up to when the first claims to know the second
	late      map[[2]*member][]late // what the first learnt of the second too late
}

// late is a stretch of a node's admissions that another learnt of so late that GCRA's
// windows may have been folded: what is in there is not charged any more.
type late struct {
	span
	ahead, behind int64 // the fastest clock when it was heard; the slowest one's offset
}

// folded is the part of l in windows of that width which were over by some node's clock.
func (l *late) folded(width int64) span {
	return span{l.from, min(l.to, l.ahead-l.ahead%width-width-l.behind)}
}

type span struct{ from, to int64 }

func newKnowledge(w *world, c *clocks) *knowledge {
	return &knowledge{
		w: w, promise: newPromise(&w.sc, w.start), clocks: c,
		fresh: map[[2]*member]int64{}, late: map[[2]*member][]late{},
	}
}

// observeStaleness notes how long a stretch of another's life m does not know of.
func (k *knowledge) observeStaleness(a *account, m *member) {
	for other := range a.charged {
		if other == m {
			continue
		}
		until, known := k.w.now, k.known(a, m, other)
		if !other.alive && (k.w.sc.SaveCounts == 0 || known >= other.diedAt) { // or a file may tell the rest
			until = other.diedAt
		}
		k.staleness = max(k.staleness, until-max(known, other.bornAt))
	}
}

// known is the true time up to which m has to know what other charged to a client. Nodes
// refuse rows of windows that are too far ahead of their clocks, whatever they claim.
func (k *knowledge) known(a *account, m, other *member) int64 {
	if k.clocks.sigma() > min(int64(node.DefaultClockTolerance), a.narrow/4) {
		return math.MinInt64
	}
	if k.w.sc.MaxClients > 0 && !k.w.sc.OpenWhenFull && a.yard.policy.Consistency != node.Bounded && (!k.held(a, m) || !k.held(a, other)) {
		return math.MinInt64 // each node alone counts a client without room
	}
	known := k.claimed(m, other)
	// At a full table, rows of clients that are not held are not taken in.
	if kept, some := k.promise.kept(m, other, k.w.now); some && (k.w.sc.MaxClients == 0 || k.held(a, m) && k.held(a, other)) {
		known = max(known, kept)
	}
	return known
}

func (k *knowledge) held(a *account, m *member) bool {
	_, _, held := m.step.Inside().Standing(a.of.limit, a.of.client)
	return held
}

// claimed is the true time up to which m claims to know what other admitted.
func (k *knowledge) claimed(m, other *member) int64 {
	known := m.floors[other]
	if at, ok := m.step.Inside().Fresh(other.replica); ok {
		// What was sent by then had waited for a flush at most; a clock that stands
		// still after a step back holds the flush up, too.
		known = max(known, other.clock.earliest(at)-k.lag())
	}
	return known
}

func (k *knowledge) lag() int64 { return k.promise.lag(&k.w.sc) }

// claims are what living nodes claim to know of the others by now.
func (k *knowledge) claims() map[[2]*member]int64 {
	out := map[[2]*member]int64{}
	for _, g := range k.w.living() {
		for _, other := range k.w.members {
			if other != g {
				out[[2]*member{g, other}] = k.claimed(g, other)
			}
		}
	}
	return out
}

// joined is called when m is ready: if it merged a snapshot, it knows what the giver
// knew when m was born. What the giver claims now may be due to a repair since.
func (k *knowledge) joined(m *member, giver uint64) {
	m.ready, m.founder = true, giver == 0
	for _, g := range k.w.members {
		if g.replica != giver {
			continue
		}
		for _, other := range k.w.members {
			// What the giver learnt too late is not in the snapshot either. What it had not
			// learnt, m learns on its own, too late or not.
			pair := [2]*member{m, other}
			k.late[pair] = slices.Clone(k.late[[2]*member{g, other}])
			delete(k.fresh, pair)
			switch other {
			case m:
			case g:
				m.floors[other] = m.bornAt - k.lag()
			default:
				m.floors[other] = min(m.bornAt-k.lag(), m.claims[[2]*member{g, other}])
			}
		}
	}
}

// progress is called when m took a message from other: claims may have grown.
func (k *knowledge) progress(m, other *member) {
	pair := [2]*member{m, other}
	known := k.claimed(m, other)
	was, some := k.fresh[pair]
	if !some {
		if was, some = m.floors[other]; !some {
			was = min(m.bornAt, other.bornAt)
		}
	}
	if known <= was {
		return
	}
	// A policy decides how wide its windows are, but none are narrower than this.
	l := late{span: span{was, known}, ahead: k.w.now + k.clocks.max, behind: k.clocks.min}
	if was < l.ahead-l.behind-int64(widthOf(0)) {
		k.late[pair] = append(k.late[pair], l)
	}
	k.fresh[pair] = known
}

// unseen is the cost that other charged, in this life and by this way to count, and of
// which m could not know.
func (k *knowledge) unseen(a *account, m, other *member) int64 {
	s := a.charged[other]
	known := max(k.known(a, m, other), a.converted)
	unseen := s.since(known)
	if a.yard.gcra == nil {
		return unseen // a joiner tells it at once, and what is late is of windows that count no more
	}
	unseen += k.untold(a, other, known)
	for _, l := range k.late[[2]*member{m, other}] {
		f := l.folded(a.narrow)
		if from, to := max(f.from, a.idleAt-1), min(f.to, known); from < to {
			unseen += s.since(from) - s.since(to)
		}
	}
	return unseen
}

// untold is what other admitted under GCRA by known, before it had joined, and never told
// those who know it up to then. Once it has joined, that is what had drained by then.
func (k *knowledge) untold(a *account, other *member, known int64) int64 {
	cost := a.charged[other].between(max(other.bornAt, a.idleAt), min(known, k.joinedBy(other)))
	if other.joinedAt == 0 || known <= other.joinedAt {
		return cost
	}
	return min(cost, k.drainedBy(a, other))
}

// drainedBy is what can drain, rounded up, while other joins.
func (k *knowledge) drainedBy(a *account, other *member) int64 {
	return int64(math.Ceil(a.yard.rate()*float64(k.joinedBy(other)-other.bornAt))) + 1
}

func (k *knowledge) joinedBy(m *member) int64 {
	if m.joinedAt == 0 {
		return k.w.now
	}
	return m.joinedAt
}

// untoldOwn is what m itself does not count any more of what it admitted before it had
// joined. Until it has joined, it takes both sides to drain by themselves.
func (k *knowledge) untoldOwn(a *account, m *member) int64 {
	if a.yard.gcra == nil {
		return 0
	}
	return min(a.charged[m].between(max(m.bornAt, a.idleAt), k.joinedBy(m)), k.drainedBy(a, m))
}

// unseenOfOthers adds unseen up over all nodes but m.
func (k *knowledge) unseenOfOthers(a *account, m *member) int64 {
	sum := int64(0)
	for other := range a.charged {
		if other != m {
			sum += k.unseen(a, m, other)
		}
	}
	return sum
}

// unseenBefore is what others charged before the limit last went over to another way to
// count, and of which m could not know: that much less was carried over there.
func (k *knowledge) unseenBefore(a *account, m *member) int64 {
	sum := int64(0)
	for other, s := range a.charged {
		if known := k.known(a, m, other); other != m && known < a.converted {
			sum += s.since(known) - s.since(a.converted)
		}
	}
	return sum
}
