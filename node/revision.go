package node

import (
	"slices"
	"sync/atomic"

	"github.com/distributed-rate-limiter/distributed-rate-limiter/crdt"
	"github.com/distributed-rate-limiter/distributed-rate-limiter/node/internal/tally"
	"github.com/distributed-rate-limiter/distributed-rate-limiter/node/limit"
)

// limit is one named limit over all its revisions.
type namedLimit struct {
	name   string
	prefix []byte                      // what a client id is hashed behind
	chain  atomic.Pointer[[]*revision] // newest first, at most keepRevisions
	// removed says that the registry has let go of it: one of that name is another.
	removed atomic.Bool
	account *tally.Account
	used    atomic.Int64 // when it was last asked for, if it came with a request
}

// revision is what a limit says from its stamp's time on. Immutable.
type revision struct {
	limit  *namedLimit
	stamp  crdt.Stamp
	policy Policy       // with its overrides
	gone   bool         // deleted: nothing is decided, the policy is that of clients still counted
	source string       // who says so
	rules  []limit.Rule // its own, then those of the overrides
	match  *limit.Match
	frames []crdt.Frame
}

func newLimit(name string, index int) *namedLimit {
	return &namedLimit{name: name, prefix: append([]byte(name), 0), account: &tally.Account{Name: name, Index: index}}
}

// newRevision makes a revision of a policy. The error is Policy.Validate's.
func (l *namedLimit) newRevision(p Policy, stamp crdt.Stamp) (*revision, error) {
	c, err := limit.Compile(p)
	if err != nil {
		return nil, err
	}
	r := &revision{limit: l, stamp: stamp, policy: c.Policy, match: c.Match, frames: c.Frames, rules: c.Rules}
	for i := range r.rules {
		r.rules[i].Limit, r.rules[i].Revision = l.name, stamp
	}
	return r, nil
}

// rule is the one for a client, and what the client counts as: the id, or the network
// of an address, in buf.
func (r *revision) rule(client string, buf *limit.Buffer) (*limit.Rule, []byte) {
	if r.match == nil {
		return &r.rules[0], nil
	}
	index, group := r.match.Find(client, buf)
	return &r.rules[index], group
}

// revisions are those that are known, newest first.
func (l *namedLimit) revisions() []*revision {
	if c := l.chain.Load(); c != nil {
		return *c
	}
	return nil
}

// newest is the last revision; nil before the first is inserted.
func (l *namedLimit) newest() *revision {
	if c := l.revisions(); len(c) > 0 {
		return c[0]
	}
	return nil
}

// insert puts a revision where its stamp belongs. Only one goroutine does so at a time.
func (l *namedLimit) insert(now int64, r *revision) {
	chain := l.revisions()
	i := slices.IndexFunc(chain, func(o *revision) bool { return o.stamp.Compare(r.stamp) < 0 })
	if i < 0 {
		i = len(chain)
	}
	next := slices.Insert(slices.Clone(chain), i, r)
	next = kept(now, next, func(r *revision) int64 { return r.stamp.At })
	l.chain.Store(&next)
}

// at is the revision in force at t.
func (l *namedLimit) at(t int64) *revision {
	chain := *l.chain.Load()
	for _, r := range chain {
		if r.stamp.At <= t {
			return r
		}
	}
	return chain[len(chain)-1]
}

// known is the revision in force at t, nil where there is no such limit then.
func (l *namedLimit) known(t int64) *revision {
	if l == nil {
		return nil
	}
	if r := l.at(t); !r.gone {
		return r
	}
	return nil
}

// find is the revision with the given stamp, nil if it is not known (any more).
func (l *namedLimit) find(s crdt.Stamp) *revision {
	for _, r := range l.revisions() {
		if r.stamp == s {
			return r
		}
	}
	return nil
}

// numbered is the rule that a peer named by its number, nil if there is none.
func (r *revision) numbered(index uint16) *limit.Rule {
	if int(index) >= len(r.rules) {
		return nil
	}
	return &r.rules[index]
}
