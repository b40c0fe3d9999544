package node

import (
	"fmt"
	"strconv"
	"time"

	"github.com/distributed-rate-limiter/distributed-rate-limiter/node/internal/limits"
	"github.com/distributed-rate-limiter/distributed-rate-limiter/node/limit"
	deltasync "github.com/distributed-rate-limiter/distributed-rate-limiter/sync"
)

// Caps and names of limits.
const (
	// DefaultLimit is the name of the limit that is meant where none is named.
	DefaultLimit = limits.Default
	// MaxLimits caps the named limits of a node.
	MaxLimits = limits.MaxLimits
	// MaxOverrideNames caps the names of overrides by which a node counts a limit's
	// decisions. Further ones are counted under OtherOverrides.
	MaxOverrideNames = limits.MaxOverrideNames
	OtherOverrides   = limit.OtherOverrides
	// InlineLimit is the name under which limits that come with requests are counted.
	InlineLimit = limits.InlineLimit
	// MaxInlinePolicies caps the different policies that come with requests. At the cap, the
	// origin that brought most gives up the one that it used least recently: see
	// Request.Origin. Nobody loses a count by that.
	MaxInlinePolicies = limits.MaxInline
)

// SetLimit makes or changes a limit on every node of the cluster, without a restart. All
// nodes change at the same instant, shortly after the call, and what clients have used
// stays used. The error is Policy.Validate's, a *FieldError about the name, or ErrTooManyLimits,
// ErrTooManyChanges, ErrClockAhead or ErrClosed.
func (n *Node) SetLimit(name string, p Policy) (from time.Time, err error) {
	if err := p.Validate(); err != nil {
		return time.Time{}, err
	}
	if err := n.cfg.refuseBounded(map[string]Policy{name: p}, "consistency"); err != nil {
		return time.Time{}, err
	}
	if err := n.refusesChanges(); err != nil {
		return time.Time{}, err
	}
	return holdsFrom(n.limits.Set(n.now(), name, p))
}

// DeleteLimit undoes SetLimit, on whichever node it was. All nodes change at the same
// instant, shortly after the call. The configured limit holds again. Without one, the limit
// is gone, and requests on it are denied with ReasonUnknownLimit. SetLimit can make it
// anew; recent use then still counts. The error is ErrUnknownLimit if no limit has the
// name, or one of SetLimit's.
//
// Nodes that join later learn of it. So do nodes that were cut off, as long as deleted and
// existing limits together do not exceed MaxLimits.
func (n *Node) DeleteLimit(name string) (from time.Time, err error) {
	if err := n.refusesChanges(); err != nil {
		return time.Time{}, err
	}
	return holdsFrom(n.limits.Delete(n.now(), name))
}

// Configure replaces the node's configured limits while it runs: Config.Limits, or those of
// a file that changed. Limits that differ change on every node at one instant, as with
// SetLimit. What clients have used stays used. Set limits go on shadowing the configured
// ones.
//
// If several nodes get the same change one after another, the cluster changes once. The
// last word also holds on nodes that do not get it, and on nodes that start with an older
// configuration (Config.ConfiguredAt). The error is as that of Open, and then nothing
// changes.
//
// The node does not send a limit whose overrides do not fit into a message. Such a change
// takes effect on each node when that node gets it.
func (n *Node) Configure(configured map[string]Policy) (from time.Time, err error) {
	if err := limits.Valid(configured); err != nil {
		return time.Time{}, err
	}
	if err := n.cfg.refuseBounded(configured, ""); err != nil {
		return time.Time{}, err
	}
	if err := n.refusesChanges(); err != nil {
		return time.Time{}, err
	}
	return holdsFrom(n.limits.Configure(n.now(), configured))
}

// refusesChanges is why no limit can be changed through this node now, nil if one can.
func (n *Node) refusesChanges() error {
	switch {
	case n.closed.Load():
		return ErrClosed
	case n.lead.Beyond():
		return ErrClockAhead
	}
	return nil
}

// holdsFrom is the instant of a change, zero for none.
func holdsFrom(at int64, err error) (time.Time, error) { return instant(at), err }

// LimitChange is a known change of a limit that has not taken effect yet.
type LimitChange struct {
	Name   string
	Policy Policy    // zero where the limit is deleted
	At     time.Time // by the node's clock, and every other's
}

// Changes lists the changes of limits that have not taken effect yet, by name.
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

// Limits returns the policies in force, by name, with their defaults.
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

// SaveLimits returns the limits that somebody set or changed while nodes ran, in a form for
// Config.SavedLimits. A node that starts when no other runs needs them. LimitsVersion
// changes when there is something new to save.
func (n *Node) SaveLimits() []byte { return n.limits.Save() }

// LimitsVersion changes whenever SaveLimits has something new. Nodes that agree have the
// same one.
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
	var was, is *Policy
	if l := n.limits.Get(r.Name); l != nil {
		for i, rev := range l.Revisions() {
			if rev.Stamp == r.Stamp {
				is = there(rev)
				if older := l.Revisions()[i+1:]; len(older) > 0 {
					was = there(older[0])
				}
			}
		}
	}
	before, after := limit.Change(was, is)
	n.log.Info("limit changed by a peer", "limit", r.Name, "old", before, "new", after, "incarnation", strconv.FormatUint(uint64(r.Stamp.By), 36), "at", time.Unix(0, r.Stamp.At))
	n.log.Debug("limit changed by a peer, as it was told", "limit", r.Name, "revisions", string(r.Value[:min(len(r.Value), 512)]))
}

// there is the policy of a revision, nil if it ends the limit.
func there(r *limits.Revision) *Policy {
	if r.Gone {
		return nil
	}
	return &r.Policy
}

// LimitRefused logs one refusal a second: a message has many limits, and a peer many messages.
func (n limitsObserver) LimitRefused(r deltasync.Register, why error) {
	n.refusedLimits.Warn(n.log, "limit from a peer refused", "limit", r.Name, "incarnation", strconv.FormatUint(uint64(r.Stamp.By), 36), "error", why)
}

func (n limitsObserver) LimitProposed() { n.protocol.Urgent() }
