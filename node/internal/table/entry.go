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
	// state is that of slot 0. Its window never goes back once it says something, and it is of
	// rule's frame.
	state crdt.State
	more  *more // nil for nearly all clients

	// counted is the rule by which the client's account counts, if that is bounded; copied says
	// that the entry is a copy, whose account nobody changes. spent is what the last Spend took
	// of own tokens.
	counted *limit.Rule
	copied  bool
	spent   int64

	sentSeq uint64 // the last delta message that carried this node's counters
	sentAt  int64  // when that was, or 0
	used    bool   // false for a free slot
	shared  bool   // it stands for unknown clients, and is none: see OpenShared
	// unplaced: the client is in no slot, see OpenUnplaced.
	unplaced bool
	dirty    bool   // something is to be sent; implies listed
	listed   bool   // the slot is in the shard's dirty list, once; may outlive used
	slot     uint32 // never changes while used
}

// more is what few clients have. It is immutable but for the states and the version: a change
// replaces it.
type more struct {
	reset   crdt.Stamp   // when the client was last reset, zero if never
	lives   []*life      // the earlier ones, by revision, while their windows live
	slots   []crdt.State // those after slot 0: len(slots) == rule.Slots-1
	version uint64       // of the limit, when lives last lent
}

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

// Life names the life that decides: of the latest revision and the latest reset. States of one
// life merge.
func (e *Entry) Life() crdt.Life { return e.name(e.rule) }

// begin gives the client states in which nothing is counted.
func (e *Entry) begin(r *limit.Rule, t int64) {
	first, rest := r.NewStates(t)
	e.rule, e.state = r, first
	e.setMore(e.Reset(), e.lives(), rest)
	e.carry()
}

func (e *Entry) setMore(reset crdt.Stamp, lives []*life, slots []crdt.State) {
	e.more = nil
	if reset != (crdt.Stamp{}) || len(lives) > 0 || len(slots) > 0 {
		e.more = &more{reset: reset, lives: lives, slots: slots}
	}
}

// Imitate makes e what a decision by r at now would find and leave alone: a copy of o, which
// may be nil, or else a new client k. Nothing that is ever written is shared with o.
func (e *Entry) Imitate(o *Entry, k crdt.Key, r *limit.Rule, now int64) {
	if o == nil {
		*e = Entry{key: k, copied: true, counted: r}
		e.begin(r, now)
		return
	}
	*e = *o
	e.copied = true
	e.state = o.state.Clone()
	if o.more != nil {
		e.more = o.more.clone()
	}
	if e.rule != r || e.more != nil {
		e.adopt(r, now)
	}
	e.rule.Roll(e.States(), now)
}

// Clear makes e the zero Entry, so that it holds on to nothing.
func (e *Entry) Clear() { *e = Entry{} }

// adopt brings an entry under a rule that is newer than its own, or that turned out to be
// the client's: a client that is reset or merged before its first request here is not known
// by name, and so not by rule. It also looks whether the limit had a revision that this node
// hears of late.
func (e *Entry) adopt(r *limit.Rule, now int64) {
	switch c := e.rule.Revision.Compare(r.Revision); {
	case c < 0:
		e.renew(r, now)
	case c == 0 && e.rule.Index != r.Index && !e.States().Held():
		e.turn(r, now)
	case c == 0 && e.rule != r && e.rule.Same(r): // its limit was forgotten meanwhile, as those are that come with requests
		e.rule = r
		e.carry()
	case e.more != nil && len(e.more.lives) > 0 && e.more.version != version(e.rule):
		e.carry()
	}
}
