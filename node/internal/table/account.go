package table

import (
	"github.com/distributed-rate-limiter/distributed-rate-limiter/node/internal/rights"
	"github.com/distributed-rate-limiter/distributed-rate-limiter/node/limit"
)

// The clients of bounded limits have accounts: see package rights. What lasts of an account is one
// number beside the client's cell, and a record while it lends, borrows or asks. Nothing is
// allocated, and nothing looked at, for clients of other limits.

// Rights is what a table needs to know for bounded limits. Its methods are safe for concurrent
// use, and the table calls them with a shard's lock held.
type Rights interface {
	// Began is when this node began to decide, by rights.Time.Own.
	Began() int64
	// Own is now by rights.Time.Own, and Time all clocks. Now is the node's time.
	Own(now int64) int64
	Time(now int64) rights.Time
	Now() int64
	// Expired hears of what was borrowed by a rule and ended unspent.
	Expired(r *limit.Rule, tokens int64)
	// Margin is how far the clock of the run before may have been ahead of this one's.
	Margin() int64
}

// mostRecords caps the records of one shard. Raising it lets clients that borrow take more memory,
// 450 bytes each. At the cap a client neither lends, borrows nor asks, which only denies.
const mostRecords = 1 << 10

// accounts are those of a shard's clients by slot. Its owner's lock guards it. It has none until
// the first put.
type accounts struct {
	rights  Rights              // nil where there are no bounded limits; never changes
	full    []*[chunkSize]int64 // rights.Account.Full, by chunk; nil where no client has used any
	records map[uint32]*rights.Record
	// asking are the slots of those that are to ask. It may hold slots that are not used any
	// more, and is at most 2·mostRecords long.
	asking []uint32
	// divisions say what shares this node has. Those of one shard change at once: see Divide.
	divisions rights.Divisions
	// crowded is when unknown clients last shared an entry, by rights.Time.Own. An account that
	// nobody used begins then, since its client may have been one of them.
	crowded int64
}

// Account puts the account of an entry under a bounded rule together, settled at the time that
// it returns. Its user works on it by its methods, and then keeps it by Keep. s is locked.
func (s *Shard) Account(e *Entry, now int64) (rights.Account, rights.Time) {
	return s.accounts.of(e, now)
}

// of is Shard.Account.
func (x *accounts) of(e *Entry, now int64) (a rights.Account, t rights.Time) {
	if e.counted != e.rule && !e.copied {
		x.renew(e)
	}
	g, shares := x.rights, e.rule.Shares
	began := max(g.Began(), e.rule.Revision.At)
	if !e.shared {
		began = max(began, x.crowded)
	}
	if shares.Windowed {
		start := e.rule.Frame.Start(now)
		a = x.divisions.InWindow(shares, e.key, began, start, g.Own(now)-(now-start), g.Margin())
		a.Life(e.Reset())
	} else {
		a = x.divisions.Fresh(shares, e.key, began, g.Began()+2*shares.Epoch())
	}
	if e.used && e.counted == e.rule {
		if full := x.get(e.slot); full != 0 {
			a.Resume(full)
		}
		a.Record = x.records[e.slot]
	}
	if a.Record != nil {
		t = g.Time(now)
		if e.copied {
			r := *a.Record
			a.Record = &r
		}
	} else {
		t.Own = g.Own(now)
	}
	a.Settle(t)
	if a.Record != nil && !e.copied {
		if tokens := a.Record.Expired(); tokens > 0 {
			g.Expired(e.rule, tokens)
		}
	}
	return a, t
}

// renew begins an account anew after its rule changed. Under a later revision it is one
// that nobody used since the change: without a token and without credit then. The record is void,
// here and at all others.
func (x *accounts) renew(e *Entry) {
	was, full := e.counted, int64(0)
	if was.Bounded && e.rule.Bounded && was.Revision == e.rule.Revision && x.get(e.slot) != 0 {
		if e.rule.Shares.Windowed {
			full = e.rule.Shares.Spent(e.rule.Frame.Start(x.rights.Now()))
		} else if terms, share := x.divisions.Terms(e.rule.Shares, e.key); share {
			full = x.rights.Own(x.rights.Now()) + terms.Bottom()
		}
	}
	e.counted = e.rule
	x.put(e.slot, full)
	delete(x.records, e.slot)
}

// Keep keeps an account of Account's. s is locked.
func (s *Shard) Keep(e *Entry, a *rights.Account) { s.accounts.put(e.slot, a.Full) }

// Record gives an account a record, and the time by all clocks; false if there is no room. s is
// locked.
func (s *Shard) Record(e *Entry, a *rights.Account, t *rights.Time, now int64) bool {
	if a.Record != nil {
		return true
	}
	if e.shared || e.copied || len(s.accounts.records) >= mostRecords {
		return false
	}
	if s.accounts.records == nil {
		s.accounts.records = map[uint32]*rights.Record{}
	}
	a.Record = new(rights.Record)
	s.accounts.records[e.slot] = a.Record
	*t = s.table.cfg.Rights.Time(now)
	return true
}

// Spent notes for Charged what a decision took of the account's own tokens.
func (e *Entry) Spent(own int64) { e.spent = own }

// OwnUse reports whether this node counted something for the client in the live windows.
func (e *Entry) OwnUse() bool {
	own := e.state.Own()
	return own.Cur.Count.P > 0 || own.Prev.Count.P > 0
}

func (x *accounts) get(slot uint32) int64 {
	if int(slot/chunkSize) >= len(x.full) || x.full[slot/chunkSize] == nil {
		return 0
	}
	return x.full[slot/chunkSize][slot%chunkSize]
}

func (x *accounts) put(slot uint32, full int64) {
	if full == 0 && x.get(slot) == 0 {
		return
	}
	n := int(slot / chunkSize)
	for len(x.full) <= n {
		x.full = append(x.full, nil)
	}
	if x.full[n] == nil {
		x.full[n] = new([chunkSize]int64)
	}
	x.full[n][slot%chunkSize] = full
}

// drop forgets the account of a slot.
func (x *accounts) drop(slot uint32) {
	x.put(slot, 0)
	delete(x.records, slot)
}

// trim gives the memory of chunks back that the shard does not have any more.
func (x *accounts) trim(chunks int) { x.full = x.full[:min(len(x.full), chunks)] }

// Ask puts a client with a record on the list of those that ask, and calls for the network. s is
// locked.
func (s *Shard) Ask(e *Entry, r *rights.Record) {
	if r.Asks.Listed || len(s.accounts.asking) >= 2*mostRecords {
		return
	}
	r.Asks.Listed = true
	s.accounts.asking = append(s.accounts.asking, e.slot)
	s.table.asking.add(s.part)
	s.table.cfg.Urgent()
}

// AskBack puts all clients on the list of those that ask that hold loans which they do not need: to
// give them back. Call it once a second. It holds one shard's lock at a time.
func (t *Table) AskBack(now int64) {
	for i := range t.shards {
		s := &t.shards[i]
		s.Lock()
		for slot, r := range s.accounts.records {
			if e := s.clients.at(slot); e != nil && e.rule.Bounded && r.Borrowed() > 0 {
				if a, t := s.Account(e, now); a.Record != nil && a.Unused(t) {
					s.Ask(e, r)
				}
			}
			s.closeViews()
		}
		s.Unlock()
	}
}

// Asking reports whether some client is to ask.
func (t *Table) Asking() bool { return t.asking.any() }

// Askers yields each client that is on the list, once, and takes it off. The shard of each is
// locked for as long as yield runs. It ends where yield returns false, and that client stays on
// the list.
func (t *Table) Askers(yield func(*Shard, *Entry) bool) {
	for p := range t.asking.all {
		s := &t.shards[p]
		s.Lock()
		for i, slot := range s.accounts.asking {
			r := s.accounts.records[slot]
			e := s.clients.at(slot)
			if e == nil || r == nil || !e.rule.Bounded {
				continue
			}
			if r.Asks.Listed = false; !yield(s, e) {
				r.Asks.Listed = true
				s.accounts.asking = s.accounts.asking[i:]
				s.Unlock()
				return
			}
		}
		s.accounts.asking = nil
		t.asking.remove(p)
		s.Unlock()
	}
}

// Divide puts all accounts under further divisions, the last of which is new. When it returns, no
// decision goes by the old ones any more. It holds one shard's lock at a time, for as long as it takes
// to visit the accounts there that somebody used.
func (t *Table) Divide(ds rights.Divisions) {
	for i := range t.shards {
		s := &t.shards[i]
		s.Lock()
		for slot := range s.accounts.used {
			s.redivide(slot, ds)
		}
		s.accounts.divisions = ds
		s.Unlock()
	}
}

// redivide puts the account of one slot under further divisions. s is locked.
func (s *Shard) redivide(slot uint32, ds rights.Divisions) {
	if e := s.clients.at(slot); e != nil && e.rule.Bounded {
		a, t := s.Account(e, s.table.cfg.Rights.Now())
		terms, share := ds.Terms(e.rule.Shares, e.key)
		a.Change(t, terms, share)
		s.Keep(e, &a)
	}
	s.closeViews()
}

// used yields the slots of all accounts that somebody used.
func (x *accounts) used(yield func(uint32) bool) {
	for n, chunk := range x.full {
		for i := range chunkSize {
			if chunk != nil && chunk[i] != 0 && !yield(uint32(n*chunkSize+i)) { //nolint:gosec // a slot
				return
			}
		}
	}
}

// Crowd notes that an unknown client of a bounded limit shares an entry at now. s is locked.
func (s *Shard) Crowd(now int64) { s.accounts.crowded = s.table.cfg.Rights.Own(now) }

// idle reports whether the account of an entry is as good as one that nobody used. It drops a
// record that is not needed any more.
func (x *accounts) idle(e *Entry, now int64) bool {
	if !e.rule.Bounded {
		return true
	}
	a, t := x.of(e, now)
	if a.Record != nil && a.Record.Empty(t) {
		delete(x.records, e.slot)
		a.Record = nil
	}
	if a.Idle(t) {
		a.Full = 0
	}
	x.put(e.slot, a.Full)
	return a.Full == 0 && a.Record == nil
}
