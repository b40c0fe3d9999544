package isolation

import (
	"math/bits"

	"github.com/distributed-rate-limiter/distributed-rate-limiter/crdt"
	"github.com/distributed-rate-limiter/distributed-rate-limiter/gcra"
)

// Client is the client that a share is of: its key, its limit, the instant since which that
// limit holds, and what it has used by the state that nodes merge.
type Client struct {
	Key   crdt.Key
	GCRA  *gcra.GCRA
	Since int64 // unix nanoseconds
	Used  gcra.Level
}

// Shares are what the clients of one shard used of their group's share: for each client a
// level of its own beside the merged state, which drains at the share of the rate. The zero
// value is empty and ready. Not safe for concurrent use: the shard's lock guards it.
type Shares struct {
	of map[crdt.Key]share
	// slow holds each limit at the share of the rate that the group slowFor has. Sweep
	// empties it, so that it cannot outgrow the limits that are in use.
	slow    map[*gcra.GCRA]*gcra.GCRA
	slowFor fraction
}

// fraction is a group's share of the rate.
type fraction struct{ visible, members int }

func (g *Group) fraction() fraction { return fraction{g.visible, g.members} }

// share is one client's.
type share struct {
	spell uint64 // the time of isolation that it is of: with another one it is void
	fraction
	limit *gcra.GCRA // the client's limit; a change of the limit replaces it
	slow  *gcra.GCRA // limit at fraction
	level gcra.Level // what it used, as slow reads it
}

// slowed is a limit at the group's share of the rate.
func (s *Shares) slowed(limit *gcra.GCRA, g *Group) *gcra.GCRA {
	if s.slow == nil || s.slowFor != g.fraction() {
		s.slow, s.slowFor = map[*gcra.GCRA]*gcra.GCRA{}, g.fraction()
	}
	slow := s.slow[limit]
	if slow == nil {
		slow = limit.Slowed(g.visible, g.members)
		s.slow[limit] = slow
	}
	return slow
}

// share is the client's. A new one begins at what the client has used that would not have
// drained when the isolation was noticed, or when its limit changed if that was later. One of
// an earlier group or an earlier limit is carried over. It has to begin before anything is
// counted that was admitted since. A new one is not stored.
func (s *Shares) share(g *Group, c Client) share {
	sh, some := s.of[c.Key]
	slow := s.slowed(c.GCRA, g)
	switch {
	case !some || sh.spell != g.spell:
		sh.level = convert(c.Used, c.GCRA, slow, max(g.since, c.Since))
		if full := (gcra.Level{Base: g.since, Count: slow.Units(slow.Depth())}); g.spent && slow.TAT(full) > slow.TAT(sh.level) {
			sh.level = full
		}
	case sh.fraction != g.fraction() && sh.limit == c.GCRA:
		sh.level = convert(sh.level, sh.slow, slow, g.since)
	case sh.limit != c.GCRA:
		// What is in use counts from the change on as units of the new limit. Read at its rate,
		// all that the old limit let pass since the isolation began would be in use.
		sh.level = convert(sh.level, sh.slow, slow, max(g.since, c.Since))
		sh.level.Count = min(sh.level.Count, slow.UnitsOver(slow.Depth()))
	default:
		return sh
	}
	begun := some && sh.spell == g.spell
	sh = share{spell: g.spell, fraction: g.fraction(), limit: c.GCRA, slow: slow, level: sh.level}
	if begun {
		s.of[c.Key] = sh // or the next group would be carried over from the one before this
	}
	return sh
}

func (s *Shares) put(k crdt.Key, sh share) {
	if s.of == nil {
		s.of = map[crdt.Key]share{}
	}
	s.of[k] = sh
}

// convert is the level at which as many units are in use at t, to drain at another limit's
// rate from t on. A unit that has partly drained stays so: were it rounded up, a group that
// changes again and again would take a unit each time.
func convert(l gcra.Level, from, to *gcra.GCRA, t int64) gcra.Level {
	ahead := from.TAT(l) - t
	if ahead <= 0 {
		return gcra.Level{Base: t}
	}
	units := min(from.UnitsOver(ahead), crdt.MaxTotal)
	return gcra.Level{Base: t - drained(from.Drain(units)-ahead, from, to), Count: units}
}

// drained is what the part of a unit that drained in d at one limit's rate takes at
// another's, rounded down.
func drained(d int64, from, to *gcra.GCRA) int64 {
	hi, lo := bits.Mul64(uint64(max(0, d)), uint64(to.Drain(1))) //nolint:gosec // not negative
	unit := uint64(max(1, from.Drain(1)))                        //nolint:gosec // not negative
	if hi >= unit {
		return 0
	}
	q, _ := bits.Div64(hi, lo, unit)
	return int64(min(q, uint64(to.Drain(1)))) //nolint:gosec // at most one unit's time
}

// applies reports whether a share holds the client back. Once no node is missing, only those
// that began before are still held to: the merged state knows the others' use.
func (s *Shares) applies(g *Group, k crdt.Key) bool {
	sh, some := s.of[k]
	return g.Isolated() || some && sh.spell == g.spell
}

// Admit reports whether the client's share lets cost units pass at now. With charge it
// charges those that pass.
func (s *Shares) Admit(g *Group, c Client, now, cost int64, charge bool) bool {
	if !s.applies(g, c.Key) {
		return true
	}
	sh := s.share(g, c)
	conforms, origin := sh.slow.Admit(sh.level, now, cost)
	if !conforms || !charge {
		return conforms
	}
	if origin > gcra.Never {
		sh.level = gcra.Level{Base: now}
	}
	sh.level.Count += uint64(cost) //nolint:gosec // positive
	s.put(c.Key, sh)
	return true
}

// Begin begins the client's share before a merge, if it has not begun: what it used by then
// drains at the share's rate, and what the merge adds is for Charge.
func (s *Shares) Begin(g *Group, c Client) { s.put(c.Key, s.share(g, c)) }

// Charge charges units that a peer of the group admitted, or that were merged late.
func (s *Shares) Charge(g *Group, c Client, now int64, units uint64) {
	sh := s.share(g, c)
	if sh.slow.TAT(sh.level) < now {
		sh.level = gcra.Level{Base: now}
	}
	sh.level.Count = min(sh.level.Count+units, crdt.MaxTotal)
	s.put(c.Key, sh)
}

// Explain tells the client's standing by its share, after a decision on cost units; false if
// no share holds the client back.
func (s *Shares) Explain(g *Group, c Client, now, cost int64, allowed bool) (d gcra.Decision, some bool) {
	if !s.applies(g, c.Key) {
		return gcra.Decision{}, false
	}
	sh := s.share(g, c)
	return sh.slow.Explain(sh.level, now, cost, allowed), true
}

// Undrained reports whether the client has used of its share what has not drained yet. The
// share drains slower than the limit, so forgetting the client by the limit's own state
// would give it a whole burst anew. g may be nil.
func (s *Shares) Undrained(g *Group, k crdt.Key, limit *gcra.GCRA, now int64) bool {
	if g == nil {
		return false
	}
	sh, some := s.of[k]
	return some && sh.spell == g.spell && s.slowed(limit, g).TAT(sh.level) > now
}

// Forget drops a client's share.
func (s *Shares) Forget(k crdt.Key) { delete(s.of, k) }

// Sweep drops the shares of clients that the table does not hold any more. If g is nil,
// nobody is missing, and it drops all. A drained share stays while the table holds its
// client: a new share would take all use since the isolation began as use from before it.
func (s *Shares) Sweep(g *Group, held func(crdt.Key) bool) {
	s.slow = nil
	if g == nil {
		s.of = nil
		return
	}
	for k := range s.of {
		if !held(k) {
			delete(s.of, k)
		}
	}
}
