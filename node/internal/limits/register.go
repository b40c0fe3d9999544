package limits

import (
	"bytes"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/distributed-rate-limiter/distributed-rate-limiter/crdt"
	"github.com/distributed-rate-limiter/distributed-rate-limiter/node/internal/tally"
	"github.com/distributed-rate-limiter/distributed-rate-limiter/node/limit"
	deltasync "github.com/distributed-rate-limiter/distributed-rate-limiter/sync"
)

// The register of limits as it travels: entries merge by stamp, so that all nodes that heard
// the same entries hold the same limits, in whatever order the entries came.

var (
	_ deltasync.Registry   = (*Registry)(nil)
	_ deltasync.Configured = (*Registry)(nil)
)

// Registers implements deltasync.Registry.
func (g *Registry) Registers() []deltasync.Register {
	g.mu.Lock()
	defer g.mu.Unlock()
	out := slices.Collect(maps.Values(g.set))
	slices.SortFunc(out, func(a, b deltasync.Register) int { return strings.Compare(a.Name, b.Name) })
	return out
}

// RegistersDigest implements deltasync.Registry. Nodes that agree have the same: they hold the
// same entries, which state the same revisions.
func (g *Registry) RegistersDigest() (d crdt.Digest) {
	g.mu.Lock()
	defer g.mu.Unlock()
	for _, of := range g.setDigests {
		d += of
	}
	return d
}

// hold makes r, of the given statements, the entry of its limit. mu is held.
func (g *Registry) hold(r deltasync.Register, list []statement) {
	hi, lo := g.cfg.Hash([]byte(r.Name))
	var d crdt.Digest
	for i := range list {
		d.Grow(crdt.Key{Hi: hi, Lo: lo}, crdt.Life{Revision: list[i].stamp()}, 0, crdt.Count{P: 1})
	}
	g.set[r.Name], g.setDigests[r.Name] = r, d
}

// BaseDigest implements deltasync.Configured. Nodes of one RegistersDigest have the same if
// they decide by the same limits.
func (g *Registry) BaseDigest() crdt.Digest { return crdt.Digest(g.baseDigest.Load()) }

// MergeRegisters implements deltasync.Registry.
func (g *Registry) MergeRegisters(now int64, regs []deltasync.Register) {
	for _, r := range regs {
		if r.Stamp.At > g.latest(now) {
			g.cfg.Dropped.Add(tally.DropFuture, 1)
			continue
		}
		switch changed, err := g.merge(now, r); {
		case err != nil:
			g.cfg.Dropped.Add(tally.DropLimit, 1)
			g.cfg.Observer.LimitRefused(r, err)
		case changed:
			g.cfg.Observer.LimitChanged(r)
		}
	}
	g.ProposePending(now)
}

// ChangedRegisters implements deltasync.Registry: it lists the entries that this node made.
func (g *Registry) ChangedRegisters() []deltasync.Register {
	g.mu.Lock()
	defer g.mu.Unlock()
	var out []deltasync.Register
	for _, name := range g.changed {
		if r := g.set[name]; r.Stamp.By == g.cfg.Replica {
			out = append(out, r)
		}
	}
	g.changed = nil
	return out
}

// latest is the latest instant at which an entry of this moment may take effect, if the
// clock of its author is within the tolerance.
func (g *Registry) latest(now int64) int64 {
	return now + int64(changeLead) + int64(g.cfg.Tolerance)
}

// merge takes an entry over if its stamp is higher than that of the one held, and reports
// whether it did. Of any other entry it takes over the revisions that are not known here,
// because clients may be counted under them. What it holds then states the revisions of both,
// or whoever made the entry that won would never learn of the other one.
func (g *Registry) merge(now int64, r deltasync.Register) (changed bool, err error) {
	if err := ValidName(r.Name); err != nil {
		return false, err
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	held, some := g.set[r.Name]
	if some && held.Stamp == r.Stamp && bytes.Equal(held.Value, r.Value) {
		return false, nil
	}
	list, err := readEntry(r)
	if err != nil {
		return false, err
	}
	if !g.fits(r, held) {
		return false, errTooManyBytes
	}
	late := some && held.Stamp.Compare(r.Stamp) >= 0
	limits := *g.byName.Load()
	l, ousted := limits[r.Name], (*Limit)(nil)
	if l == nil {
		index := 0
		if len(limits) < MaxLimits {
			index = g.accounts.take()
		} else {
			switch ousted = longestGone(limits); {
			case ousted == nil:
				return false, ErrTooManyLimits
			case list[0].ends() && r.Stamp.Compare(ousted.Newest().Stamp) < 0:
				return false, nil // it would be the next to be ousted itself
			}
			index = ousted.Account.Index
		}
		l = newLimit(r.Name, index, g.cfg.Keys)
	}
	for _, s := range slices.Backward(list) {
		if err := g.advance(now, l, &s); err != nil {
			return false, err
		}
	}
	g.reconcile(r.Name, &list[0])
	g.history[r.Name] = united(now, g.history[r.Name], list)
	g.sumUp()
	if some {
		if r, list, err = g.together(now, held, list); err != nil {
			return false, err
		}
	}
	if !late && limits[r.Name] == nil {
		g.publish(l, ousted)
	}
	g.hold(r, list)
	if late {
		return false, nil
	}
	if !slices.Contains(g.changed, r.Name) {
		g.changed = append(g.changed, r.Name)
	}
	return true, nil
}

// together is one entry for the held one and that of list: the later one, with the revisions of
// the other that clients may still be counted under. mu is held.
func (g *Registry) together(now int64, held deltasync.Register, list []statement) (deltasync.Register, []statement, error) {
	was, err := readEntry(held)
	if err != nil {
		return held, nil, err // it was read before
	}
	all, later := united(now, was, list), list
	switch held.Stamp.Compare(list[0].stamp()) {
	case 0:
		later = all
	case 1:
		later = was
	}
	kept := all[:1]
	for _, s := range all[1:] {
		stated := slices.ContainsFunc(later, func(l statement) bool { return l.stamp() == s.stamp() })
		if stated || g.countedAfter(held.Name, kept[len(kept)-1].At, now) {
			kept = append(kept, s)
		}
	}
	return writeEntry(held.Name, kept)
}

// countedAfter reports whether clients can be counted at now under a revision to which the next
// one put an end at changed: until its windows are over.
func (g *Registry) countedAfter(name string, changed, now int64) bool {
	return changed+3*g.widest(name) > now
}

// fits reports whether r has room in the place of held: among all entries, and among those of its
// author. What shrinks fits always. All nodes judge alike, its author too, or they would hold
// different limits. mu is held.
func (g *Registry) fits(r, held deltasync.Register) bool {
	if len(r.Value) <= len(held.Value) {
		return true
	}
	all, authors := len(r.Value)-len(held.Value), len(r.Value)
	for name, other := range g.set {
		all += len(other.Value)
		if other.Stamp.By == r.Stamp.By && name != r.Name {
			authors += len(other.Value)
		}
	}
	return all <= mostBytes && authors <= mostBytesEach
}

// publish adds a limit to those that readers find, in the place of ousted if that is not
// nil. mu is held.
func (g *Registry) publish(l, ousted *Limit) {
	next := maps.Clone(*g.byName.Load())
	next[l.Name] = l
	if ousted != nil {
		delete(next, ousted.Name)
		delete(g.set, ousted.Name)
		delete(g.setDigests, ousted.Name)
		delete(g.history, ousted.Name)
		delete(g.pending, ousted.Name)
	}
	g.byName.Store(&next)
	if ousted != nil {
		g.accounts.giveBack(ousted)
		ousted.removed.Store(true)
	}
}

// unknownPolicy stands in for the policy of a limit of which only its end is known.
var unknownPolicy = limit.Policy{Limit: 1, Window: time.Minute}

// advance puts a revision into the limit's chain, if it is not there yet. A revision may be
// older than the newest one here, as after a partition. No node decides by it any more, but
// clients may be counted under it. A deleted limit without a configured one keeps its last
// policy, for the clients counted under it, and decides nothing. mu is held.
func (g *Registry) advance(now int64, l *Limit, s *statement) error {
	if l.Find(s.stamp()) != nil {
		return nil
	}
	policy, source, there := g.inForce(l.Name, s)
	if !there {
		policy = unknownPolicy
		for _, r := range l.Revisions() {
			if r.Stamp.Compare(s.stamp()) < 0 {
				policy = r.Policy
				break
			}
		}
	}
	r, err := l.newRevision(policy, s.stamp())
	if err != nil {
		return err
	}
	r.Gone, r.Source, r.Stated = !there, source, s.Policy != nil || s.Base != nil
	g.accounts.apart(l, r)
	if i := l.insert(now, r); i >= 0 {
		l.hear(now, g.cfg.Began, i)
	}
	return nil
}

// inForce is the policy that a statement comes to on this node, its source, and whether
// there is one. mu is held.
func (g *Registry) inForce(name string, s *statement) (p limit.Policy, source string, there bool) {
	own, configured := g.base[name]
	switch {
	case s.Policy != nil:
		return *s.Policy, SourceSet, true
	case s.Base != nil:
		return *s.Base, SourceConfigured, true
	case s.None:
		return own, SourceConfigured, false
	}
	return own, SourceConfigured, configured
}

// reconcile notes a statement to propose again when in comes in. That is so if in and the
// other entry, or this node's configuration, say more together than the winner does. mu is
// held.
func (g *Registry) reconcile(name string, in *statement) {
	winner, other := in, &statement{}
	if h := g.history[name]; len(h) > 0 {
		if other = &h[0]; other.stamp().Compare(in.stamp()) > 0 {
			winner, other = other, in
		}
	}
	both, more := winner.joined(other)
	// This node's own configuration counts as well, if it is newer than the last.
	if own, some := g.base[name]; both.BaseAt > 0 && g.baseAt > both.BaseAt && !both.Own && !samePolicy(both.Base, own, some) {
		both, more = both.configured(own, some, g.baseAt), true
	}
	if more {
		g.pending[name] = both
	}
}
