package table

import (
	"slices"

	"github.com/distributed-rate-limiter/distributed-rate-limiter/crdt"
	"github.com/distributed-rate-limiter/distributed-rate-limiter/node/limit"
)

// A client's use is counted in lives: one for each revision of its limit, after one reset. The
// life of the latest revision and the latest reset decides. A later reset ends all lives. A
// later revision begins another one, to which the earlier ones lend what was used. They stay
// beside it, so that late deltas still find them, for as long as their windows live. Whatever
// a node hears first, in the end it holds the same lives, and so the same use.

// mostLives caps the earlier lives of one client, since each limit remembers only so many
// revisions. Raising it costs memory for clients of a limit that changes all the time. Lowering
// it loses late deltas of such clients.
const mostLives = 7

// life is a client's use under an earlier revision than its entry's, after the same reset. No
// decision reads or writes it.
type life struct {
	rule  *limit.Rule
	state crdt.State
	slots []crdt.State
}

func (l *life) states() limit.States { return limit.States{First: &l.state, Rest: l.slots} }

// over reports that no delta can bring the life anything any more, since its windows and those
// of the change that came next are folded everywhere.
func (l *life) over(now, changed int64) bool {
	f := &l.rule.Frame
	if f.Start(now) <= changed+2*f.Width {
		return false
	}
	for _, st := range l.states().All {
		if st.Start()+2*f.Width > now {
			return false
		}
	}
	return true
}

// lives are the earlier ones, by revision.
func (e *Entry) lives() []*life {
	if e.more == nil {
		return nil
	}
	return e.more.lives
}

// name is a life's, of one of the entry's rules.
func (e *Entry) name(r *limit.Rule) crdt.Life {
	return crdt.Life{Revision: r.Revision, Reset: e.Reset()}
}

// each yields the states of all lives with their rules: the latest first, then the earlier
// ones in their order.
func (e *Entry) each(yield func(*limit.Rule, limit.States) bool) {
	if !yield(e.rule, e.States()) {
		return
	}
	for _, l := range e.lives() {
		if !yield(l.rule, l.states()) {
			return
		}
	}
}

// renew begins the client's life under a newer revision's rule. It forgets a life in which nobody
// counted anything, since carrying over takes it into account anyway, unless it tells by which
// override.
func (e *Entry) renew(r *limit.Rule, now int64) {
	lives := e.lives()
	if !e.States().Untouched() || e.rule.Index != r.Index {
		lives = append(slices.Clip(lives), &life{rule: e.rule, state: e.state, slots: e.States().Rest})
	}
	first, rest := r.NewStates(max(now, r.Revision.At))
	e.rule, e.state = r, first
	e.setMore(e.Reset(), lives, rest)
	for len(e.lives()) > mostLives {
		e.fold()
	}
	e.carry()
}

// turn brings a client in whose life nobody counted anything under the rule of another override.
// What the earlier lives left to it, it keeps.
func (e *Entry) turn(r *limit.Rule, now int64) {
	before, old := e.rule, e.States().Clone()
	e.begin(r, now)
	if !old.Untouched() {
		r.Carry(e.States(), before, old, max(r.Revision.At, e.Reset().At))
		e.States().Keep(&r.Frame)
		e.carry()
	}
}

// catchUp brings an idle client under the rule that is in force. Its use would be lost if its
// windows went by under the rule by which it was decided last.
func (e *Entry) catchUp(now int64) {
	if e.shared {
		return
	}
	if r := inForce(e.rule, now); r != nil {
		e.adopt(r, now)
	}
	e.foldOver(now)
}

// roll brings the entry into now's window. An idle client's use under a rule that is over is carried
// over before.
func (e *Entry) roll(now int64) {
	e.catchUp(now)
	e.rule.Roll(e.States(), now)
}

// beforeRoll makes ready for an earlier life under r to be rolled to the window at start. A window
// algorithm drops the counts of windows that are over then, and with them what the life lent to the
// next one. So that one keeps it.
func (e *Entry) beforeRoll(r *limit.Rule, start int64) {
	lives := e.lives()
	for i, l := range lives {
		if l.rule != r || r.Policy.Algorithm == limit.GCRA || start <= r.Frame.Start(e.changed(lives, i)) {
			continue
		}
		into := e.States()
		if i+1 < len(lives) {
			into = lives[i+1].states()
		}
		into.Keep(&e.next(lives, i).Frame)
	}
}

// inForce is the rule that came into force after r, nil if there is none that counts.
func inForce(r *limit.Rule, now int64) *limit.Rule {
	if r.Past == nil {
		return nil
	}
	in := r.Past.InForce(now, r.Index)
	if in == nil || in.Policy.Access != limit.Limited || in.Revision.Compare(r.Revision) <= 0 {
		return nil
	}
	return in
}

// earlier is the life under an earlier rule than the entry's, nil if there is none. A new one
// begins with the row that names it, unless it would be over at once: see foldOver, which leaves
// a life that is over behind one that is not.
func (e *Entry) earlier(r *limit.Rule, start, now int64) *life {
	lives := e.lives()
	i, some := slices.BinarySearchFunc(lives, r.Revision, func(l *life, s crdt.Stamp) int { return l.rule.Revision.Compare(s) })
	switch {
	case some && lives[i].rule.Index == r.Index:
		return lives[i]
	case some, len(lives) >= mostLives:
		return nil
	}
	l := &life{rule: r}
	l.state, l.slots = r.NewStates(start)
	lives = slices.Insert(slices.Clone(lives), i, l)
	if i == 0 && l.over(now, e.changed(lives, i)) {
		return nil
	}
	e.setMore(e.Reset(), lives, e.States().Rest)
	return l
}

// next is the rule of the life that follows the one at i of the earlier lives.
func (e *Entry) next(lives []*life, i int) *limit.Rule {
	if i+1 < len(lives) {
		return lives[i+1].rule
	}
	return e.rule
}

// changed is the instant at which the life at i of the earlier lives gave way to the next one.
func (e *Entry) changed(lives []*life, i int) int64 {
	return max(e.next(lives, i).Revision.At, e.Reset().At)
}

// carry lends what each life leaves to the next one. Call it whenever one of the earlier lives
// changed, or the limit may have had another revision in between.
func (e *Entry) carry() {
	lives := e.lives()
	if len(lives) == 0 {
		return
	}
	e.more.version = version(e.rule)
	for i, l := range lives {
		r, into := e.rule, e.States()
		if i+1 < len(lives) {
			r, into = lives[i+1].rule, lives[i+1].states()
		}
		r.CarryAll(into, l.rule, l.states(), e.Reset().At)
	}
}

// version is that of a rule's limit.
func version(r *limit.Rule) uint64 {
	if r.Past == nil {
		return 0
	}
	return r.Past.Version()
}

// fold ends the first of the earlier lives: what it lent to the next one is that one's own.
func (e *Entry) fold() {
	lives := e.lives()[1:]
	if len(lives) > 0 {
		lives[0].states().Keep(&lives[0].rule.Frame)
	} else {
		e.States().Keep(&e.rule.Frame)
	}
	e.setMore(e.Reset(), lives, e.States().Rest)
}

// foldOver folds the earlier lives that are over.
func (e *Entry) foldOver(now int64) {
	for lives := e.lives(); len(lives) > 0 && lives[0].over(now, e.changed(lives, 0)); lives = e.lives() {
		if e.more.version != version(e.rule) {
			e.carry()
		}
		e.fold()
	}
}

// clone is a copy that shares nothing with m that ever changes.
func (m *more) clone() *more {
	c := &more{reset: m.reset, slots: limit.States{Rest: m.slots}.Clone().Rest, version: m.version}
	for _, l := range m.lives {
		s := l.states().Clone()
		c.lives = append(c.lives, &life{l.rule, *s.First, s.Rest})
	}
	return c
}
