package node

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/distributed-rate-limiter/distributed-rate-limiter/node/limit"
)

// changeLead is how far ahead a changed limit takes effect, so that every node
// knows of it by then and all change at the same instant.
const changeLead = 250 * time.Millisecond

// SetLimit makes or changes a limit on every node of the cluster, without a
// restart. All nodes change at the same instant, shortly after the call, and what
// clients have used stays used. The error is Policy.Validate's, or about the name, or
// ErrClosed.
func (n *Node) SetLimit(name string, p Policy) error {
	if err := p.Validate(); err != nil {
		return err
	}
	if n.closed.Load() {
		return ErrClosed
	}
	return n.setRegister(name, &p)
}

// DeleteLimit takes back what SetLimit said on any node. All nodes change at the same
// instant, shortly after the call: where the limit is configured it is again what the
// configuration says, elsewhere there is no limit of that name any more, and requests
// on it are denied with ReasonUnknownLimit. SetLimit can make it anew; what clients
// used just before is still used then. The error is ErrUnknownLimit if there is none
// to delete, or ErrClosed.
//
// Nodes that join later learn of it, and so do nodes that were cut off, as long as
// limits that were deleted and those that there are do not exceed MaxLimits.
func (n *Node) DeleteLimit(name string) error {
	if n.closed.Load() {
		return ErrClosed
	}
	if l := n.limits.get(name); l == nil || l.newest().gone {
		return fmt.Errorf("%w: %q", ErrUnknownLimit, name)
	}
	return n.setRegister(name, nil)
}

// mostPending caps the changes of one limit that are not in force yet: of the
// revisions that are kept, some have to be what clients are counted under.
const mostPending = keepRevisions / 2

// setRegister writes a limit's next revision as one that was set; no policy means the
// configured one.
func (n *Node) setRegister(name string, p *Policy) error {
	return n.say(name, func(last saved) (saved, bool) {
		last.Policy = p
		last.Epoch++
		return last, true
	})
}

// say writes a limit's next revision: what next makes of the last one, if it wants one.
func (n *Node) say(name string, next func(last saved) (saved, bool)) error {
	if err := validLimitName(name); err != nil {
		return err
	}
	g := n.limits
	g.saying.Lock()
	defer g.saying.Unlock()
	now := n.now()
	g.mu.Lock()
	held, before := g.set[name], slices.Clone(g.history[name])
	g.mu.Unlock()
	last := saved{}
	if len(before) > 0 {
		last = before[0]
	}
	s, wanted := next(last)
	if !wanted {
		return nil
	}
	s.At, s.By = max(now+int64(changeLead), held.Stamp.At+1), n.replica
	list, pending := []saved{s}, 1
	for _, b := range before {
		// Clients can be counted under a revision until its windows are over.
		if list[len(list)-1].At+3*n.limits.widest(name) > now && len(list) < keepRevisions {
			list = append(list, b)
			if b.At > now {
				pending++
			}
		}
	}
	if pending > mostPending {
		return fmt.Errorf("%w: limit %s", ErrTooManyChanges, name)
	}
	r, err := writeRegister(name, list)
	if err != nil {
		return err
	}
	_, err = g.merge(now, r)
	n.loopUrgent()
	return err
}

// widest is the width of the widest window in which clients of a limit are counted.
func (g *registry) widest(name string) int64 {
	width := int64(limit.MaxWidth)
	if l := g.get(name); l != nil {
		for _, r := range l.revisions() {
			for _, f := range r.frames {
				width = max(width, f.Width)
			}
		}
	}
	return width
}

// sayAgain says what two entries said in ignorance of each other, see saved.joined. What
// cannot be said now is said later.
func (n *Node) sayAgain() {
	g := n.limits
	g.mu.Lock()
	unsaid := maps.Clone(g.unsaid)
	g.mu.Unlock()
	for _, name := range slices.Sorted(maps.Keys(unsaid)) {
		both := unsaid[name]
		err := n.say(name, func(last saved) (saved, bool) {
			next, more := last.joined(&both)
			return next, more
		})
		if err == nil {
			g.mu.Lock()
			if g.unsaid[name] == both { // and not what came in meanwhile
				delete(g.unsaid, name)
			}
			g.mu.Unlock()
		}
	}
}

// Configure replaces the limits that the node is configured with, while it runs: what
// Config.Limits said, and a file says now. Limits that differ change on every node at one
// instant, as with SetLimit, and what clients have used stays used; what SetLimit said
// goes on shadowing them. Nodes that are told of one change one after another change once:
// the last word holds, on nodes as well that are not told, and on those that start with a
// configuration that is older (Config.ConfiguredAt). The error is as of Open, and changes
// nothing.
//
// A limit whose overrides do not fit into a message is not sent: such a change takes
// effect with each node that is told, as that node has it.
func (n *Node) Configure(limits map[string]Policy) error {
	if err := validLimits(limits); err != nil {
		return err
	}
	if n.closed.Load() {
		return ErrClosed
	}
	g, at := n.limits, n.now()
	g.mu.Lock()
	was := g.base
	g.base, g.baseAt = maps.Clone(limits), at
	g.mu.Unlock()
	n.baseDigest.Store(uint64(n.digestBase(limits)))
	names := maps.Clone(was)
	maps.Copy(names, limits)
	var faults []error
	for _, name := range slices.Sorted(maps.Keys(names)) {
		old, had := was[name]
		p, has := limits[name]
		if had == has && samePolicy(&old, p, has) {
			continue
		}
		var told saved
		err := n.say(name, func(last saved) (saved, bool) {
			told = g.told(last, p, has, max(at, last.BaseAt+1))
			return told, told.Own || last.BaseAt == 0 || last.Own || !samePolicy(last.Base, p, has)
		})
		if errors.Is(err, ErrTooManyChanges) {
			g.mu.Lock()
			g.unsaid[name], err = told, nil // in a moment
			g.mu.Unlock()
		}
		faults = append(faults, err)
	}
	return errors.Join(faults...)
}

// LimitChange is a change of a limit that is known but not in force yet.
type LimitChange struct {
	Name   string
	Policy Policy    // zero where the limit is deleted
	At     time.Time // by the node's clock, and every other's
}

// Changes lists what is about to change, by name.
func (n *Node) Changes() []LimitChange {
	var out []LimitChange
	now := n.now()
	for _, l := range n.limits.all() {
		if r := l.newest(); r.stamp.At > now {
			c := LimitChange{Name: l.name, At: time.Unix(0, r.stamp.At)}
			if !r.gone {
				c.Policy = r.policy
			}
			out = append(out, c)
		}
	}
	return out
}
