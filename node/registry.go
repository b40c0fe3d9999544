package node

import (
	"cmp"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/distributed-rate-limiter/distributed-rate-limiter/crdt"
	"github.com/distributed-rate-limiter/distributed-rate-limiter/node/internal/tally"
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
	byName atomic.Pointer[map[string]*namedLimit]
	calls  atomic.Pointer[calls]
	// calledAccount is that of all limits that come with requests.
	calledAccount *tally.Account

	// saying is held while an entry is written: two that were made of the same one could
	// get the same stamp. It is taken before mu.
	saying sync.Mutex

	mu     sync.Mutex // guards what follows, and changes
	base   map[string]Policy
	baseAt int64 // of the configuration, unix nanoseconds; 0 if that is not known
	set    map[string]deltasync.Register
	// history is what is known of each limit's last revisions, newest first: what the
	// entries said that were merged.
	history map[string][]saved
	changed []string
	// unsaid is what has to be said once more, because two entries were made in
	// ignorance of each other: see saved.joined.
	unsaid map[string]saved
}

func newRegistry(base map[string]Policy, at int64) (*registry, error) {
	g := &registry{
		base: base, baseAt: at, set: map[string]deltasync.Register{}, history: map[string][]saved{}, unsaid: map[string]saved{},
		calledAccount: &tally.Account{Name: CalledLimit},
	}
	g.calls.Store(&calls{byPolicy: map[called]*namedLimit{}, byName: map[string]*namedLimit{}})
	limits := map[string]*namedLimit{}
	for _, name := range slices.Sorted(maps.Keys(base)) {
		l := newLimit(name, 1+len(limits))
		r, err := l.newRevision(base[name], crdt.Stamp{})
		if err != nil {
			return nil, err
		}
		r.source = sourceConfigured
		l.insert(0, r)
		limits[name] = l
	}
	g.byName.Store(&limits)
	return g, nil
}

func (g *registry) get(name string) *namedLimit {
	if name == "" {
		name = DefaultLimit
	}
	return (*g.byName.Load())[name]
}

// all lists the limits in the order of their names.
func (g *registry) all() []*namedLimit {
	limits := slices.Collect(maps.Values(*g.byName.Load()))
	slices.SortFunc(limits, func(a, b *namedLimit) int { return strings.Compare(a.name, b.name) })
	return limits
}

// each yields every limit in the order of their names, those last that came with
// requests.
func (g *registry) each(yield func(*namedLimit) bool) {
	byName := g.calls.Load().byName
	calls := make([]*namedLimit, 0, len(byName))
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
		return &FieldError{Field: "name", Value: strconv.Quote(name), Reason: "stands for all limits that come with requests: choose another"}
	}
	return nil
}

// merge takes over a register entry if its stamp is higher than the one held, and
// reports whether it did.
func (g *registry) merge(now int64, r deltasync.Register) (changed bool, err error) {
	if err := validLimitName(r.Name); err != nil {
		return false, err
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	held, some := g.set[r.Name]
	if some && held.Stamp == r.Stamp {
		return false, nil
	}
	revisions, err := readRegister(r)
	if err != nil {
		return false, err
	}
	late := some && held.Stamp.Compare(r.Stamp) > 0
	limits := *g.byName.Load()
	l, ousted := limits[r.Name], (*namedLimit)(nil)
	if l == nil {
		index := 1 + len(limits)
		if index > MaxLimits {
			switch ousted = longestGone(limits); {
			case ousted == nil:
				return false, ErrTooManyLimits
			case revisions[0].ends() && r.Stamp.Compare(ousted.newest().stamp) < 0:
				return false, nil // the first to go itself
			}
			index = ousted.account.Index
		}
		l = newLimit(r.Name, index)
	}
	for _, rev := range slices.Backward(revisions) {
		if err := g.advance(now, l, &rev); err != nil {
			return false, err
		}
	}
	g.reconcile(r.Name, &revisions[0])
	g.history[r.Name] = united(now, g.history[r.Name], revisions)
	if late {
		return false, nil
	}
	if limits[r.Name] == nil {
		next := maps.Clone(limits)
		next[r.Name] = l
		if ousted != nil {
			delete(next, ousted.name)
			delete(g.set, ousted.name)
			delete(g.history, ousted.name)
			delete(g.unsaid, ousted.name)
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

// longestGone is the limit that was deleted first, by name where several were at once, nil
// if none is. That a limit is
// deleted has to be remembered, or a node that was away and did not hear of it would
// bring it back; but not for ever, or names that come and go would fill the registry.
func longestGone(limits map[string]*namedLimit) *namedLimit {
	var first *namedLimit
	for _, l := range limits {
		if r := l.newest(); r.gone && (first == nil || cmp.Or(r.stamp.Compare(first.newest().stamp), strings.Compare(l.name, first.name)) < 0) {
			first = l
		}
	}
	return first
}

// unknownPolicy stands in for that of a limit of which only its end is known.
var unknownPolicy = Policy{Limit: 1, Window: time.Minute}

// advance puts a revision into the limit's chain, if it is not there yet. One that others
// made before the newest that is known here, as in a partition, is in force nowhere any
// more, but clients may have been counted under it. A limit that is deleted and not
// configured keeps its last policy, for what is counted under it, but decides nothing.
func (g *registry) advance(now int64, l *namedLimit, s *saved) error {
	if l.find(s.stamp()) != nil {
		return nil
	}
	policy, from, there := g.inForce(l.name, s)
	if !there {
		policy = unknownPolicy
		for _, r := range l.revisions() {
			if r.stamp.Compare(s.stamp()) < 0 {
				policy = r.policy
				break
			}
		}
	}
	rev, err := l.newRevision(policy, s.stamp())
	if err != nil {
		return err
	}
	rev.gone, rev.source = !there, from
	l.insert(now, rev)
	return nil
}

// Registers implements deltasync.Registry.
func (n store) Registers() []deltasync.Register {
	g := n.limits
	g.mu.Lock()
	defer g.mu.Unlock()
	out := slices.Collect(maps.Values(g.set))
	slices.SortFunc(out, func(a, b deltasync.Register) int { return strings.Compare(a.Name, b.Name) })
	return out
}

// RegistersDigest implements deltasync.Registry.
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

// BaseDigest implements deltasync.Configured.
func (n store) BaseDigest() crdt.Digest { return crdt.Digest(n.baseDigest.Load()) }

// digestBase sums up the limits as they are configured.
func (n *Node) digestBase(base map[string]Policy) crdt.Digest {
	var d crdt.Digest
	for name, p := range base {
		p = p.WithDefaults()
		text, _ := json.Marshal(p) // a policy can be written
		hi, lo := n.hash.Hash128(append(append([]byte(name), 0), text...))
		d.Grow(crdt.Key{Hi: hi, Lo: lo}, crdt.Stamp{}, 0, crdt.Count{P: 1})
	}
	return d
}

// latestStamp is up to when an entry may take effect that was made by now, by a clock that
// is not too far ahead.
func (n *Node) latestStamp(now int64) int64 {
	return now + int64(changeLead) + int64(n.cfg.ClockTolerance)
}

// MergeRegisters implements deltasync.Registry.
func (n store) MergeRegisters(now int64, regs []deltasync.Register) {
	for _, r := range regs {
		if r.Stamp.At > n.latestStamp(now) {
			n.dropped.Add(tally.DropFuture, 1)
			continue
		}
		changed, err := n.limits.merge(now, r)
		switch {
		case err != nil:
			n.dropped.Add(tally.DropLimit, 1)
			n.log.Warn("limit from a peer refused", "limit", r.Name, "error", err)
		case changed:
			n.log.Info("limit changed by a peer", "limit", r.Name, "at", time.Unix(0, r.Stamp.At))
			n.log.Debug("limit changed by a peer, as it was told", "limit", r.Name, "revisions", string(r.Value[:min(len(r.Value), 512)]))
		}
	}
	n.sayAgain()
}

// ChangedRegisters implements deltasync.Registry.
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
