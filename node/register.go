package node

import (
	"encoding/json"
	"errors"
	"fmt"
	"reflect"
	"slices"

	"github.com/distributed-rate-limiter/distributed-rate-limiter/crdt"
	deltasync "github.com/distributed-rate-limiter/distributed-rate-limiter/sync"
)

// saved is one revision of a limit as the register carries it. An entry's value is
// a list of them, newest first, as far back as clients may still be counted under
// them: a node that starts anew has to carry what was used from each to the next, as
// the others did.
//
// It has two layers. What SetLimit and DeleteLimit said shadows what configurations say,
// however late those change.
type saved struct {
	At int64        `json:"at"` // in force from then on, unix nanoseconds
	By crdt.Replica `json:"by"`

	// Policy is what was set; none: what is configured holds. Epoch counts the times that
	// something was set or deleted.
	Policy *Policy `json:"policy,omitempty"`
	Epoch  uint64  `json:"epoch,omitempty"`

	// Base is what a configuration says that was changed while its node ran, so that all
	// change at one instant; BaseAt is how new that configuration is, and 0 if there was
	// no such change: each node's own holds then. It also does where the change was too
	// large to be sent (Own); and None says that the limit is not in it any more.
	Base   *Policy `json:"base,omitempty"`
	BaseAt int64   `json:"base_at,omitempty"`
	Own    bool    `json:"own,omitempty"`
	None   bool    `json:"none,omitempty"`
}

func (s *saved) stamp() crdt.Stamp { return crdt.Stamp{At: s.At, By: s.By} }

// ends reports whether the entry leaves a limit only to nodes that are configured with it.
func (s *saved) ends() bool { return s.Policy == nil && s.Base == nil }

// joined is what s and o say together, and whether that is more than s says: the later
// word on each layer. Two entries that were made in ignorance of each other may each have
// one; the one with the higher stamp is in force until somebody says both.
func (s *saved) joined(o *saved) (both saved, more bool) {
	both = *s
	if o.Epoch > s.Epoch {
		both.Policy, both.Epoch, more = o.Policy, o.Epoch, true
	}
	if o.BaseAt > s.BaseAt {
		both.Base, both.BaseAt, both.Own, both.None, more = o.Base, o.BaseAt, o.Own, o.None, true
	}
	return both, more
}

// reconcile notes what has to be said once more, when in comes in. mu is held.
func (g *registry) reconcile(name string, in *saved) {
	winner, other := in, &saved{}
	if h := g.history[name]; len(h) > 0 {
		if other = &h[0]; other.stamp().Compare(in.stamp()) > 0 {
			winner, other = other, in
		}
	}
	both, more := winner.joined(other)
	// Our own configuration is a word, too, if it is newer than the last.
	if own, some := g.base[name]; both.BaseAt > 0 && g.baseAt > both.BaseAt && !both.Own && !samePolicy(both.Base, own, some) {
		both, more = g.told(both, own, some, g.baseAt), true
	}
	if more {
		g.unsaid[name] = both
	}
}

// united is two lists of a limit's revisions as one, as far back as they are kept.
func united(now int64, a, b []saved) []saved {
	all := slices.Concat(a, b)
	slices.SortStableFunc(all, func(x, y saved) int { return y.stamp().Compare(x.stamp()) })
	all = slices.CompactFunc(all, func(x, y saved) bool { return x.stamp() == y.stamp() })
	return kept(now, all, func(s saved) int64 { return s.At })
}

// kept are the revisions, newest first, that there is room for. Clients are counted under
// the one in force, so of changes that are all still to come, as when many nodes say one
// thing again, only the last ones stay.
func kept[T any](now int64, all []T, at func(T) int64) []T {
	pending := 0
	for pending < len(all) && at(all[pending]) > now {
		pending++
	}
	if len(all) > keepRevisions && pending > mostPending {
		all = slices.Delete(all, mostPending, pending)
	}
	return all[:min(len(all), keepRevisions)]
}

// told puts what a configuration says into an entry.
func (g *registry) told(s saved, base Policy, some bool, at int64) saved {
	s.Base, s.BaseAt, s.Own, s.None = nil, at, false, !some
	if some {
		s.Base = &base
		if text, err := json.Marshal(base); err != nil || len(text) > mostRegister/2 {
			s.Base, s.Own = nil, true
		}
	}
	return s
}

// samePolicy compares as they decide: nil is none.
func samePolicy(p *Policy, q Policy, some bool) bool {
	if p == nil || !some {
		return p == nil && !some
	}
	return reflect.DeepEqual(p.WithDefaults(), q.WithDefaults())
}

// Sources of a limit's policy.
const (
	sourceConfigured = "configuration"
	sourceSet        = "set"
)

// configured is what the node is configured with under a name, nil if it is not.
func (g *registry) configured(name string) *Policy {
	g.mu.Lock()
	defer g.mu.Unlock()
	if p, some := g.base[name]; some {
		p = p.WithDefaults()
		return &p
	}
	return nil
}

// inForce is the policy that an entry comes to here, where it is from, and whether there
// is one. mu is held.
func (g *registry) inForce(name string, s *saved) (p Policy, source string, there bool) {
	own, configured := g.base[name]
	switch {
	case s.Policy != nil:
		return *s.Policy, sourceSet, true
	case s.Base != nil:
		return *s.Base, sourceConfigured, true
	case s.None:
		return own, sourceConfigured, false
	}
	return own, sourceConfigured, configured
}

// mostRegister caps a register entry, in bytes: it travels in one message.
const mostRegister = 32 << 10

var errRegister = errors.New("the register's entry does not begin with the revision that it is stamped with")

var errOrder = errors.New("the register's entry does not list its revisions newest first")

// mostEpoch is more than there can be, and leaves room to count on.
const mostEpoch = 1 << 53

// readRegister reads an entry, and checks all of it.
func readRegister(r deltasync.Register) ([]saved, error) {
	if len(r.Value) > mostRegister {
		return nil, fmt.Errorf("node: limit %s: an entry of %d bytes, at most %d", r.Name, len(r.Value), mostRegister)
	}
	var list []saved
	if err := json.Unmarshal(r.Value, &list); err != nil {
		return nil, fmt.Errorf("node: limit %s: %w", r.Name, err)
	}
	if len(list) == 0 || len(list) > keepRevisions || list[0].stamp() != r.Stamp {
		return nil, fmt.Errorf("node: limit %s: %w", r.Name, errRegister)
	}
	for i, s := range list {
		switch {
		case i > 0 && s.stamp().Compare(list[i-1].stamp()) >= 0:
			return nil, fmt.Errorf("node: limit %s: %w", r.Name, errOrder)
		case s.Epoch > mostEpoch:
			return nil, fmt.Errorf("node: limit %s: was set %d times, at most %d", r.Name, s.Epoch, uint64(mostEpoch))
		}
		if s.BaseAt > s.At {
			return nil, fmt.Errorf("node: limit %s: a configuration of later than it was told", r.Name)
		}
		for _, p := range []*Policy{s.Policy, s.Base} {
			if p != nil {
				if err := p.Validate(); err != nil {
					return nil, fmt.Errorf("node: limit %s: %w", r.Name, err)
				}
			}
		}
	}
	return list, nil
}

// writeRegister is the entry of a list, as far back as there is room.
func writeRegister(name string, list []saved) (deltasync.Register, error) {
	for {
		value, err := json.Marshal(list)
		if err != nil {
			return deltasync.Register{}, fmt.Errorf("node: limit %s: %w", name, err)
		}
		if len(value) <= mostRegister {
			return deltasync.Register{Name: name, Stamp: list[0].stamp(), Value: value}, nil
		}
		if len(list) == 1 {
			return deltasync.Register{}, &FieldError{
				Field: "overrides", Value: fmt.Sprintf("of %d bytes", len(value)),
				Reason: fmt.Sprintf("must fit into %d bytes to be sent to other nodes: put more into the nodes' configuration", mostRegister),
			}
		}
		list = list[:len(list)-1]
	}
}
