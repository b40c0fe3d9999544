package table

import (
	"slices"

	"github.com/distributed-rate-limiter/distributed-rate-limiter/crdt"
	"github.com/distributed-rate-limiter/distributed-rate-limiter/node/internal/counts"
	"github.com/distributed-rate-limiter/distributed-rate-limiter/node/internal/tally"
	"github.com/distributed-rate-limiter/distributed-rate-limiter/node/limit"
	deltasync "github.com/distributed-rate-limiter/distributed-rate-limiter/sync"
)

// A file of counts is read as a joiner takes a snapshot. Each client is built as its giver held it,
// in the windows of then, and brought to now: so what has been folded since is folded from all of its
// parts. Then its rows are merged like a peer's. They only add to what is known, a later reset wins,
// and what a bounded limit lets a node admit is in none of them.

// Save adds what is held of clients to an empty page, from a place in the table on, until the page is
// full or all are in it. It changes nothing. It holds one shard's lock for holdSlots clients at a time.
func (t *Table) Save(at deltasync.Cursor, p *counts.Page) (next deltasync.Cursor, done bool) {
	w := saving{page: p, self: t.cfg.Self}
	for ; at.Partition < crdt.Partitions; at = (deltasync.Cursor{Partition: at.Partition + 1}) {
		s := &t.shards[at.Partition]
		for more := true; more; {
			s.Lock()
			end := min(at.Index+holdSlots, s.clients.cells.slots())
			for ; at.Index < end; at.Index++ {
				if e := s.clients.at(at.Index); e != nil && !e.shared && !w.add(e) {
					s.clients.leave()
					s.Unlock()
					return at, false
				}
				s.clients.leave()
			}
			more = end < s.clients.cells.slots()
			s.Unlock()
		}
	}
	return at, true
}

// saving turns entries into clients of a page.
type saving struct {
	page   *counts.Page
	self   crdt.Replica
	rules  []*limit.Rule // those of the page
	client counts.Client
	slots  []counts.Slot
	cells  []counts.Cell
}

// add adds an entry, and reports whether there was room.
func (w *saving) add(e *Entry) bool {
	if w.page.Full() {
		return false
	}
	w.client = counts.Client{Key: e.key, Reset: e.Reset(), Lives: w.client.Lives[:0]}
	w.slots, w.cells = w.slots[:0], w.cells[:0]
	for r, of := range e.each {
		from := len(w.slots)
		for number, st := range of.All {
			w.slot(number, st)
		}
		w.client.Lives = append(w.client.Lives, counts.Life{Rule: w.rule(r, of.First.Start()), Slots: w.slots[from:]})
	}
	return w.page.Add(&w.client)
}

// slot adds a state.
func (w *saving) slot(number int, st *crdt.State) {
	from, own := len(w.cells), st.Own()
	if count := [2]crdt.Count{own.Cur.Count, own.Prev.Count}; count != ([2]crdt.Count{}) {
		w.cells = append(w.cells, counts.Cell{Replica: w.self, Count: count})
	}
	for i := range st.Cells() {
		r, count := st.Cell(i)
		w.cells = append(w.cells, counts.Cell{Replica: r, Count: count})
	}
	w.slots = append(w.slots, counts.Slot{
		Number: uint8(number), Start: st.Start(), Origin: [2]int64{own.Cur.Origin, own.Prev.Origin}, Cells: w.cells[from:], //nolint:gosec // at most limit.MaxResolution
	})
}

// rule is the number of a rule in the page.
func (w *saving) rule(r *limit.Rule, start int64) int {
	for i := range slices.Backward(w.rules) {
		if w.rules[i] == r {
			return i
		}
	}
	w.rules = append(w.rules, r)
	return w.page.Rule(&counts.Rule{Limit: r.Limit, Revision: r.Revision, Index: r.Index, Width: r.Frame.Width, Counting: r.Counting(), Start: start})
}

// Restoring brings clients of a file back. Make one with Restore. Not safe for concurrent use.
type Restoring struct {
	table *Table
	of    crdt.Replica // that saved them
	// rules are those of the page's rules that are known here, nil for the others.
	rules []known
	// Lost is how many clients could not be brought back in whole. Those of limits that are gone
	// do not count.
	Lost uint64
}

// known is a rule of a page as this node has it.
type known struct {
	rule    *limit.Rule // nil: it has none
	account *tally.Account
	gone    bool // the limit is gone, and nothing is lost with its clients
}

// Restore begins to bring back what an earlier run saved.
func (t *Table) Restore(of crdt.Replica) *Restoring { return &Restoring{table: t, of: of} }

// Page begins a page.
func (x *Restoring) Page() { x.rules = x.rules[:0] }

// Client brings a client of the page back, as of now.
func (x *Restoring) Client(now int64, p *counts.Page, c *counts.Client) {
	for len(x.rules) < len(p.Rules) {
		x.rules = append(x.rules, x.find(now, &p.Rules[len(x.rules)]))
	}
	var e Entry
	if !x.revive(now, &e, c) {
		return
	}
	if e.rule.Policy.Algorithm != limit.GCRA { // or rolling would drop what is still to be carried over
		e.catchUp(now)
	}
	e.foldOver(now)
	if e.rule.Roll(e.States(), now); e.forgettable(now) {
		return
	}
	if !x.merge(now, &e) {
		x.Lost++
	}
}

// find is a rule as this node has it.
func (x *Restoring) find(now int64, r *counts.Rule) known {
	d := crdt.Delta{Limit: r.Limit, Revision: r.Revision, Rule: r.Index, Replica: x.of, Width: r.Width}
	rule, account, _, is := x.table.cfg.Limits.RuleOf(now, &d, false)
	switch {
	case rule == nil:
		return known{gone: is && account == nil}
	case rule.Frame.Width != r.Width, rule.Counting() != r.Counting:
		return known{}
	}
	return known{rule: rule, account: account}
}

// revive makes e the entry that the file has. It reports whether anything is to be merged.
func (x *Restoring) revive(now int64, e *Entry, c *counts.Client) bool {
	*e = Entry{key: c.Key, used: true, copied: true}
	first := x.rules[c.Lives[0].Rule]
	if first.rule == nil {
		if !first.gone {
			x.Lost++
		}
		return false
	}
	whole := c.Reset.At <= now+x.table.Tolerance(first.rule)
	var earlier []*life
	for i := range c.Lives {
		l := &c.Lives[i]
		k := x.rules[l.Rule]
		if k.rule == nil || !x.sound(now, k.rule, l.Slots) {
			whole = whole && k.gone
			if i == 0 {
				break
			}
			continue
		}
		state, rest := k.rule.NewStates(l.Slots[0].Start)
		x.fill(k.rule, limit.States{First: &state, Rest: rest}, l.Slots)
		if i == 0 {
			e.rule, e.counted, e.state = k.rule, k.rule, state
			e.setMore(c.Reset, nil, rest)
			continue
		}
		earlier = append(earlier, &life{rule: k.rule, state: state, slots: rest})
	}
	if !whole {
		x.Lost++
	}
	if e.rule == nil || c.Reset.At > now+x.table.Tolerance(first.rule) {
		return false
	}
	e.setMore(c.Reset, earlier, e.States().Rest)
	e.carry()
	return true
}

// sound reports whether states can be of a rule, and of a clock that was not ahead.
func (x *Restoring) sound(now int64, r *limit.Rule, slots []counts.Slot) bool {
	for i := range slots {
		s := &slots[i]
		if int(s.Number) >= r.Slots || r.Frame.Start(s.Start) != s.Start || s.Start > r.Frame.Start(now+x.table.Tolerance(r)) {
			return false
		}
	}
	return true
}

// fill makes states what the slots say.
func (x *Restoring) fill(r *limit.Rule, of limit.States, slots []counts.Slot) {
	for i := range slots {
		s := &slots[i]
		st := of.At(int(s.Number))
		*st = crdt.New(s.Start)
		row := crdt.Row{Cur: crdt.Part{Origin: s.Origin[0]}, Prev: crdt.Part{Origin: s.Origin[1]}}
		st.Merge(&r.Frame, x.of, s.Start, row)
		for _, c := range s.Cells {
			row.Cur.Count, row.Prev.Count = c.Count[0], c.Count[1]
			st.Merge(&r.Frame, c.Replica, s.Start, row)
		}
	}
}

// merge merges the rows of a client that was brought to now. It reports whether all were taken.
func (x *Restoring) merge(now int64, e *Entry) bool {
	t, rows, whole := x.table, 0, true
	for r, of := range e.each {
		t.exportLife(&deltasync.Query{}, r, e.Reset(), of, func(head crdt.Delta, row crdt.Row) bool {
			rows++
			row.Key = e.key
			whole = t.mergeSaved(now, r, &head, &row) && whole
			return true
		})
	}
	if rows == 0 && e.Reset() != (crdt.Stamp{}) {
		own := e.state.Own()
		d := head(e.rule, e.Reset(), t.cfg.Self, 0, e.state.Start())
		own.Key = e.key
		return t.mergeSaved(now, e.rule, &d, &own)
	}
	return whole
}

// mergeSaved merges a row of a file.
func (t *Table) mergeSaved(now int64, r *limit.Rule, d *crdt.Delta, row *crdt.Row) bool {
	if !t.plausible(now, r, d.Start, row) {
		t.cfg.Dropped.Add(tally.DropFuture, 1)
		return false
	}
	if d.Replica == t.cfg.Self {
		row.Cur.Count, row.Prev.Count = crdt.Count{}, crdt.Count{} // nobody knows our totals better
	}
	var none tally.Account // what an earlier run admitted is no overshoot of this one
	return t.mergeRow(now, &none, r, d, row, now)
}
