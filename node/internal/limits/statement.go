package limits

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/distributed-rate-limiter/distributed-rate-limiter/crdt"
	"github.com/distributed-rate-limiter/distributed-rate-limiter/node/limit"
	deltasync "github.com/distributed-rate-limiter/distributed-rate-limiter/sync"
)

// statement is one revision of a limit as the register carries it. An entry's value is a
// list of them, newest first, as far back as clients may still be counted under them: a node
// that starts anew has to carry use from each to the next, as the other nodes did.
//
// A statement has two layers. What SetLimit and DeleteLimit said shadows what configurations
// say, however late those change. Each layer has its own order: the higher Epoch wins the
// first, the higher BaseAt wins the second, whatever the statements' stamps.
type statement struct {
	At int64        `json:"at"` // in force from then on, unix nanoseconds
	By crdt.Replica `json:"by"`

	// Policy is what was set; without one the configured layer holds. Epoch counts how often
	// the limit was set or deleted. It is at most epochsBy the instant at which that was. At that
	// it counts no further: SetAt, when it was, decides among those.
	Policy *limit.Policy `json:"policy,omitempty"`
	Epoch  uint64        `json:"epoch,omitempty"`
	SetAt  int64         `json:"set_at,omitempty"`

	// Base is the policy of a configuration that changed while its node ran, so that all
	// nodes change at one instant. BaseAt is how new that configuration is. It is 0 if there
	// was no such change: then each node's own configuration holds. Own says the same of a
	// change that was too large to be sent. None says that the configuration has the limit
	// no longer.
	Base   *limit.Policy `json:"base,omitempty"`
	BaseAt int64         `json:"base_at,omitempty"`
	Own    bool          `json:"own,omitempty"`
	None   bool          `json:"none,omitempty"`
}

func (s *statement) stamp() crdt.Stamp { return crdt.Stamp{At: s.At, By: s.By} }

// ends reports whether the statement leaves the limit only to nodes that are configured
// with it.
func (s *statement) ends() bool { return s.Policy == nil && s.Base == nil }

// joined is the later word of s and o on each layer, and whether that is more than s says.
// Two statements that were made in ignorance of each other may each have one. The one with
// the higher stamp is in force until some node proposes both together.
func (s *statement) joined(o *statement) (both statement, more bool) {
	both = *s
	if o.Epoch > s.Epoch || o.Epoch == s.Epoch && o.SetAt > s.SetAt {
		both.Policy, both.Epoch, both.SetAt, more = o.Policy, o.Epoch, o.SetAt, true
	}
	if o.BaseAt > s.BaseAt {
		both.Base, both.BaseAt, both.Own, both.None, more = o.Base, o.BaseAt, o.Own, o.None, true
	}
	return both, more
}

// with is s with the next word on what is set: nil takes it back.
func (s statement) with(p *limit.Policy, now int64) statement {
	s.Policy = p
	if s.Epoch < epochsBy(now) {
		s.Epoch++
	} else {
		s.SetAt = max(now, s.SetAt+1)
	}
	return s
}

// configured is s with the word of a configuration of instant at in its second layer: base,
// or that it does not have the limit.
func (s statement) configured(base limit.Policy, some bool, at int64) statement {
	s.Base, s.BaseAt, s.Own, s.None = nil, at, false, !some
	if some {
		s.Base = &base
		if text, err := json.Marshal(base); err != nil || len(text) > maxEntry/2 {
			s.Base, s.Own = nil, true
		}
	}
	return s
}

// united is two lists of a limit's statements as one, as far back as they are retained.
func united(now int64, a, b []statement) []statement {
	all := slices.Concat(a, b)
	slices.SortStableFunc(all, func(x, y statement) int { return y.stamp().Compare(x.stamp()) })
	all = slices.CompactFunc(all, func(x, y statement) bool { return x.stamp() == y.stamp() })
	return retained(now, all, func(s statement) int64 { return s.At })
}

// samePolicy reports whether two policies decide alike. A nil p, and a q that is not some,
// are none.
func samePolicy(p *limit.Policy, q limit.Policy, some bool) bool {
	if p == nil || !some {
		return p == nil && !some
	}
	return p.Same(q)
}

const (
	// maxEntry caps the value of a register entry, in bytes. An entry travels in one message
	// beside others: raising the cap needs larger messages, lowering it makes limits with
	// fewer overrides too large to be set.
	maxEntry = 32 << 10
	// epochLasts is how long an epoch lasts at least. Raising it lets sets that follow each other
	// sooner count as one, of which the later wins. Lowering it lets a faulty peer state an epoch
	// that takes longer to overtake.
	epochLasts = int64(time.Millisecond)
)

// epochsBy is how often a limit can have been set by an instant, counted from 1970 on. So whatever
// a faulty peer states, a moment later somebody else can state more.
func epochsBy(at int64) uint64 { return uint64(max(0, at) / epochLasts) } //nolint:gosec // not negative

// What can be wrong with an entry.
var (
	errStamp = errors.New("the register's entry does not begin with the revision that it is stamped with")
	errOrder = errors.New("the register's entry does not list its revisions newest first")
)

// readEntry reads the statements of an entry and checks all of them.
func readEntry(r deltasync.Register) ([]statement, error) {
	if len(r.Value) > maxEntry {
		return nil, fmt.Errorf("node: limit %s: an entry of %d bytes, at most %d", r.Name, len(r.Value), maxEntry)
	}
	var list []statement
	if err := json.Unmarshal(r.Value, &list); err != nil {
		return nil, fmt.Errorf("node: limit %s: %w", r.Name, err)
	}
	if len(list) == 0 || len(list) > maxRevisions || list[0].stamp() != r.Stamp {
		return nil, fmt.Errorf("node: limit %s: %w", r.Name, errStamp)
	}
	for i, s := range list {
		switch {
		case i > 0 && s.stamp().Compare(list[i-1].stamp()) >= 0:
			return nil, fmt.Errorf("node: limit %s: %w", r.Name, errOrder)
		case s.Epoch > epochsBy(s.At):
			return nil, fmt.Errorf("node: limit %s: was set %d times by then, at most %d", r.Name, s.Epoch, epochsBy(s.At))
		case s.BaseAt > s.At || s.SetAt > s.At:
			return nil, fmt.Errorf("node: limit %s: its configuration is newer than the revision that states it", r.Name)
		}
		for _, p := range []*limit.Policy{s.Policy, s.Base} {
			if p != nil {
				if err := p.Validate(); err != nil {
					return nil, fmt.Errorf("node: limit %s: %w", r.Name, err)
				}
			}
		}
	}
	return list, nil
}

// writeEntry is the entry of a list as far back as there is room, and that part of the list. The
// error is a *FieldError if not even the newest statement fits.
func writeEntry(name string, list []statement) (deltasync.Register, []statement, error) {
	for {
		value, err := json.Marshal(list)
		if err != nil {
			return deltasync.Register{}, nil, fmt.Errorf("node: limit %s: %w", name, err)
		}
		if len(value) <= maxEntry {
			return deltasync.Register{Name: name, Stamp: list[0].stamp(), Value: value}, list, nil
		}
		if len(list) == 1 {
			return deltasync.Register{}, nil, &limit.FieldError{
				Field: "overrides", Value: fmt.Sprintf("of %d bytes", len(value)),
				Reason: fmt.Sprintf("must fit into %d bytes to be sent to other nodes: put more into the nodes' configuration", maxEntry),
			}
		}
		list = list[:len(list)-1]
	}
}
