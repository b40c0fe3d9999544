package node

import (
	"sync/atomic"

	"github.com/distributed-rate-limiter/distributed-rate-limiter/crdt"
	"github.com/distributed-rate-limiter/distributed-rate-limiter/gcra"
)

// limit is one named limit over all its revisions.
type limit struct {
	name   string
	index  int    // of its tallies
	prefix []byte // what a client id is hashed behind
	newest atomic.Pointer[revision]
	// removed says that the registry has let go of it: one of that name is another.
	removed atomic.Bool

	overshoot overshoot
	top       top
}

// revision is one policy of a limit, in force from its stamp's time on. Revisions
// are immutable and form a chain, newest first.
type revision struct {
	limit  *limit
	stamp  crdt.Stamp
	policy Policy
	gone   bool // deleted: nothing is decided, the policy is that of clients still counted
	gcra   *gcra.GCRA
	frame  crdt.Frame
	slack  float64 // MaxOvershoot·Burst, units
	before *revision
	slower atomic.Pointer[slowed] // of OnIsolation share, as last used
}

func newLimit(name string, index int) *limit {
	return &limit{name: name, index: index, prefix: append([]byte(name), 0)}
}

// newRevision makes a revision of a validated policy.
func (l *limit) newRevision(p Policy, stamp crdt.Stamp, before *revision) (*revision, error) {
	if err := p.Validate(); err != nil {
		return nil, err
	}
	p = p.withDefaults()
	g, err := gcra.New(p.gcra())
	if err != nil {
		return nil, err
	}
	return &revision{
		limit: l, stamp: stamp, policy: p, gcra: g,
		frame: crdt.Frame{Width: p.width(), Drain: g.Drain},
		slack: p.MaxOvershoot * float64(p.Burst), before: before,
	}, nil
}

// at is the revision in force at t.
func (l *limit) at(t int64) *revision {
	r := l.newest.Load()
	for r.stamp.At > t && r.before != nil {
		r = r.before
	}
	return r
}

// known is the revision in force at t, nil where there is no such limit then.
func (l *limit) known(t int64) *revision {
	if l == nil {
		return nil
	}
	if r := l.at(t); !r.gone {
		return r
	}
	return nil
}

// find is the revision with the given stamp, nil if it is not known (any more).
func (l *limit) find(s crdt.Stamp) *revision {
	for r := l.newest.Load(); r != nil; r = r.before {
		if r.stamp == s {
			return r
		}
	}
	return nil
}

// carry is the origin with which a client's life under r begins, if its TAT under
// the revision before was tat: what it had used of the old burst is used of the
// new one, in units of cost. It is a pure function, so every node computes the
// same. Units are rounded up: a change mints nothing.
func (r *revision) carry(old *revision, tat int64) int64 {
	since := r.stamp.At
	behind := tat - since
	if behind <= 0 {
		return since
	}
	return since + r.gcra.Drain(min(old.gcra.UnitsOver(behind), uint64(r.policy.Burst))) //nolint:gosec // validated
}
