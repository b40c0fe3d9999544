package table

import (
	"github.com/distributed-rate-limiter/distributed-rate-limiter/crdt"
	"github.com/distributed-rate-limiter/distributed-rate-limiter/gcra"
	"github.com/distributed-rate-limiter/distributed-rate-limiter/node/internal/tally"
	"github.com/distributed-rate-limiter/distributed-rate-limiter/node/limit"
)

// Glance is how a client stood whom Decide decided on.
type Glance struct {
	Level gcra.Level // behind the decision
	cell  *cell
	slot  uint32
	// account is the client's under a bounded rule, if it was admitted.
	account ample
}

// Verdict is what became of a request at a glance.
type Verdict uint8

// The verdicts.
const (
	Unsure   Verdict = iota // the client has to be opened to tell, and nothing was done
	Denied                  // it is counted
	Admitted                // it is charged and counted
)

// Decide decides a request of cost at now by a straight rule, from the client's cell alone. It is Unsure
// if that takes more: the client is new, rolls into another window, has another rule, is wide, or is just
// being changed. A denial takes no lock. An admission holds the shard's lock for a few stores. If
// somebody charged the client before it had the lock, it looks again, and may deny then. Unless the verdict
// is Unsure, the request is counted for a. send says that somebody is to be told. share and timed are as of
// top.Sampler.
//
// An admission stores the origin before the count, and marks neither by busy. A reader between the
// two finds the old count behind the new origin, which is the instant of this charge: a full
// bucket. It then denies only what would be denied behind this charge as well.
//
// It is one function because that is faster by a tenth: a processor then sees further ahead than to the end
// of a decision, and fetches what the next one needs.
func (s *Shard) Decide(g *Glance, k crdt.Key, r *limit.Rule, now, cost int64, send bool, a *tally.Account) (v Verdict, share uint64, timed bool) {
	for locked := false; ; locked = true {
		slot, c := s.clients.cells.find(k)
		if c == nil || s.aside.joining.Load() {
			return s.unsure(locked)
		}
		word, what := c.word.Load(), c.what.Load()
		start := int64(c.window.Load()) * r.Frame.Width
		if what&(isUsed|isWide) != isUsed || s.clients.rules.at(what&ruleMask) != r || now-start >= r.Frame.Width {
			return s.unsure(locked)
		}
		origin, carry := c.origin.Load(), c.carry.Load()
		count := word&ownMask + uint64(int64(c.others.Load())) //nolint:gosec // their sum is not negative
		if !c.stands(word, k) {
			return s.unsure(locked)
		}
		g.Level = gcra.Level{Base: max(origin, carry), Count: count}
		conforms, full := r.GCRA.Admit(g.Level, now, cost)
		if !conforms {
			if locked {
				s.mu.Unlock()
			}
			if r.Bounded {
				return Unsure, 0, false // the account may cover it, or should note it
			}
			share, timed = a.Refusals.Count(now, cost)
			return Denied, share, timed
		}
		if !locked {
			if s.mu.Lock(); c.word.Load() != word {
				continue
			}
		}
		// Nobody else changes the cell now. What was read of it still holds, but its flags may have changed.
		what = c.what.Load()
		own := word&ownMask + uint64(cost) //nolint:gosec // positive
		if own > ownMask || what&sentNone == 0 && own-c.sentOwn(own-uint64(cost), what) > maxRecorded ||
			what&(hasRecords|sentAll) == hasRecords { // what is unsent of the previous window is in a record
			return s.unsure(true)
		}
		if g.cell, g.slot = c, slot; r.Bounded && !s.accounts.spend(g, r, now, r.GCRA.Drain(uint64(cost))) {
			return s.unsure(true)
		}
		origin = max(origin, full, start)
		publish(c, origin, word+uint64(cost))
		g.Level = gcra.Level{Base: max(origin, carry), Count: count + uint64(cost)}
		if send && !r.Silent {
			s.noteCell(g, own, what, r, now)
		}
		s.Counts.Admit(a, cost)
		if !s.Sampler.Passes(now) {
			share, timed = s.Sampler.Look(now)
		}
		s.mu.Unlock()
		return Admitted, share, timed
	}
}

// unsure is that verdict. It unlocks the shard if that is locked.
func (s *Shard) unsure(locked bool) (v Verdict, share uint64, timed bool) {
	if locked {
		s.mu.Unlock()
	}
	return Unsure, 0, false
}

// noteCell is Note for the cell of a glance, which Decide charged.
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
