package node

import (
	"errors"
	"fmt"
	"slices"
	"sync/atomic"

	"github.com/distributed-rate-limiter/distributed-rate-limiter/crdt"
)

// limit is one named limit over all its revisions.
type limit struct {
	name   string
	prefix []byte                      // what a client id is hashed behind
	chain  atomic.Pointer[[]*revision] // newest first, at most keepRevisions
	// removed says that the registry has let go of it: one of that name is another.
	removed atomic.Bool
	account *account
	used    atomic.Int64 // when it was last asked for, if it came with a request
}

// account is what is kept of a limit's decisions.
type account struct {
	name      string
	index     int // of its tallies
	overshoot overshoot
	top       top
}

// revision is what a limit says from its stamp's time on. Immutable.
type revision struct {
	limit  *limit
	stamp  crdt.Stamp
	policy Policy  // with its overrides
	gone   bool    // deleted: nothing is decided, the policy is that of clients still counted
	source string  // who says so
	rules  []*rule // its own, then those of the overrides
	match  *match  // nil if there is one rule only, and ids are taken as they are
	frames []*crdt.Frame
}

func newLimit(name string, index int) *limit {
	return &limit{name: name, prefix: append([]byte(name), 0), account: &account{name: name, index: index}}
}

// newRevision makes a revision of a policy. The error is Policy.Validate's.
func (l *limit) newRevision(p Policy, stamp crdt.Stamp) (*revision, error) {
	rules, m, err := p.compile()
	if err != nil {
		return nil, err
	}
	r := &revision{limit: l, stamp: stamp, policy: p, rules: rules, match: m}
	type layout struct {
		width    int64
		calendar *calendar
	}
	seen := map[layout]bool{}
	for i, one := range rules {
		one.rev, one.index = r, uint16(i) //nolint:gosec // at most MaxOverrides
		if as := (layout{one.frame.Width, one.calendar}); !seen[as] {
			seen[as] = true
			r.frames = append(r.frames, &one.frame)
		}
	}
	r.policy = rules[0].policy
	r.policy.Overrides, r.policy.IPv6Prefix = p.Overrides, p.IPv6Prefix
	return r, nil
}

// Validate reports every faulty field at once, each as a *FieldError, or nil.
func (p Policy) Validate() error {
	_, _, err := p.compile()
	return err
}

// compile makes the rules of a policy and of its overrides, and what finds a client's.
func (p Policy) compile() ([]*rule, *match, error) {
	base := p
	base.Overrides = nil
	laid := calendars{}
	own, err := newRule(base, laid)
	faults := []error{err}
	if len(p.Overrides) > MaxOverrides {
		return nil, nil, errors.Join(append(faults, &FieldError{Field: "overrides", Value: len(p.Overrides), Reason: fmt.Sprintf("at most %d", MaxOverrides)})...)
	}
	rules := []*rule{own}
	for i, o := range p.Overrides {
		if o.Access == Limited && o.Limit == 0 && o.Window == 0 && o.Calendar == 0 && o.Burst == 0 {
			faults = append(faults, &FieldError{Field: fmt.Sprintf("overrides[%d]", i), Value: "", Reason: "must say what holds instead: limit, window or burst, block or unlimited"})
		}
		r, err := newRule(p.under(&o), laid)
		for _, f := range fieldErrors(err) {
			// What is wrong with the policy itself was said already.
			if own != nil || o.sets(f.Field) {
				faults = append(faults, &FieldError{Field: fmt.Sprintf("overrides[%d].%s", i, f.Field), Value: f.Value, Reason: f.Reason})
			}
		}
		if own != nil && r != nil && r.policy.Access == Limited && own.policy.Algorithm == SlidingWindow && p.Resolution > 1 && r.slots != own.slots {
			panic("node: an override has another resolution than its limit") // overrides cannot name one
		}
		rules = append(rules, r)
	}
	m, err := newMatch(&p)
	if err := errors.Join(append(faults, err)...); err != nil {
		return nil, nil, err
	}
	return rules, m, nil
}

// under is the policy of an override's clients.
func (p Policy) under(o *Override) Policy {
	p.Overrides = nil
	if o.Access != Limited {
		p.Access = o.Access
		if o.Limit == 0 && o.Window == 0 && o.Calendar == 0 && o.Burst == 0 {
			return p
		}
	}
	if p.Access != Limited && o.Access == Limited && o.Limit != 0 {
		p.Access = Limited
	}
	if o.Limit != 0 {
		p.Limit, p.Burst = o.Limit, 0
	}
	if o.Window != 0 {
		p.Window, p.Calendar = o.Window, 0
	}
	if o.Calendar != 0 {
		p.Window, p.Calendar = 0, o.Calendar
	}
	if o.Burst != 0 {
		p.Burst = o.Burst
	}
	return p
}

// sets reports whether the override says something of its own about a field.
func (o *Override) sets(field string) bool {
	switch field {
	case "limit":
		return o.Limit != 0
	case "window":
		return o.Window != 0 || o.Calendar != 0
	case "burst":
		return o.Burst != 0
	case "block":
		return o.Access != Limited
	}
	return false
}

// fieldErrors takes joined errors apart.
func fieldErrors(err error) []*FieldError {
	if f, ok := err.(*FieldError); ok { //nolint:errorlint // it walks the tree itself
		return []*FieldError{f}
	}
	var all []*FieldError
	if joined, ok := err.(interface{ Unwrap() []error }); ok {
		for _, inner := range joined.Unwrap() {
			all = append(all, fieldErrors(inner)...)
		}
	}
	return all
}

// rule is the one for a client, and what the client counts as: the id, or the network
// of an address, in buf.
func (r *revision) rule(client string, buf *[netBuffer]byte) (*rule, []byte) {
	if r.match == nil {
		return r.rules[0], nil
	}
	index, group := r.match.find(client, buf)
	return r.rules[index], group
}

// revisions are those that are known, newest first.
func (l *limit) revisions() []*revision {
	if c := l.chain.Load(); c != nil {
		return *c
	}
	return nil
}

// newest is the last revision; nil before the first is inserted.
func (l *limit) newest() *revision {
	if c := l.revisions(); len(c) > 0 {
		return c[0]
	}
	return nil
}

// insert puts a revision where its stamp belongs. Only one goroutine does so at a time.
func (l *limit) insert(now int64, r *revision) {
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
func (l *limit) at(t int64) *revision {
	chain := *l.chain.Load()
	for _, r := range chain {
		if r.stamp.At <= t {
			return r
		}
	}
	return chain[len(chain)-1]
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
	for _, r := range l.revisions() {
		if r.stamp == s {
			return r
		}
	}
	return nil
}

// numbered is the rule that a peer named by its number, nil if there is none.
func (r *revision) numbered(index uint16) *rule {
	if int(index) >= len(r.rules) {
		return nil
	}
	return r.rules[index]
}
