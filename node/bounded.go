package node

import (
	"sync/atomic"
	"time"

	"github.com/distributed-rate-limiter/distributed-rate-limiter/crdt"
	"github.com/distributed-rate-limiter/distributed-rate-limiter/gcra"
	"github.com/distributed-rate-limiter/distributed-rate-limiter/node/internal/clock"
	"github.com/distributed-rate-limiter/distributed-rate-limiter/node/internal/line"
	"github.com/distributed-rate-limiter/distributed-rate-limiter/node/internal/rights"
	"github.com/distributed-rate-limiter/distributed-rate-limiter/node/internal/table"
	"github.com/distributed-rate-limiter/distributed-rate-limiter/node/internal/tally"
	"github.com/distributed-rate-limiter/distributed-rate-limiter/node/limit"
	deltasync "github.com/distributed-rate-limiter/distributed-rate-limiter/sync"
)

// holdings is what a node decides bounded limits by, beside what it has counted: its clocks, the
// roster, and how far the others are. It implements table.Rights. Safe for concurrent use.
type holdings struct {
	roster *rights.Roster
	began  int64         // by rights.Time.Own
	now    func() int64  // the node's time
	wall   *clock.Clock  // nil if the program brings its own clocks
	steady *clock.Steady // of those
	config *Config

	delay atomic.Int64 // the largest to a peer, nanoseconds
	lines line.Lines[crdt.Key]
	// expired counts what was borrowed by a rule and ended unspent.
	expired func(r *limit.Rule, tokens int64)
}

func (b *holdings) start(cfg *Config, wall *clock.Clock, now func() int64, alone bool) {
	names := cfg.Roster
	if alone {
		names = []string{cfg.Name}
	}
	b.roster, b.now, b.wall, b.config = rights.NewRoster(names, cfg.Name), now, wall, cfg
	at := now()
	if wall == nil {
		b.steady = clock.NewSteady(at, cfg.Elapsed)
	}
	b.began = b.Own(at)
}

// Self implements table.Rights.
func (b *holdings) Self(k crdt.Key, parts int64) bool { return b.roster.Self(k, parts) }

// Began implements table.Rights.
func (b *holdings) Began() int64 { return b.began }

// Now implements table.Rights.
func (b *holdings) Now() int64 { return b.now() }

// Own implements table.Rights. The jumps are read after now was, so that a jump in between makes
// no tokens.
func (b *holdings) Own(now int64) int64 {
	if b.wall != nil {
		return now - b.wall.Jumped()
	}
	return now - b.steady.Jumped(now)
}

// Time implements table.Rights.
func (b *holdings) Time(now int64) (t rights.Time) {
	t.Own = b.Own(now)
	switch {
	case b.wall != nil:
		t.Mono, t.Wall = b.wall.Mono()
	case b.config.Elapsed != nil:
		t.Mono, t.Wall = int64(b.config.Elapsed()), b.config.wall()
	default:
		t.Mono, t.Wall = now, b.config.wall()
	}
	return t
}

// weighRight decides cost by an entry's account, and by its states only whether it may use credit
// and whether others have what it lacks. It charges nothing. s is locked.
func (n *decider) weighRight(s *table.Shard, e *table.Entry, now, cost int64) (allowed bool, why Reason, origin int64) {
	r := e.Rule()
	seen, origin := s.Admits(e, now, cost)
	a, t := s.Account(e, now)
	switch c, free := r.GCRA.Drain(uint64(cost)), a.Free(t); { //nolint:gosec // judged before
	case cost > r.Policy.Burst:
		return false, ReasonOverLimit, gcra.Never
	case free >= c:
		return true, ReasonOK, origin
	case !seen:
		return false, ReasonOverLimit, gcra.Never
	case free+a.Credit() >= c:
		return true, ReasonOK, origin
	}
	return false, ReasonShort, gcra.Never
}

// useRight takes what weighRight admitted off the account, or notes what it lacked, and asks the
// others if that is due. s is locked.
func (n *decider) useRight(s *table.Shard, e *table.Entry, now, cost int64, why Reason) {
	a, t := s.Account(e, now)
	c, short := e.Rule().GCRA.Drain(uint64(cost)), why == ReasonShort //nolint:gosec // judged before
	switch why {
	case ReasonOK:
		e.Spent(a.Spend(t, c))
		s.Keep(e, &a)
	case ReasonShort:
		n.rightsOf(e.Rule()).Short.Add(1)
	default:
	}
	if n.offline || n.holdings.roster.Size() < 2 || a.Record == nil && !short && (why != ReasonOK || !a.Low(t)) {
		return
	}
	if !s.Record(e, &a, &t, now) {
		return
	}
	delay := n.holdings.delay.Load()
	if a.Use(t, c, delay, short); a.Wish(t, delay, n.leftOf(s, e, now)) > 0 {
		s.Ask(e, a.Record)
	}
}

// rightsOf is where the loans of a rule's limit are counted.
func (n *decider) rightsOf(r *limit.Rule) *tally.Rights {
	if l := n.limits.Get(r.Limit); l != nil {
		return &l.Account.Rights
	}
	return new(tally.Rights) // it was deleted just now
}

// unitsOf is an amount under a rule in units.
func unitsOf(r *limit.Rule, amount int64) float64 {
	return float64(amount) * float64(r.Policy.Limit) / float64(r.Policy.Window)
}

// Expired implements table.Rights.
func (b *holdings) Expired(r *limit.Rule, tokens int64) { b.expired(r, tokens) }

// leftOf is what is left of a client's bucket by all that this node knows, in nanoseconds.
func (n *decider) leftOf(s *table.Shard, e *table.Entry, now int64) int64 {
	g := e.Rule().GCRA
	return max(0, g.Depth()-max(0, g.TAT(s.Level(e, now))-now))
}

// explainRight corrects what a client is told by its account: Remaining is what this node would
// let pass now, and RetryAfter when it can. s is locked.
func (n *decider) explainRight(s *table.Shard, d *Decision, e *table.Entry, now, cost int64) {
	r := e.Rule()
	a, t := s.Account(e, now)
	free := a.Free(t)
	covered := int64(r.GCRA.Units(free))               //nolint:gosec // at most a burst and the credit
	onCredit := int64(r.GCRA.Units(free + a.Credit())) //nolint:gosec // the same
	d.Remaining = min(max(covered, min(d.Remaining, onCredit)), r.Policy.Burst)
	switch {
	case d.Allowed || cost > r.Policy.Burst:
	case d.Reason == ReasonShort:
		d.RetryAfter = min(time.Duration(2*n.holdings.delay.Load()+a.Pauses(t))+roundTrip, time.Duration(a.Earns(t, r.GCRA.Drain(uint64(cost))))) //nolint:gosec // judged before
	default:
		d.RetryAfter = min(d.RetryAfter, time.Duration(a.Earns(t, r.GCRA.Drain(uint64(cost))))) //nolint:gosec // judged before
	}
}

// roundTrip is how long after a short denial the same request may pass, beyond two of the
// largest delays: messages wait a millisecond on each side. Raising it keeps clients away for
// longer than needed; lowering it lets them come before the answer.
const roundTrip = 2 * time.Millisecond

// lender is the node as it lends and borrows what bounded limits let it admit.
type lender struct{ *Node }

// Place implements deltasync.Lender.
func (n lender) Place(name string) int { return n.holdings.roster.Index(name) }

// Wanting implements deltasync.Lender.
func (n lender) Wanting() bool { return n.table.Asking() }

// Wants implements deltasync.Lender. Of what a client wants, each of those that have a share is
// asked for one and a half times its part: some will have less.
func (n lender) Wants(now int64, present uint64, most int) (out []deltasync.Want, when deltasync.Asked) {
	b := &n.holdings
	t := b.Time(now)
	when = deltasync.Asked{Mono: t.Mono, Wall: t.Wall}
	n.table.Askers(func(s *table.Shard, e *table.Entry) bool {
		if len(out) == most {
			return false
		}
		a, t := s.Account(e, now)
		wish := a.Wish(t, b.delay.Load(), n.leftOf(s, e, now))
		s.Keep(e, &a)
		if wish <= 0 {
			return true
		}
		w := deltasync.Want{Key: e.Key(), Terms: a.Terms.Word, Held: a.Record.Borrowed()}
		lenders := int64(0)
		for place := range b.roster.Size() {
			if present>>place&1 != 0 && b.roster.Shares(w.Key, a.Terms.Parts, place) {
				w.Lenders |= 1 << place
				lenders++
			}
		}
		if a.Asked(t, int(lenders)); lenders == 0 {
			return true
		}
		w.Wanted = min(wish, 3*(wish/lenders)/2+1)
		out = append(out, w)
		n.rightsOf(e.Rule()).Asked.Add(1)
		return true
	})
	return out, when
}

// Lend implements deltasync.Lender.
func (n lender) Lend(now int64, to crdt.Replica, number, low uint64, wants []deltasync.Want) []deltasync.Lent {
	out := make([]deltasync.Lent, len(wants))
	for i := range wants {
		out[i].Amount = n.lend(now, to, number, low, &wants[i])
	}
	return out
}

// lend lends to one client, whose want names a rule that is in force here.
func (n lender) lend(now int64, to crdt.Replica, number, low uint64, w *deltasync.Want) int64 {
	r := n.limits.Promised(now, w.Terms)
	if r == nil {
		return 0
	}
	s := n.table.Shard(w.Key)
	s.Lock()
	defer s.Unlock()
	e := s.Open(w.Key, r, now)
	if e == nil || e.Rule() != r {
		return 0
	}
	a, t := s.Account(e, now)
	a.Told(to, w.Held, low)
	if a.Own(t) <= 0 || !s.Record(e, &a, &t, now) {
		s.Keep(e, &a)
		return 0
	}
	y := a.Lend(t, min(w.Wanted, a.Spare(t, n.holdings.delay.Load(), e.OwnUse())), to, number)
	s.Keep(e, &a)
	n.rightsOf(r).Lent.Add(unitsOf(r, y))
	return y
}

// Lent implements deltasync.Lender.
func (n lender) Lent(now int64, when deltasync.Asked, wants []deltasync.Want, lent []deltasync.Lent) {
	for i := range wants {
		if n.borrow(now, when, &wants[i], lent[i].Amount) > 0 {
			n.holdings.lines.Wake(wants[i].Key)
		}
	}
}

// borrow takes a loan for one client, and returns how much of it still counts.
func (n lender) borrow(now int64, when deltasync.Asked, w *deltasync.Want, y int64) (got int64) {
	r := n.limits.Promised(now, w.Terms)
	if r == nil {
		return 0 // it changed since
	}
	s := n.table.Shard(w.Key)
	s.Lock()
	defer s.Unlock()
	e := s.Find(w.Key)
	if e == nil || e.Rule() != r {
		return 0
	}
	a, t := s.Account(e, now)
	if a.Record == nil {
		return 0
	}
	got = a.Borrow(t, y, when.Mono, when.Wall)
	a.Answered(t, got)
	s.Keep(e, &a)
	n.rightsOf(r).Borrowed.Add(unitsOf(r, got))
	return got
}

// Right is what a node may admit to a client of a bounded limit by itself, in units.
type Right struct {
	// Own are the node's own tokens, below 0 while it is on credit, and Borrowed those of others.
	Own, Borrowed float64
	// Room is the most that it can own, and Credit how far Own may be below 0. Both are 0 on a
	// node that has none of the client's shares.
	Room, Credit float64
	// Lent is what it lent, for all that it knows.
	Lent float64
}

// rightOf is the right of an entry's client. s is locked.
func (n *decider) rightOf(s *table.Shard, e *table.Entry, now int64) *Right {
	a, t := s.Account(e, now)
	x := &Right{Own: unitsOf(e.Rule(), a.Own(t)), Credit: unitsOf(e.Rule(), a.Credit())}
	if a.Share {
		x.Room = unitsOf(e.Rule(), a.Terms.Room)
	}
	if a.Record != nil {
		x.Borrowed, x.Lent = unitsOf(e.Rule(), a.Record.Borrowed()), unitsOf(e.Rule(), a.Record.Lent())
	}
	return x
}
