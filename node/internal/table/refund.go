package table

import (
	"math"

	"github.com/distributed-rate-limiter/distributed-rate-limiter/crdt"
	"github.com/distributed-rate-limiter/distributed-rate-limiter/node/limit"
	deltasync "github.com/distributed-rate-limiter/distributed-rate-limiter/sync"
)

// mostRefunds caps the refunds that are remembered for one client while their windows live.
// At the cap two become one. Raising it costs memory for clients that cancel much. Lowering
// it gives such clients less back, never more.
const mostRefunds = 64

// refund remembers what this node gave back, or heard that others did.
type refund struct {
	// of is the turn of the charge that the units are of. A refund of no charge in particular
	// takes what lies on top, and its of is nowhere. What others gave back is elsewhere.
	of    uint64
	turn  uint64 // the refund's own
	at    int64
	units uint64
	many  bool // it stands for several refunds, so it may say more than any of them
	// tat is the TAT that a refund from the top left behind, or one of others: no charge from before
	// lies above it any more. For a settlement it is crdt.End.
	tat int64
}

// refunds are what was lately given back of a shard's clients, each client's in the order of
// their turns. A client has at least one and at most mostRefunds. Only settling reads them. The
// zero value has none.
type refunds struct {
	// turn is the last turn that a charge or a refund of the shard took. It only grows.
	turn uint64
	kept sparse[crdt.Key, []refund]
	// open are the clients under GCRA that have a slot and of whom a charge can still be settled here,
	// with the last instant at which one can: at most as many as came within two windows. What others
	// give back of anybody else matters to no settlement.
	open sparse[crdt.Key, int64]
}

// charged notes that a charge of the entry's client can be settled until an instant, and returns its
// turn.
func (x *refunds) charged(e *Entry, until int64) uint64 {
	if e.rule.Policy.Algorithm == limit.GCRA && !e.unplaced {
		x.open.set(e.key, max(until, x.open.of[e.key]))
	}
	return x.next()
}

// next is the turn of what comes now.
func (x *refunds) next() uint64 {
	x.turn++
	return x.turn
}

// The turns of no charge here: nowhere is later than every turn, and elsewhere before all.
const (
	nowhere   = math.MaxUint64
	elsewhere = 0
)

// undrained is how much of a GCRA charge can still be given back. Think of the units as they
// lie in the bucket: earlier ones below later ones, and the bucket drains from below. The
// charge filled the bucket from one level to another: its bottom and its top. Since then both
// fell as time passed, and by what was given back of earlier charges, which lay below. Later
// charges lie above. What was given back from the top lowered the top of this charge alone, as
// far as it reached it. What lies below the bottom is of earlier charges: whoever settles
// those gives it back.
//
// This node knows its own refunds. Of what others gave back since, it cannot know which
// charges that was of. It takes them all for earlier ones, as far as others had any. But no top
// was above the TAT once this node had heard of it: what was charged since lies above that.
//
// The result is less than a unit above what has not drained, and exact but for that on one
// node. e is rolled.
func (x *refunds) undrained(e *Entry, c *Charge, now int64) uint64 {
	st, f := e.First(), &e.rule.Frame
	others, lowered := st.Others(), uint64(0)
	switch c.start {
	case st.Start():
		lowered = others.Cur.N + others.Prev.N - c.others.Cur.N - c.others.Prev.N
	case f.Before(st.Start()):
		// What was given back in the window before the charge's is folded.
		lowered = others.Cur.N + others.Prev.N - c.others.Cur.N + c.others.Prev.Net()
	default:
		return 0 // the window is folded: its units cannot be told apart any more
	}
	lowered = min(lowered, c.others.Cur.Net()+c.others.Prev.Net())
	above := func(tat int64) uint64 { return e.rule.GCRA.UnitsOver(max(0, tat-now)) }
	top := above(c.tat)
	bottom := top - min(top, uint64(c.Cost)) //nolint:gosec // positive
	for _, r := range x.kept.of[e.key] {
		if c.turn > r.turn {
			continue
		}
		switch {
		case r.of == elsewhere && !r.many:
			part := min(lowered, r.units)
			lowered -= part
			top -= min(top, part)
			bottom -= min(bottom, part)
		case r.of < c.turn:
			top -= min(top, r.units)
			if !r.many { // a bottom that is too low would give units of earlier charges
				bottom -= min(bottom, r.units)
			}
		}
		top = min(top, above(r.tat))
	}
	top -= min(top, lowered)
	bottom -= min(bottom, lowered)
	return top - min(top, bottom)
}

// note remembers a refund at now, as long as that may lower the level of a charge that
// can still be settled.
func (x *refunds) note(k crdt.Key, r refund, now int64) {
	if r.units == 0 {
		return
	}
	r.turn, r.at = x.next(), now
	all := x.kept.of[k]
	all = append(all, r)
	for len(all) > 1 && all[0].over(now) {
		all = all[1:]
	}
	if len(all) > mostRefunds {
		// As one they lower the top of whatever either of them lowers.
		one, two := &all[0], &all[1]
		*two = refund{of: min(one.of, two.of), turn: two.turn, at: two.at, units: one.units + two.units, many: true, tat: min(one.tat, two.tat)}
		all = all[1:]
	}
	x.kept.set(k, all)
}

// heard notes that others gave units of a client back, of which this node hears at now. e is rolled.
func (x *refunds) heard(e *Entry, units uint64, now int64) {
	if x.open.of[e.key] < now {
		return
	}
	x.note(e.key, refund{of: elsewhere, units: units, tat: e.First().TAT(&e.rule.Frame)}, now)
}

// since is how much this node gave back of a client since an instant, or somewhat more.
func (x *refunds) since(k crdt.Key, at int64) (units uint64) {
	for _, r := range x.kept.of[k] {
		if r.at >= at && (r.of != elsewhere || r.many) {
			units += r.units
		}
	}
	return units
}

// over reports that no charge from before the refund is in a live window.
func (r *refund) over(now int64) bool { return r.at+3*int64(limit.MaxWidth) < now }

// sweep forgets refunds that matter no more, and gives their memory back.
func (x *refunds) sweep(now int64) {
	for k, all := range x.kept.of {
		if all[len(all)-1].over(now) {
			x.kept.remove(k)
		}
	}
	x.kept.trim()
	for k, until := range x.open.of {
		if until < now {
			x.open.remove(k)
		}
	}
	x.open.trim()
}

// Refunded is what a refund did here, and what is left for others to do.
type Refunded struct {
	Given int64 // units that this node gave back
	// Left is how many units still count against the client, rounded up, as far as this node
	// knows.
	Left int64
	// Life is the client's. Held is what other replicas hold of it, by replica.
	Life deltasync.Life
	Held []Held
}

// Held is what one replica holds of a client's life: how many units it could give back.
type Held struct {
	Of    crdt.Replica
	Units int64
}

// Refund gives back at most units of what this node charged the client k under r, from the
// last charged on, and at most what has not drained. send says that there are peers to hear
// of it.
func (t *Table) Refund(k crdt.Key, r *limit.Rule, units, now int64, send bool) (did Refunded) {
	s := t.Shard(k)
	s.Lock()
	defer s.Unlock()
	e := s.Find(k)
	if e == nil {
		return did
	}
	e.enter(r, now)
	did.Given = s.refund(e, units, now, send)
	did.Life = deltasync.Life{Key: k, Life: e.Life()}
	did.Left = int64(s.used(e, now)) //nolint:gosec // at most crdt.MaxTotal
	e.rule.Held(e.States(), now, t.cfg.Self, func(of crdt.Replica, held uint64) {
		if of != t.cfg.Self {
			did.Held = append(did.Held, Held{of, int64(held)}) //nolint:gosec // at most crdt.MaxTotal
		}
	})
	return did
}

// GiveBack is this node's part in a refund that another node was asked for. If the client has
// another life here, it is nothing.
func (t *Table) GiveBack(life deltasync.Life, units, now int64, send bool) (given int64, short deltasync.Shortfall) {
	s := t.Shard(life.Key)
	s.Lock()
	defer s.Unlock()
	e := s.Find(life.Key)
	if e == nil {
		return 0, deltasync.ShortDrained
	}
	if e.roll(now); e.Life() != life.Life { // rolled, it is of the rule in force
		return 0, deltasync.ShortRenewed
	}
	given = s.refund(e, units, now, send)
	switch {
	case given == units:
		return given, 0
	case s.used(e, now) > 0:
		return given, deltasync.ShortBack
	}
	return given, deltasync.ShortDrained
}

// used is how many units count against the client at now, by all that this node knows. e is
// rolled, and s is locked.
func (s *Shard) used(e *Entry, now int64) uint64 {
	if s.aside.takes(e) {
		return e.rule.GCRA.UnitsOver(max(0, e.rule.GCRA.TAT(s.Level(e, now))-now))
	}
	return e.rule.Used(e.States(), now)
}

// refund gives back at most units that this node charged. What it gives goes out at once,
// since somebody waits for it. e is rolled, and s is locked.
func (s *Shard) refund(e *Entry, units, now int64, send bool) (given int64) {
	r, part := e.rule, uint64(0)
	if s.aside.takes(e) {
		part, send = s.aside.giveBack(e, min(uint64(units), s.used(e, now)), now), false //nolint:gosec // positive
	} else {
		part = r.Refund(e.States(), now, uint64(units)) //nolint:gosec // positive
	}
	if part == 0 {
		return 0
	}
	if r.Policy.Algorithm == limit.GCRA {
		s.refunds.note(e.key, refund{of: nowhere, units: part, tat: r.GCRA.TAT(s.Level(e, now))}, now)
	}
	if send && !r.Silent {
		s.Note(e, r.Current(e.States(), now), now)
		if s.table.audience.peers.Load() > 0 && !s.out.urgent() {
			s.out.urge()
		}
	}
	return int64(part) //nolint:gosec // at most units
}
