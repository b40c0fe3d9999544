package table

import (
	"sync/atomic"

	"github.com/distributed-rate-limiter/distributed-rate-limiter/crdt"
	"github.com/distributed-rate-limiter/distributed-rate-limiter/gcra"
	"github.com/distributed-rate-limiter/distributed-rate-limiter/node/limit"
)

// cell is how one client lies in memory: one cache line without pointers, of which there are
// chunkSize to a chunk that never moves. The collector does not look into chunks.
//
// A cell holds what nearly all clients need: one state of aligned windows, with this node's
// own counters and the sum of the other replicas'. Those replicas' counters, and this
// node's refunds, are in records. What fits neither is wide: an Entry of its own in the
// shard's map.
//
// Whoever writes a cell holds its shard's lock. Readers need none: they read word, then the
// rest, then word again. While word is busy, and if it changed meanwhile, what they read may
// be of two states. Only a plain charge is not marked by busy, see Shard.Take.
type cell struct {
	word   atomic.Uint64 // busy, version, own P of the current window
	hi, lo atomic.Uint64 // the key
	origin atomic.Int64  // the current window's
	carry  atomic.Int64  // the previous window's TAT
	window atomic.Uint32 // the current window's start, in widths
	others atomic.Int32  // the current window's C without own P
	what   atomic.Uint32 // flags, and the number of the rule among the shard's rules
	// The rest is read under the lock alone.
	sent uint32 // the lower half of own P of the current window as sent
	rest uint32 // own P of the previous window; the first record if the cell has records
	seq  uint32 // the lower half of the last message that carried own counters, 0 for none
}

// The parts of cell.word. A version may come again after 2^19 changes that are no charges: a
// reader that is suspended for exactly so many, while P stays as it is, does not notice.
const (
	ownBits    = 44
	ownMask    = 1<<ownBits - 1
	oneVersion = 1 << ownBits
	busy       = 1 << 63
)

// The flags of cell.what; the rest of it is the rule's number.
const (
	isUsed     = 1 << (31 - iota) // unused cells keep isListed, and no other flag
	isWide                        // the client is in clients.wide
	isShared                      // Entry.shared
	isDirty                       // Entry.dirty
	isListed                      // Entry.listed
	hasRecords                    // cell.rest is a record
	sentNone                      // nothing of own P of the current window was sent
	sentAll                       // all of own P of the previous window was sent

	ruleMask = 1<<24 - 1
)

func (c *cell) key() crdt.Key { return crdt.Key{Hi: c.hi.Load(), Lo: c.lo.Load()} }

// Glance is how a client stands that can be decided from its cell alone.
type Glance struct {
	Level gcra.Level
	cell  *cell
	slot  uint32
	word  uint64
	// account is the client's under a bounded rule, after Take.
	account ample
}

// Glance looks how a client stands at now, for a decision by a straight rule. It reports false
// if that takes the lock to tell: the client is new, rolls into another window, has another
// rule, is wide, or is just being changed. It is wait-free but for the length of a search.
func (s *Shard) Glance(g *Glance, k crdt.Key, r *limit.Rule, now int64) bool {
	if s.aside.joining.Load() {
		return false
	}
	m := &s.clients.cells
	x := m.index.Load()
	if g.slot, g.cell = m.search(x.places, k); g.cell == nil {
		if x.old == nil {
			return false
		}
		if g.slot, g.cell = m.search(x.old, k); g.cell == nil {
			return false
		}
	}
	g.word = g.cell.word.Load()
	return g.read(&s.clients.rules, k, r, now)
}

// read fills in the level of a glance, and reports whether all of it is of the instant at
// which g.word was read.
func (g *Glance) read(rules *numbers[*limit.Rule], k crdt.Key, r *limit.Rule, now int64) bool {
	c := g.cell
	what := c.what.Load()
	if what&(isUsed|isWide) != isUsed || rules.at(what&ruleMask) != r {
		return false
	}
	if now-int64(c.window.Load())*r.Frame.Width >= r.Frame.Width {
		return false
	}
	g.Level = gcra.Level{
		Base:  max(c.origin.Load(), c.carry.Load()),
		Count: g.word&ownMask + uint64(int64(c.others.Load())), //nolint:gosec // their sum is not negative
	}
	return g.word&busy == 0 && c.key() == k && c.word.Load() == g.word
}

// Still reports whether the client of a glance stands as it did. Its shard is locked.
func (g *Glance) Still() bool { return g.cell.word.Load() == g.word }

// Renew takes the glance once more. s is locked.
func (s *Shard) Renew(g *Glance, k crdt.Key, r *limit.Rule, now int64) bool {
	g.word = g.cell.word.Load()
	return len(s.clients.open) == 0 && g.read(&s.clients.rules, k, r, now)
}

// Take charges cost to the client of a glance at now, which Still holds, and notes it to be
// sent if send says so. origin is as of gcra.GCRA.Admit. On return, the glance has the level
// after it. It reports false, and does nothing, if the client has to be opened for it: also if a bounded
// rule's account needs a closer look.
//
// It stores the origin before the count, and marks neither by busy. A reader between the two
// finds the old count behind the new origin, which is the instant of this charge: a full
// bucket. It then denies only what would be denied behind this charge as well.
func (s *Shard) Take(g *Glance, r *limit.Rule, now, cost, origin int64, send bool) bool {
	c := g.cell
	if len(s.clients.open) > 0 || s.aside.joining.Load() {
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
	origin = max(origin, int64(c.window.Load())*r.Frame.Width)
	if origin > c.origin.Load() {
		c.origin.Store(origin)
		g.Level.Base = max(g.Level.Base, origin)
	}
	c.word.Store(g.word + uint64(cost)) //nolint:gosec // positive
	g.Level.Count += uint64(cost)       //nolint:gosec // positive
	if send && !r.Silent {
		s.noteCell(g, own, what, r, now)
	}
	return true
}

// sentOwn is how much of own P, the current window's, was sent.
func (c *cell) sentOwn(own uint64, what uint32) uint64 {
	if what&sentNone != 0 {
		return 0
	}
	return own - uint64(uint32(own)-c.sent) //nolint:gosec // its lower half is wanted
}

// noteCell is Note for a cell that Take charged.
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
