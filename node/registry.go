package node

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/distributed-rate-limiter/distributed-rate-limiter/crdt"
	deltasync "github.com/distributed-rate-limiter/distributed-rate-limiter/sync"
)

// MaxLimits caps the named limits of a node.
const MaxLimits = 1024

// keepRevisions is how many revisions of a limit are remembered, for deltas that
// are still counted under them.
const keepRevisions = 8

// registry is the node's limits: what the configuration says, shadowed by what was
// set since on any node. Reading is wait-free; changes are a copy of the map.
type registry struct {
	byName atomic.Pointer[map[string]*limit]
	calls  atomic.Pointer[calls]
	// calledAccount is that of all limits that come with requests.
	calledAccount *account

	mu      sync.Mutex // guards what follows, and changes
	base    map[string]Policy
	set     map[string]deltasync.Register
	changed []string
}

func newRegistry(base map[string]Policy) (*registry, error) {
	g := &registry{base: base, set: map[string]deltasync.Register{}, calledAccount: &account{name: CalledLimit}}
	g.calls.Store(&calls{byPolicy: map[called]*limit{}, byName: map[string]*limit{}})
	limits := map[string]*limit{}
	for _, name := range slices.Sorted(maps.Keys(base)) {
		l := newLimit(name, 1+len(limits))
		r, err := l.newRevision(base[name], crdt.Stamp{}, nil)
		if err != nil {
			return nil, err
		}
		l.newest.Store(r)
		limits[name] = l
	}
	g.byName.Store(&limits)
	return g, nil
}

func (g *registry) get(name string) *limit {
	if name == "" {
		name = DefaultLimit
	}
	return (*g.byName.Load())[name]
}

// all lists the limits in the order of their names.
func (g *registry) all() []*limit {
	limits := slices.Collect(maps.Values(*g.byName.Load()))
	slices.SortFunc(limits, func(a, b *limit) int { return strings.Compare(a.name, b.name) })
	return limits
}

// each yields every limit in the order of their names, those last that came with
// requests.
func (g *registry) each(yield func(*limit) bool) {
	byName := g.calls.Load().byName
	calls := make([]*limit, 0, len(byName))
	for _, name := range slices.Sorted(maps.Keys(byName)) {
		calls = append(calls, byName[name])
	}
	for _, l := range append(g.all(), calls...) {
		if !yield(l) {
			return
		}
	}
}

// validLimitName reports whether a limit may have this name, which metrics and
// messages carry.
func validLimitName(name string) error {
	switch {
	case !deltasync.ValidName(strings.ReplaceAll(name, ".", "-")):
		return &FieldError{Field: "name", Value: fmt.Sprintf("%.80q", name), Reason: "must be 1 to 64 of A-Z, a-z, 0-9, _, - and ."}
	case name == CalledLimit:
		return &FieldError{Field: "name", Value: name, Reason: "is what limits are counted as that come with requests: choose another"}
	}
	return nil
}

// saved is one revision of a limit as the register carries it. An entry's value is
// a list of them, newest first, as far back as clients may still be counted under
// them: a node that starts anew has to carry what was used from each to the next, as
// the others did.
type saved struct {
	At     int64        `json:"at"` // in force from then on, unix nanoseconds
	By     crdt.Replica `json:"by"`
	Policy *Policy      `json:"policy,omitempty"` // none: the configured one, or the limit's end
}

func (s *saved) stamp() crdt.Stamp { return crdt.Stamp{At: s.At, By: s.By} }

// merge takes over a register entry if its stamp is higher than the one held, and
// reports whether it did.
func (g *registry) merge(r deltasync.Register) (changed bool, err error) {
	if err := validLimitName(r.Name); err != nil {
		return false, err
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	if held, ok := g.set[r.Name]; ok && held.Stamp.Compare(r.Stamp) >= 0 {
		return false, nil
	}
	revisions, err := g.revisions(r)
	if err != nil {
		return false, err
	}
	limits := *g.byName.Load()
	l, ousted := limits[r.Name], (*limit)(nil)
	if l == nil {
		index := 1 + len(limits)
		if index > MaxLimits {
			switch ousted = longestGone(limits); {
			case ousted == nil:
				return false, ErrTooManyLimits
			case revisions[0].Policy == nil && r.Stamp.Compare(ousted.newest.Load().stamp) < 0:
				return false, nil // the first to go itself
			}
			index = ousted.account.index
		}
		l = newLimit(r.Name, index)
	}
	for _, rev := range slices.Backward(revisions) {
		if err := g.advance(l, &rev); err != nil {
			return false, err
		}
	}
	if limits[r.Name] == nil {
		next := maps.Clone(limits)
		next[r.Name] = l
		if ousted != nil {
			delete(next, ousted.name)
			delete(g.set, ousted.name)
		}
		g.byName.Store(&next)
		if ousted != nil {
			ousted.removed.Store(true)
		}
	}
	g.set[r.Name] = r
	if !slices.Contains(g.changed, r.Name) {
		g.changed = append(g.changed, r.Name)
	}
	return true, nil
}

// longestGone is the limit that was deleted first, nil if none is. That a limit is
// deleted has to be remembered, or a node that was away and did not hear of it would
// bring it back; but not for ever, or names that come and go would fill the registry.
func longestGone(limits map[string]*limit) *limit {
	var first *limit
	for _, l := range limits {
		if r := l.newest.Load(); r.gone && (first == nil || r.stamp.Compare(first.newest.Load().stamp) < 0) {
			first = l
		}
	}
	return first
}

// unknownPolicy stands in for that of a limit of which only its end is known.
var unknownPolicy = Policy{Limit: 1, Window: time.Minute}

// advance puts a revision on top of the limit's chain, if it is newer than what is
// there. A limit that is deleted and not configured keeps its last policy, for what
// is counted under it, but decides nothing.
func (g *registry) advance(l *limit, s *saved) error {
	newest := l.newest.Load()
	if newest != nil && newest.stamp.Compare(s.stamp()) >= 0 {
		return nil
	}
	policy, configured := g.base[l.name]
	gone := s.Policy == nil && !configured
	switch {
	case s.Policy != nil:
		policy = *s.Policy
	case gone && newest != nil:
		policy = newest.policy
	case gone:
		policy = unknownPolicy
	}
	rev, err := l.newRevision(policy, s.stamp(), newest.truncated(keepRevisions-1))
	if err != nil {
		return err
	}
	rev.gone = gone
	l.newest.Store(rev)
	return nil
}

// revisions reads a register entry, and checks all of it.
func (g *registry) revisions(r deltasync.Register) ([]saved, error) {
	var list []saved
	if err := json.Unmarshal(r.Value, &list); err != nil {
		return nil, fmt.Errorf("node: limit %s: %w", r.Name, err)
	}
	if len(list) == 0 || len(list) > keepRevisions || list[0].stamp() != r.Stamp {
		return nil, fmt.Errorf("node: limit %s: the register's entry does not begin with the revision that it is stamped with", r.Name)
	}
	for _, s := range list {
		if s.Policy != nil {
			if err := s.Policy.Validate(); err != nil {
				return nil, err
			}
		}
	}
	return list, nil
}

// Registers implements deltasync.Store.
func (n store) Registers() []deltasync.Register {
	g := n.limits
	g.mu.Lock()
	defer g.mu.Unlock()
	out := slices.Collect(maps.Values(g.set))
	slices.SortFunc(out, func(a, b deltasync.Register) int { return strings.Compare(a.Name, b.Name) })
	return out
}

// RegistersDigest implements deltasync.Store.
func (n store) RegistersDigest() crdt.Digest {
	g := n.limits
	g.mu.Lock()
	defer g.mu.Unlock()
	var d crdt.Digest
	for name, r := range g.set {
		hi, lo := n.hash.Hash128([]byte(name))
		d.Grow(crdt.Key{Hi: hi, Lo: lo}, r.Stamp, 0, crdt.Count{P: 1})
	}
	return d
}

// BaseDigest implements deltasync.Store.
func (n store) BaseDigest() crdt.Digest { return n.baseDigest }

// digestBase sums up the limits as they are configured.
func (n *Node) digestBase() crdt.Digest {
	var d crdt.Digest
	for name, p := range n.limits.base {
		p = p.withDefaults()
		text, _ := json.Marshal(p) // a policy can be written
		hi, lo := n.hash.Hash128(append(append([]byte(name), 0), text...))
		d.Grow(crdt.Key{Hi: hi, Lo: lo}, crdt.Stamp{}, 0, crdt.Count{P: 1})
	}
	return d
}

// MergeRegisters implements deltasync.Store.
func (n store) MergeRegisters(now int64, regs []deltasync.Register) {
	for _, r := range regs {
		if r.Stamp.At > now+int64(changeLead)+int64(n.cfg.ClockTolerance) {
			n.drops[dropFuture].Add(1)
			continue
		}
		changed, err := n.limits.merge(r)
		switch {
		case err != nil:
			n.drops[dropLimit].Add(1)
			n.log.Warn("limit from a peer refused", "limit", r.Name, "error", err)
		case changed:
			n.log.Info("limit changed by a peer", "limit", r.Name, "at", time.Unix(0, r.Stamp.At), "revisions", string(r.Value))
		}
	}
}

// ChangedRegisters implements deltasync.Store.
func (n store) ChangedRegisters() []deltasync.Register {
	g := n.limits
	g.mu.Lock()
	defer g.mu.Unlock()
	var out []deltasync.Register
	for _, name := range g.changed {
		if r := g.set[name]; r.Stamp.By == n.replica {
			out = append(out, r)
		}
	}
	g.changed = nil
	return out
}
