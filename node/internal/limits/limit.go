package limits

import (
	"math"
	"slices"
	"sync/atomic"
	"time"

	"github.com/distributed-rate-limiter/distributed-rate-limiter/crdt"
	"github.com/distributed-rate-limiter/distributed-rate-limiter/node/internal/tally"
	"github.com/distributed-rate-limiter/distributed-rate-limiter/node/limit"
	deltasync "github.com/distributed-rate-limiter/distributed-rate-limiter/sync"
)

// maxRevisions is how many revisions of a limit a node remembers, for messages that still
// count under them. Raising it makes entries of the register longer. Lowering it loses what
// was counted under a revision if several changes follow within a few windows.
const maxRevisions = 8

// maxUpcoming caps the changes of one limit that are not in force yet. Clients are counted
// under the revisions that are, so those need the other half of the chain: raising the cap
// takes their room, lowering it refuses more changes in a row.
const maxUpcoming = maxRevisions / 2

// Limit is one named limit over all its revisions. Reading it is wait-free and safe for
// concurrent use. Only its registry changes it.
type Limit struct {
	Name string
	// Keys makes the keys of clients: it has read the name and a zero byte. Networks makes
	// those of networks, and has read a one instead.
	Keys, Networks deltasync.KeyHash
	Account        *tally.Account

	named   atomic.Pointer[[]*tally.Account] // see Named
	chain   atomic.Pointer[chain]
	version atomic.Uint64 // grows with every change of chain
	removed atomic.Bool
	late    atomic.Pointer[[]late] // oldest first, at most maxLate
	// lateUnits are the bits of the sum of what was admitted late.
	lateUnits atomic.Uint64
	// These are for inline limits only: when it was last asked for, and who brought it.
	used   atomic.Int64
	origin uint64 // under the mu of inlines
}

// chain is a limit's revisions, and which of them was in force when that was last looked up.
// Immutable.
type chain struct {
	all []*Revision // newest first, 1 to maxRevisions
	in  *Revision   // in force from from on and before until
	// from is the smallest instant if in is the oldest of all.
	from, until int64
}

// newChain is the chain of revisions at now.
func newChain(now int64, all []*Revision) *chain {
	c := &chain{all: all, in: all[len(all)-1], from: math.MinInt64, until: math.MaxInt64}
	for i, r := range all {
		if r.Stamp.At <= now {
			if c.in = r; i < len(all)-1 {
				c.from = r.Stamp.At
			}
			break
		}
		c.until = r.Stamp.At
	}
	return c
}

// newLimit makes a limit without revisions. Its registry inserts one before others see it.
func newLimit(name string, index int, keys deltasync.KeyHash) *Limit {
	named := keys.Add([]byte(name))
	return &Limit{
		Name: name, Keys: named.Add([]byte{0}), Networks: named.Add([]byte{1}),
		Account: &tally.Account{Name: name, Index: index},
	}
}

// Removed reports whether the registry has let go of the limit. A limit of the same name
// that comes later is another one.
func (l *Limit) Removed() bool { return l.removed.Load() }

// Revisions are those that are known, newest first. The slice is not to be changed.
func (l *Limit) Revisions() []*Revision {
	if c := l.chain.Load(); c != nil {
		return c.all
	}
	return nil
}

// Widest is the width of the widest window in which clients are counted under one of the limit's
// revisions, at least limit.MaxWidth, in nanoseconds.
func (l *Limit) Widest() int64 {
	width := int64(limit.MaxWidth)
	for _, r := range l.Revisions() {
		for i := range r.Frames {
			width = max(width, r.Frames[i].Width)
		}
	}
	return width
}

// Newest is the last revision, which may not be in force yet.
func (l *Limit) Newest() *Revision {
	if c := l.Revisions(); len(c) > 0 {
		return c[0]
	}
	return nil
}

// At is the revision in force at t, or the oldest known if t is before all of them.
func (l *Limit) At(t int64) *Revision {
	c := l.chain.Load()
	if c.from <= t && t < c.until {
		return c.in
	}
	return newChain(t, c.all).in
}

// Known is the revision in force at t, nil if there is no such limit then. l may be nil. t is
// the node's time, which never steps back.
func (l *Limit) Known(t int64) *Revision {
	if l == nil {
		return nil
	}
	c := l.chain.Load()
	if t >= c.until {
		next := newChain(t, c.all)
		l.chain.CompareAndSwap(c, next) // unless insert was first
		c = next
	}
	if c.from > t {
		return present(l.At(t))
	}
	return present(c.in)
}

// Recent is what Known returned last, or would have: a guess that costs no clock. l may be
// nil.
func (l *Limit) Recent() *Revision {
	if l == nil {
		return nil
	}
	return present(l.chain.Load().in)
}

// In reports whether r, which Recent returned, is the revision in force at t. It may report false
// although r is in force: ask Known then.
func (l *Limit) In(r *Revision, t int64) bool {
	c := l.chain.Load()
	return c.in == r && c.from <= t && t < c.until
}

// Holds reports whether doors hold some requests for the limit.
func (l *Limit) Holds() bool {
	r := l.Recent()
	return r != nil && r.Holds
}

// present is r unless the limit is deleted from r on.
func present(r *Revision) *Revision {
	if r.Gone {
		return nil
	}
	return r
}

// Find is the revision with the given stamp, nil if it is not known or no longer.
func (l *Limit) Find(s crdt.Stamp) *Revision {
	for _, r := range l.Revisions() {
		if r.Stamp == s {
			return r
		}
	}
	return nil
}

// insert puts a revision where its stamp belongs, and returns that place in the chain; -1 if
// there is none. The registry's lock is held.
func (l *Limit) insert(now int64, r *Revision) int {
	chain := l.Revisions()
	i := slices.IndexFunc(chain, func(o *Revision) bool { return o.Stamp.Compare(r.Stamp) < 0 })
	if i < 0 {
		i = len(chain)
	}
	next := slices.Insert(slices.Clone(chain), i, r)
	next = retained(now, next, func(r *Revision) int64 { return r.Stamp.At })
	l.chain.Store(newChain(now, next))
	l.version.Add(1)
	return slices.Index(next, r)
}

// Version implements limit.Past.
func (l *Limit) Version() uint64 { return l.version.Load() }

// Between implements limit.Past. A limit that is deleted for a while has no rule meanwhile.
func (l *Limit) Between(after, before crdt.Stamp, index uint16) (rules []*limit.Rule) {
	for _, r := range slices.Backward(l.Revisions()) {
		if r.Gone || r.Stamp.Compare(after) <= 0 || r.Stamp.Compare(before) >= 0 {
			continue
		}
		rules = append(rules, r.similar(index))
	}
	return rules
}

// InForce implements limit.Past.
func (l *Limit) InForce(now int64, index uint16) *limit.Rule {
	r := l.At(now)
	if r.Gone {
		return nil
	}
	return r.similar(index)
}

// retained are the revisions, newest first, that there is room for. Many nodes may propose
// one thing again, and all of these changes are still to come. Only the last of them stay
// then, so that the revision in force keeps its place.
func retained[T any](now int64, all []T, at func(T) int64) []T {
	upcoming := 0
	for upcoming < len(all) && at(all[upcoming]) > now {
		upcoming++
	}
	if len(all) > maxRevisions && upcoming > maxUpcoming {
		all = slices.Delete(all, maxUpcoming, upcoming)
	}
	return all[:min(len(all), maxRevisions)]
}

// touch records when an inline limit was last used (1 s resolution): a decision a second
// writes to it, not every decision.
func (l *Limit) touch(now int64) {
	if used := l.used.Load(); now-used > int64(time.Second) {
		l.used.Store(now)
	}
}
