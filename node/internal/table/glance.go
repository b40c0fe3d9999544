package table

import (
	"github.com/distributed-rate-limiter/distributed-rate-limiter/crdt"
	"github.com/distributed-rate-limiter/distributed-rate-limiter/gcra"
	"github.com/distributed-rate-limiter/distributed-rate-limiter/node/internal/tally"
	"github.com/distributed-rate-limiter/distributed-rate-limiter/node/limit"
)

// Glance is how a client stands that can be decided from its cell alone.
type Glance struct {
	Level gcra.Level
	cell  *cell
	slot  uint32
	word  uint64
	// account is the client's under a bounded rule, after Admit.
	account ample
}

// Glance looks how a client stands at now, for a decision by a straight rule. It reports false
// if that takes the lock to tell: the client is new, rolls into another window, has another
// rule, is wide, or is just being changed. It is wait-free but for the length of a search.
func (s *Shard) Glance(g *Glance, k crdt.Key, r *limit.Rule, now int64) bool {
	if s.aside.joining.Load() {
		return false
	}
	slot, c := s.clients.cells.find(k)
	if c == nil {
		return false
	}
	word, what := c.word.Load(), c.what.Load()
	if what&(isUsed|isWide) != isUsed || s.clients.rules.at(what&ruleMask) != r {
		return false
	}
	if now-int64(c.window.Load())*r.Frame.Width >= r.Frame.Width {
		return false
	}
	g.Level = gcra.Level{
		Base:  max(c.origin.Load(), c.carry.Load()),
		Count: word&ownMask + uint64(int64(c.others.Load())), //nolint:gosec // their sum is not negative
	}
	g.cell, g.slot, g.word = c, slot, word
	return c.stands(word, k)
}

// Still reports whether the client of a glance stands as it did. Its shard is locked.
func (g *Glance) Still() bool { return g.cell.word.Load() == g.word }

// Verdict is what became of a request that a glance admitted.
type Verdict uint8

// The verdicts.
const (
	Unsure   Verdict = iota // the client has to be opened to tell, and nothing was done
	Denied                  // somebody was charged meanwhile, and nothing was done
	Admitted                // it is charged and counted
)

// Admit charges cost to the client of a glance that admits it, and counts that for a. origin is as of
// gcra.GCRA.Admit, and send says that somebody is to be told. It takes the shard's lock. If somebody
// changed the client since the glance, it judges anew. On return, the glance has the level after the
// verdict. share and timed are as of top.Sampler.
func (s *Shard) Admit(g *Glance, k crdt.Key, r *limit.Rule, now, cost, origin int64, send bool, a *tally.Account) (v Verdict, share uint64, timed bool) {
	s.mu.Lock()
	v = Admitted
	if !g.Still() {
		v, origin = g.again(s, k, r, now, cost)
	}
	if v == Admitted && !s.charge(g, r, now, cost, origin, send) {
		v = Unsure
	}
	if v == Admitted {
		s.Counts.Count(a, cost, true, false)
		share, timed = s.Sampler.Pick(now), s.Sampler.One(tally.LatencyEvery)
	}
	s.mu.Unlock()
	return v, share, timed
}

// again takes the glance once more, and judges by it. The shard is locked.
func (g *Glance) again(s *Shard, k crdt.Key, r *limit.Rule, now, cost int64) (v Verdict, origin int64) {
	if !s.Glance(g, k, r, now) {
		return Unsure, 0
	}
	conforms, origin := r.GCRA.Admit(g.Level, now, cost)
	if !conforms {
		return Denied, 0
	}
	return Admitted, origin
}

// charge charges cost to the client of a glance at now, which Still holds. It reports false, and does
// nothing, if the client has to be opened for it: also if a bounded rule's account needs a closer
// look. The shard is locked, and no client is open.
//
// It stores the origin before the count, and marks neither by busy. A reader between the two
// finds the old count behind the new origin, which is the instant of this charge: a full
// bucket. It then denies only what would be denied behind this charge as well.
func (s *Shard) charge(g *Glance, r *limit.Rule, now, cost, origin int64, send bool) bool {
	c := g.cell
	if s.aside.joining.Load() {
		return false
	}
	own, what := g.word&ownMask+uint64(cost), c.what.Load() //nolint:gosec // positive
	if own > ownMask || what&sentNone == 0 && own-c.sentOwn(own-uint64(cost), what) > maxRecorded {
		return false
	}
	if what&(hasRecords|sentAll) == hasRecords {
		return false // what is unsent of the previous window is in a record
	}
	if r.Bounded && !s.accounts.spend(g, r, now, r.GCRA.Drain(uint64(cost))) { //nolint:gosec // positive
		return false
	}
	origin = max(origin, int64(c.window.Load())*r.Frame.Width, c.origin.Load())
	publish(c, origin, g.word+uint64(cost)) //nolint:gosec // positive
	g.Level.Base = max(g.Level.Base, origin)
	g.Level.Count += uint64(cost) //nolint:gosec // positive
	if send && !r.Silent {
		s.noteCell(g, own, what, r, now)
	}
	return true
}

// noteCell is Note for a cell that charge charged.
func (s *Shard) noteCell(g *Glance, own uint64, what uint32, r *limit.Rule, now int64) {
	c := g.cell
	if what&isDirty == 0 {
		if what&isListed == 0 {
			s.out.add(g.slot)
		}
		c.what.Store(what | isDirty | isListed)
	}
	if s.out.urgent() {
		return
	}
	unsent := own - c.sentOwn(own, what)
	if what&sentAll == 0 {
		unsent += uint64(c.rest)
	}
	a := &s.table.audience
	if a.due(unsent, s.table.sends.at(c.seq), r, now) && (!a.canWait(unsent, r) || r.GCRA.TAT(g.Level)-now >= r.Drained) {
		s.out.urge()
	}
}
