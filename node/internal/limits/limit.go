package limits

import (
	"slices"
	"sync/atomic"
	"time"

	"github.com/distributed-rate-limiter/distributed-rate-limiter/crdt"
	"github.com/distributed-rate-limiter/distributed-rate-limiter/node/internal/tally"
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
	Name    string
	Prefix  []byte // what a client's id is hashed behind: the name and a zero byte
	Account *tally.Account

	named   atomic.Pointer[[]*tally.Account] // see Named
	chain   atomic.Pointer[[]*Revision]      // newest first, 1 to maxRevisions
	removed atomic.Bool
	used    atomic.Int64 // inline limits only: when it was last asked for
}

// newLimit makes a limit without revisions. Its registry inserts one before others see it.
func newLimit(name string, index int) *Limit {
	return &Limit{Name: name, Prefix: append([]byte(name), 0), Account: &tally.Account{Name: name, Index: index}}
}

// Removed reports whether the registry has let go of the limit. A limit of the same name
// that comes later is another one.
func (l *Limit) Removed() bool { return l.removed.Load() }

// Revisions are those that are known, newest first. The slice is not to be changed.
func (l *Limit) Revisions() []*Revision {
	if c := l.chain.Load(); c != nil {
		return *c
	}
	return nil
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
	chain := *l.chain.Load()
	for _, r := range chain {
		if r.Stamp.At <= t {
			return r
		}
	}
	return chain[len(chain)-1]
}

// Known is the revision in force at t, nil if there is no such limit then. l may be nil.
func (l *Limit) Known(t int64) *Revision {
	if l == nil {
		return nil
	}
	if r := l.At(t); !r.Gone {
		return r
	}
	return nil
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

// insert puts a revision where its stamp belongs. The registry's lock is held.
func (l *Limit) insert(now int64, r *Revision) {
	chain := l.Revisions()
	i := slices.IndexFunc(chain, func(o *Revision) bool { return o.Stamp.Compare(r.Stamp) < 0 })
	if i < 0 {
		i = len(chain)
	}
	next := slices.Insert(slices.Clone(chain), i, r)
	next = retained(now, next, func(r *Revision) int64 { return r.Stamp.At })
	l.chain.Store(&next)
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

// idle reports whether nobody counts under an inline limit any more. A client whose debt
// lasts longer still decides by the rule that its entry has.
func (l *Limit) idle(now int64) bool {
	r := &l.Newest().Rules[0]
	return now-l.used.Load() > 3*r.Frame.Width+r.GCRA.Depth()
}
