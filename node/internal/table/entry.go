package table

import (
	"github.com/distributed-rate-limiter/distributed-rate-limiter/crdt"
	"github.com/distributed-rate-limiter/distributed-rate-limiter/node/limit"
)

// Entry is one client under one limit, opened to work on: while nobody does, nearly all are
// packed in cells. It is good until its shard is unlocked, which packs it. All methods need
// the lock of the entry's shard. The zero Entry is no client; Imitate makes a copy that
// belongs to no shard.
type Entry struct {
	key crdt.Key // never changes while used
	// rule is what the client was last decided, merged or renewed by; not nil while used.
	// Its Revision never goes down.
	rule *limit.Rule
	// state is that of slot 0. Its window never goes back, and it is of rule's frame.
	state crdt.State
	more  *more // nil for nearly all clients

	sentSeq uint64 // the last delta message that carried this node's counters
	sentAt  int64  // when that was, or 0
	used    bool   // false for a free slot
	shared  bool   // it stands for unknown clients, and is none: see OpenShared
	dirty   bool   // something is to be sent; implies listed
	listed  bool   // the slot is in the shard's dirty list, once; may outlive used
	slot    uint32 // never changes while used
}

// more is what few clients have. It is immutable but for the states: a change replaces it.
type more struct {
	reset crdt.Stamp   // when the client was last reset, zero if never
	old   *life        // the life before a change of the limit, while its windows live
	slots []crdt.State // those after slot 0: len(slots) == rule.Slots-1
}

// life is a client's use under an earlier revision. No decision reads or writes it. Late
// deltas still merge into it, and what they add carries over into the entry's states.
type life struct {
	stamp crdt.Stamp // less than the entry's
	rule  *limit.Rule
	reset crdt.Stamp // the reset that this life began after
	state crdt.State
	slots []crdt.State
}

func (l *life) states() limit.States { return limit.States{First: &l.state, Rest: l.slots} }

// Key is the client's.
func (e *Entry) Key() crdt.Key { return e.key }

// Rule is what the client is decided by.
func (e *Entry) Rule() *limit.Rule { return e.rule }

// First is the state of slot 0, which counts alone but for windows in parts.
func (e *Entry) First() *crdt.State { return &e.state }

// States count what the client used.
func (e *Entry) States() limit.States {
	if e.more == nil {
		return limit.States{First: &e.state}
	}
	return limit.States{First: &e.state, Rest: e.more.slots}
}

// Reset is when the client was last reset, zero if never.
func (e *Entry) Reset() crdt.Stamp {
	if e.more == nil {
		return crdt.Stamp{}
	}
	return e.more.reset
}

// Stamp names the client's life: the later of its limit's last change and its last reset.
// States of one stamp merge; of two, the later one replaces the other.
func (e *Entry) Stamp() crdt.Stamp { return laterStamp(e.rule.Revision, e.Reset()) }

func laterStamp(a, b crdt.Stamp) crdt.Stamp {
	if b.Compare(a) > 0 {
		return b
	}
	return a
}

// old is the life before, nil if there was none or its windows are over.
func (e *Entry) old() *life {
	if e.more == nil {
		return nil
	}
	return e.more.old
}

// begin gives the client states in which nothing is counted.
func (e *Entry) begin(r *limit.Rule, t int64) {
	first, rest := r.NewStates(t)
	e.rule, e.state = r, first
	e.setMore(e.Reset(), e.old(), rest)
}

// follow says what came before the entry's states.
func (e *Entry) follow(reset crdt.Stamp, old *life) { e.setMore(reset, old, e.States().Rest) }

func (e *Entry) setMore(reset crdt.Stamp, old *life, slots []crdt.State) {
	e.more = nil
	if reset != (crdt.Stamp{}) || old != nil || len(slots) > 0 {
		e.more = &more{reset: reset, old: old, slots: slots}
	}
}

// untouched reports whether nothing is known of the client.
func (e *Entry) untouched() bool {
	for _, st := range e.States().All {
		if st.Held() || st.Base() != crdt.Never {
			return false
		}
	}
	return e.old() == nil
}

// Imitate makes e what a decision by r at now would find and leave alone: a copy of o, which
// may be nil, or else a new client k. Nothing that is ever written is shared with o.
func (e *Entry) Imitate(o *Entry, k crdt.Key, r *limit.Rule, now int64) {
	if o == nil {
		*e = Entry{key: k}
		e.begin(r, now)
		return
	}
	*e = *o
	e.state = o.state.Clone()
	if rest := o.States().Rest; len(rest) > 0 {
		e.setMore(o.Reset(), o.old(), limit.States{Rest: rest}.Clone().Rest)
	}
	if e.rule != r {
		e.adopt(r, now)
	}
	e.rule.Roll(e.States(), now)
}

// Clear makes e the zero Entry, so that it holds on to nothing.
func (e *Entry) Clear() { *e = Entry{} }

// adopt brings an entry under a rule that is newer than its own, or that turned out to be
// the client's: a client that is reset or merged before its first request here is not known
// by name, and so not by rule.
func (e *Entry) adopt(r *limit.Rule, now int64) {
	switch c := e.rule.Revision.Compare(r.Revision); {
	case c < 0:
		e.renew(r, now)
	case c == 0 && e.rule.Index != r.Index && e.untouched():
		e.begin(r, now)
	}
}

// renew begins the client's life under a newer revision's rule with what it has used.
func (e *Entry) renew(r *limit.Rule, now int64) {
	old := &life{stamp: e.Stamp(), rule: e.rule, reset: e.Reset(), state: e.state, slots: e.States().Rest}
	first, rest := r.NewStates(max(now, r.Revision.At))
	e.rule, e.state = r, first
	e.setMore(old.reset, old, rest)
	e.carry()
}

// carry raises the origins to what the old life carries over; again whenever late deltas
// raise that.
func (e *Entry) carry() {
	if old := e.old(); old != nil && e.Reset().Compare(e.rule.Revision) <= 0 {
		e.rule.Carry(e.States(), old.rule, old.states(), e.rule.Revision.At)
	}
}
