package table

import (
	"sync/atomic"

	"github.com/distributed-rate-limiter/distributed-rate-limiter/crdt"
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
// be of two states. Only a plain charge is not marked by busy, see Shard.Decide.
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

// stands reports whether all that was read of the cell since word is of the instant at which word
// was read, and of client k.
func (c *cell) stands(word uint64, k crdt.Key) bool {
	return word&busy == 0 && c.hi.Load() == k.Hi && c.lo.Load() == k.Lo && c.word.Load() == word
}

// sentOwn is how much of own P, the current window's, was sent.
func (c *cell) sentOwn(own uint64, what uint32) uint64 {
	if what&sentNone != 0 {
		return 0
	}
	return own - uint64(uint32(own)-c.sent) //nolint:gosec // its lower half is wanted
}
