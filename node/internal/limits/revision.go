package limits

import (
	"github.com/distributed-rate-limiter/distributed-rate-limiter/crdt"
	"github.com/distributed-rate-limiter/distributed-rate-limiter/node/internal/tally"
	"github.com/distributed-rate-limiter/distributed-rate-limiter/node/limit"
)

// Sources of a revision's policy.
const (
	SourceConfigured = "configuration"
	SourceSet        = "set"
)

// Revision is what a limit says from its stamp's time on. Immutable once it is in a chain.
type Revision struct {
	Limit  *Limit
	Stamp  crdt.Stamp   // zero for what a node is configured with from its start
	Policy limit.Policy // with its overrides
	// Gone says that the limit is deleted from the stamp on and decides nothing. Policy is
	// the last one then, because clients may still be counted under it.
	Gone   bool
	Source string // SourceConfigured or SourceSet
	// Stated says that all nodes have the policy from one statement. Otherwise each node takes
	// its own configuration for it.
	Stated bool
	// Rules has the limit's own rule first, then those of the overrides. It is never empty.
	Rules []limit.Rule
	// Holds says that doors hold requests by some of Rules: see limit.Policy.Hold.
	Holds bool
	// Only is the rule of all clients if it is a straight one that limits them, and each counts as
	// its own id; otherwise nil.
	Only *limit.Rule
	// Frames are the window layouts of Rules, each once.
	Frames []crdt.Frame

	// named are the accounts of Rules, nil if all have the limit's.
	named []*tally.Account
	match *limit.Match // nil: see limit.Compiled
}

// newRevision makes a revision of a policy. The error is that of Policy.Validate.
func (l *Limit) newRevision(p limit.Policy, stamp crdt.Stamp) (*Revision, error) {
	c, err := limit.Compile(p)
	if err != nil {
		return nil, err
	}
	r := &Revision{Limit: l, Stamp: stamp, Policy: c.Policy, match: c.Match, Frames: c.Frames, Rules: c.Rules}
	for i := range r.Rules {
		r.Rules[i].Limit, r.Rules[i].Revision, r.Rules[i].Past = l.Name, stamp, l
		r.Rules[i].Divide()
		r.Holds = r.Holds || r.Rules[i].Hold > 0
	}
	if own := &r.Rules[0]; r.match == nil && own.Straight && own.Policy.Access == limit.Limited {
		r.Only = own
	}
	return r, nil
}

// Rule is the client's rule, and the text in buf that its id counts as; nil if the id counts
// as itself. It allocates nothing.
func (r *Revision) Rule(client string, buf *limit.Buffer) (*limit.Rule, []byte) {
	if r.match == nil {
		return &r.Rules[0], nil
	}
	index, group, odd := r.match.Find(client, buf)
	if odd {
		r.Limit.Account.Odd.Add(1)
	}
	return &r.Rules[index], group
}

// CountsAs is the text in buf that the client's id counts as; nil if the id counts as itself.
// It counts nothing, and allocates nothing.
func (r *Revision) CountsAs(client string, buf *limit.Buffer) []byte {
	if r.match == nil {
		return nil
	}
	_, group, _ := r.match.Find(client, buf)
	return group
}

// Numbered is the rule that a peer names by its index, nil if there is none here: nodes may
// be configured with other overrides.
func (r *Revision) Numbered(index uint16) *limit.Rule {
	if int(index) >= len(r.Rules) {
		return nil
	}
	return &r.Rules[index]
}

// similar is the rule of an index, or the limit's own where there is none of that index.
func (r *Revision) similar(index uint16) *limit.Rule {
	if rule := r.Numbered(index); rule != nil {
		return rule
	}
	return &r.Rules[0]
}
