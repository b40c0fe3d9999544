package rights

import (
	"hash/fnv"
	"math/bits"
	"slices"

	"github.com/distributed-rate-limiter/distributed-rate-limiter/crdt"
)

// MaxMembers caps a roster. Raising it lets shares become smaller than one request, and the
// products of shares and times larger than a number holds. Lowering it refuses clusters.
const MaxMembers = 64

// mostCounted is how many nodes count at most: all members, and as many that were struck off
// lately.
const mostCounted = 2 * MaxMembers

// Roster is the names of the nodes that share bounded limits, as one node knows them. Where a
// limit has fewer shares than members, a client's shares go to the members that come first by
// rendezvous hashing (Thaler and Ravishankar, 1998). Immutable; the zero Roster has no member.
type Roster struct {
	names []string
	seeds []uint64
	self  int // -1 if this node uses no share
}

// NewRoster makes a roster of names, in any order, for the node of the given name; "" is one that
// uses no share.
func NewRoster(names []string, self string) *Roster {
	r := &Roster{names: slices.Compact(slices.Sorted(slices.Values(names)))}
	for _, name := range r.names {
		h := fnv.New64a()
		_, _ = h.Write([]byte(name)) // never fails
		r.seeds = append(r.seeds, h.Sum64())
	}
	r.self = slices.Index(r.names, self)
	return r
}

// Size is the number of members.
func (r *Roster) Size() int { return len(r.names) }

// Index is the place of a name, below MaxMembers; -1 if it has none.
func (r *Roster) Index(name string) int {
	i, found := slices.BinarySearch(r.names, name)
	if !found || i >= MaxMembers {
		return -1
	}
	return i
}

// Self reports whether this node has one of a client's shares, of which there are parts.
func (r *Roster) Self(k crdt.Key, parts int64) bool {
	if parts >= int64(len(r.seeds)) { // as nearly everywhere, and short enough to be inlined
		return r.self >= 0
	}
	return r.Shares(k, parts, r.self)
}

// Shares reports whether the member at a place has one of a client's shares.
func (r *Roster) Shares(k crdt.Key, parts int64, place int) bool {
	if place < 0 || place >= len(r.seeds) {
		return false
	}
	if parts >= int64(len(r.seeds)) {
		return true
	}
	mine, before := weight(k, r.seeds[place]), int64(0)
	for i, seed := range r.seeds {
		if w := weight(k, seed); w > mine || w == mine && i < place {
			before++
		}
	}
	return before < parts
}

// Same reports whether two rosters give this node the same shares.
func (r *Roster) Same(o *Roster) bool { return r.self == o.self && slices.Equal(r.names, o.names) }

// weight mixes a client and a member. The multipliers are those of wyhash.
func weight(k crdt.Key, seed uint64) uint64 {
	hi, lo := bits.Mul64(k.Hi^seed^0xa0761d6478bd642f, k.Lo^seed^0xe7037ed1a0b428db)
	return hi ^ lo
}
