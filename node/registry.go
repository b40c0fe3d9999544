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

// changeLead is how far ahead a changed limit takes effect, so that every node
// knows of it by then and all change at the same instant.
const changeLead = 250 * time.Millisecond

// keepRevisions is how many revisions of a limit are remembered, for deltas that
// are still counted under them.
const keepRevisions = 8

// registry is the node's limits: what the configuration says, shadowed by what was
// set since on any node. Reading is wait-free; changes are a copy of the map.
type registry struct {
	byName atomic.Pointer[map[string]*limit]

	mu      sync.Mutex // guards what follows, and changes
	base    map[string]Policy
	set     map[string]deltasync.Register
	changed []string
}

func newRegistry(base map[string]Policy) (*registry, error) {
	g := &registry{base: base, set: map[string]deltasync.Register{}}
	limits := map[string]*limit{}
	for _, name := range slices.Sorted(maps.Keys(base)) {
		l := newLimit(name, len(limits))
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

// validLimitName reports whether a limit may have this name, which metrics and
// messages carry.
func validLimitName(name string) error {
	if !deltasync.ValidName(strings.ReplaceAll(name, ".", "-")) {
		return &FieldError{Field: "name", Value: name, Reason: "must be 1 to 64 of A-Z, a-z, 0-9, _, - and ."}
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
	Policy *Policy      `json:"policy,omitempty"` // none: the configured one
}

func (s *saved) stamp() crdt.Stamp { return crdt.Stamp{At: s.At, By: s.By} }

// merge takes over a register entry if its stamp is higher than the one held.
func (g *registry) merge(r deltasync.Register) error {
	if err := validLimitName(r.Name); err != nil {
		return err
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	if held, ok := g.set[r.Name]; ok && held.Stamp.Compare(r.Stamp) >= 0 {
		return nil
	}
	revisions, err := g.revisions(r)
	if err != nil {
		return err
	}
	limits := *g.byName.Load()
	l := limits[r.Name]
	if l == nil {
		if len(limits) >= MaxLimits {
			return ErrTooManyLimits
		}
		l = newLimit(r.Name, len(limits))
	}
	for _, rev := range slices.Backward(revisions) {
		if err := g.advance(l, &rev); err != nil {
			return err
		}
	}
	if l.newest.Load() != nil && limits[r.Name] == nil {
		next := maps.Clone(limits)
		next[r.Name] = l
		g.byName.Store(&next)
	}
	g.set[r.Name] = r
	g.changed = append(g.changed, r.Name)
	return nil
}

// advance puts a revision on top of the limit's chain, if it is newer than what is
// there. A deleted limit that is not configured keeps its last policy until the
// restart, since clients are counted under it.
func (g *registry) advance(l *limit, s *saved) error {
	newest := l.newest.Load()
	if newest != nil && newest.stamp.Compare(s.stamp()) >= 0 {
		return nil
	}
	policy, configured := g.base[l.name]
	if s.Policy != nil {
		policy = *s.Policy
	} else if !configured {
		return nil
	}
	rev, err := l.newRevision(policy, s.stamp(), newest.truncated(keepRevisions-1))
	if err == nil {
		l.newest.Store(rev)
	}
	return err
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

// truncated is the chain from r on, at most n long.
func (r *revision) truncated(n int) *revision {
	if r == nil || n == 0 {
		return nil
	}
	c := r
	for i := 1; i < n && c.before != nil; i++ {
		c = c.before
	}
	if c.before == nil {
		return r
	}
	// Entries point at revisions, so these are shared and never cut: copy.
	return &revision{
		limit: r.limit, stamp: r.stamp, policy: r.policy, gcra: r.gcra, frame: r.frame, slack: r.slack,
		before: r.before.truncated(n - 1),
	}
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

// MergeRegisters implements deltasync.Store.
func (n store) MergeRegisters(now int64, regs []deltasync.Register) {
	for _, r := range regs {
		if r.Stamp.At > now+int64(changeLead)+int64(n.cfg.ClockTolerance) {
			n.drops[dropFuture].Add(1)
			continue
		}
		if err := n.limits.merge(r); err != nil {
			n.drops[dropLimit].Add(1)
			n.log.Warn("limit from a peer refused", "limit", r.Name, "error", err)
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

// SetLimit makes or changes a limit on every node of the cluster, without a
// restart. All nodes change at the same instant, shortly after the call, and what
// clients have used stays used. The error is Policy.Validate's, or about the name.
func (n *Node) SetLimit(name string, p Policy) error {
	if err := p.Validate(); err != nil {
		return err
	}
	return n.setRegister(name, &p)
}

// DeleteLimit takes back what SetLimit said on any node: the limit is again what
// the configuration says. It is refused for a limit that is not configured.
func (n *Node) DeleteLimit(name string) error {
	if _, ok := n.limits.base[name]; !ok {
		return fmt.Errorf("%w: %q is not in the configuration, so there is nothing to return to", ErrUnknownLimit, name)
	}
	return n.setRegister(name, nil)
}

// setRegister writes a limit's next revision; no policy means the configured one.
func (n *Node) setRegister(name string, p *Policy) error {
	if err := validLimitName(name); err != nil {
		return err
	}
	now := n.now()
	g := n.limits
	g.mu.Lock()
	held := g.set[name]
	g.mu.Unlock()
	next := saved{At: max(now+int64(changeLead), held.Stamp.At+1), By: n.replica, Policy: p}
	list := []saved{next}
	if held.Value != nil {
		before, err := g.revisions(held)
		if err != nil {
			return err
		}
		// Clients can be counted under a revision until its windows are over.
		for _, s := range before {
			if list[len(list)-1].At+3*int64(maxWidth) > now && len(list) < keepRevisions {
				list = append(list, s)
			}
		}
	}
	value, err := json.Marshal(list)
	if err != nil {
		return fmt.Errorf("node: limit %s: %w", name, err)
	}
	err = g.merge(deltasync.Register{Name: name, Stamp: next.stamp(), Value: value})
	n.loopUrgent()
	return err
}

// LimitChange is a change of a limit that is known but not in force yet.
type LimitChange struct {
	Name   string
	Policy Policy
	At     time.Time // by the node's clock, and every other's
}

// Changes lists what is about to change, by name.
func (n *Node) Changes() []LimitChange {
	var out []LimitChange
	now := n.now()
	for _, l := range n.limits.all() {
		if r := l.newest.Load(); r.stamp.At > now {
			out = append(out, LimitChange{Name: l.name, Policy: r.policy, At: time.Unix(0, r.stamp.At)})
		}
	}
	return out
}
