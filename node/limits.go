package node

import (
	"fmt"
	"time"

	"github.com/distributed-rate-limiter/distributed-rate-limiter/node/internal/limits"
	deltasync "github.com/distributed-rate-limiter/distributed-rate-limiter/sync"
)

// Caps and names of limits.
const (
	// DefaultLimit is the name of the limit that is meant where none is named.
	DefaultLimit = limits.Default
	// MaxLimits caps the named limits of a node.
	MaxLimits = limits.MaxLimits
	// InlineLimit is the name under which limits that come with requests are counted.
	InlineLimit = limits.InlineLimit
	// MaxInlinePolicies caps the different policies that come with requests. One that was
	// not used for some windows makes room for another.
	MaxInlinePolicies = limits.MaxInline
)

// SetLimit makes or changes a limit on every node of the cluster, without a restart. All
// nodes change at the instant that it returns, a quarter of a second ahead, and what clients
// have used stays used. The error is Policy.Validate's, or about the name, or ErrClosed.
func (n *Node) SetLimit(name string, p Policy) (from time.Time, err error) {
	if err := p.Validate(); err != nil {
		return time.Time{}, err
	}
	if n.closed.Load() {
		return time.Time{}, ErrClosed
	}
	return holdsFrom(n.limits.Set(n.now(), name, p))
}

// DeleteLimit takes back what SetLimit said on any node. All nodes change at the instant that
// it returns, a quarter of a second ahead. Where the limit is configured, the configuration
// holds again. Elsewhere there is no limit of that name any more, and requests on it are
// denied with ReasonUnknownLimit. SetLimit can make it anew, and what clients used just
// before is still used then. The error is ErrUnknownLimit if there is none to delete, or
// ErrClosed.
//
// Nodes that join later learn of it, and so do nodes that were cut off, as long as deleted
// limits and others together do not exceed MaxLimits.
func (n *Node) DeleteLimit(name string) (from time.Time, err error) {
	if n.closed.Load() {
		return time.Time{}, ErrClosed
	}
	return holdsFrom(n.limits.Delete(n.now(), name))
}

// Configure replaces the limits that the node is configured with, while it runs: what
// Config.Limits said, and a file says now. Limits that differ change on every node at one
// instant, as with SetLimit, and what clients have used stays used; what SetLimit said goes
// on shadowing them. It returns the instant from which the last difference holds: zero if
// there is none, or if earlier changes of the same limits are not in force yet and this one
// follows them within a second.
//
// Nodes that are told of one change one after another change once. The last word holds, on
// nodes as well that are not told, and on those that start with a configuration that is
// older (Config.ConfiguredAt). The error is as of Open, and changes nothing.
//
// A limit whose overrides do not fit into a message is not sent: such a change takes effect
// with each node that is told, as that node has it.
func (n *Node) Configure(configured map[string]Policy) (from time.Time, err error) {
	if err := validLimits(configured); err != nil {
		return time.Time{}, err
	}
	if n.closed.Load() {
		return time.Time{}, ErrClosed
	}
	return holdsFrom(n.limits.Configure(n.now(), configured))
}

// holdsFrom is the instant of a change, zero for none.
func holdsFrom(at int64, err error) (time.Time, error) { return instant(at), err }

// LimitChange is a change of a limit that is known but not in force yet.
type LimitChange struct {
	Name   string
	Policy Policy    // zero where the limit is deleted
	At     time.Time // by the node's clock, and every other's
}

// Changes lists the changes that are not in force yet, by name.
func (n *Node) Changes() []LimitChange {
	var out []LimitChange
	now := n.now()
	for _, l := range n.limits.All() {
		if r := l.Newest(); r.Stamp.At > now {
			c := LimitChange{Name: l.Name, At: time.Unix(0, r.Stamp.At)}
			if !r.Gone {
				c.Policy = r.Policy
			}
			out = append(out, c)
		}
	}
	return out
}

// Limits returns the policies in force, by name, with their defaults filled in.
func (n *Node) Limits() map[string]Policy {
	now := n.now()
	out := map[string]Policy{}
	for _, l := range n.limits.All() {
		if r := l.Known(now); r != nil {
			out[l.Name] = r.Policy
		}
	}
	return out
}

// known is the limit of a name, or ErrUnknownLimit.
func (n *Node) known(name string) (*limits.Limit, error) {
	if l := n.limits.Get(name); l.Known(n.now()) != nil {
		return l, nil
	}
	return nil, fmt.Errorf("%w: %q", ErrUnknownLimit, name)
}

// SaveLimits writes down the limits that were set or changed while nodes ran, for a node
// that starts when no other is there to tell it: see Config.SavedLimits. LimitsVersion tells
// when there is something new to save.
func (n *Node) SaveLimits() []byte { return n.limits.Save() }

// LimitsVersion is another number whenever SaveLimits has something new, the same on nodes
// that agree.
func (n *Node) LimitsVersion() uint64 { return uint64(n.limits.RegistersDigest()) }

// restoreLimits takes over what SaveLimits wrote.
func (n *Node) restoreLimits(text []byte) error {
	ahead, err := n.limits.Restore(n.now(), text)
	for _, r := range ahead {
		n.log.Warn("a clock that was ahead saved this limit; setting it anew", "limit", r.Name, "at", time.Unix(0, r.Stamp.At))
	}
	return err
}

// limitsObserver is the node as its limits see it: it logs what they tell.
type limitsObserver struct{ *Node }

func (n limitsObserver) LimitChanged(r deltasync.Register) {
	n.log.Info("limit changed by a peer", "limit", r.Name, "at", time.Unix(0, r.Stamp.At))
	n.log.Debug("limit changed by a peer, as it was told", "limit", r.Name, "revisions", string(r.Value[:min(len(r.Value), 512)]))
}

func (n limitsObserver) LimitRefused(r deltasync.Register, why error) {
	n.log.Warn("limit from a peer refused", "limit", r.Name, "error", why)
}

func (n limitsObserver) LimitProposed() { n.loopUrgent() }
