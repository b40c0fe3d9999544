package node

import (
	"encoding/json"
	"fmt"
	"time"

	deltasync "github.com/distributed-rate-limiter/distributed-rate-limiter/sync"
)

// changeLead is how far ahead a changed limit takes effect, so that every node
// knows of it by then and all change at the same instant.
const changeLead = 250 * time.Millisecond

// SetLimit makes or changes a limit on every node of the cluster, without a
// restart. All nodes change at the same instant, shortly after the call, and what
// clients have used stays used. The error is Policy.Validate's, or about the name.
func (n *Node) SetLimit(name string, p Policy) error {
	if err := p.Validate(); err != nil {
		return err
	}
	return n.setRegister(name, &p)
}

// DeleteLimit takes back what SetLimit said on any node. All nodes change at the same
// instant, shortly after the call: where the limit is configured it is again what the
// configuration says, elsewhere there is no limit of that name any more, and requests
// on it are denied with ReasonUnknownLimit. SetLimit can make it anew; what clients
// used just before is still used then. The error is ErrUnknownLimit if there is none
// to delete.
//
// Nodes that join later learn of it, and so do nodes that were cut off, as long as
// limits that were deleted and those that there are do not exceed MaxLimits.
func (n *Node) DeleteLimit(name string) error {
	if l := n.limits.get(name); l == nil || l.newest.Load().gone {
		return fmt.Errorf("%w: %q", ErrUnknownLimit, name)
	}
	return n.setRegister(name, nil)
}

// mostPending caps the changes of one limit that are not in force yet: of the
// revisions that are kept, some have to be what clients are counted under.
const mostPending = keepRevisions / 2

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
	pending := 0
	for _, s := range list {
		if s.At > now {
			pending++
		}
	}
	if pending > mostPending {
		return fmt.Errorf("%w: limit %s", ErrTooManyChanges, name)
	}
	value, err := json.Marshal(list)
	if err != nil {
		return fmt.Errorf("node: limit %s: %w", name, err)
	}
	_, err = g.merge(deltasync.Register{Name: name, Stamp: next.stamp(), Value: value})
	n.loopUrgent()
	return err
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
		if r := l.newest.Load(); r.stamp.At > now {
			c := LimitChange{Name: l.name, At: time.Unix(0, r.stamp.At)}
			if !r.gone {
				c.Policy = r.policy
			}
			out = append(out, c)
		}
	}
	return out
}
