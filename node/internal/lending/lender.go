package lending

import (
	"github.com/distributed-rate-limiter/distributed-rate-limiter/crdt"
	"github.com/distributed-rate-limiter/distributed-rate-limiter/node/internal/rights"
	"github.com/distributed-rate-limiter/distributed-rate-limiter/node/internal/table"
	deltasync "github.com/distributed-rate-limiter/distributed-rate-limiter/sync"
)

// Lender is a node as it lends and borrows what bounded limits let it admit.
type Lender struct{ *Holdings }

// Place implements deltasync.Lender.
func (h Lender) Place(name string) int { return h.roster.Load().Index(name) }

// Wanting implements deltasync.Lender.
func (h Lender) Wanting() bool { return h.table.Asking() }

// Wants implements deltasync.Lender. Of what a client wants, each of those that have a share is
// asked for one and a half times its part: some will have less.
func (h Lender) Wants(now int64, present uint64, most int) (out []deltasync.Want, when deltasync.Asked) {
	t, roster := h.Time(now), h.roster.Load()
	when = deltasync.Asked{Mono: t.Mono, Wall: t.Wall}
	h.table.Askers(func(s *table.Shard, e *table.Entry) bool {
		if len(out) == most {
			return false
		}
		a, t := s.Account(e, now)
		w := deltasync.Want{Key: e.Key(), Terms: e.Rule().Shares.Word}
		before := len(out)
		for ; len(out) < most; out = append(out, w) {
			w.Back, w.BackTo, w.BackOf = a.GiveUp(t)
			w.Held = a.Holds()
			if w.Back == 0 {
				break
			}
		}
		if len(out) > before { // nobody uses it, so there is nothing to wish
			s.Keep(e, &a)
			return true
		}
		wish := a.Wish(t, h.delay.Load(), left(s, e, now))
		s.Keep(e, &a)
		if wish <= 0 {
			return true
		}
		lenders := int64(0)
		for place := range min(roster.Size(), rights.MaxMembers) {
			if present>>place&1 != 0 && roster.Shares(w.Key, a.Terms.Parts, place) {
				w.Lenders |= 1 << place
				lenders++
			}
		}
		if a.Asked(t, int(lenders)); lenders == 0 {
			h.Lines.Wake(w.Key) // nobody will answer
			return true
		}
		w.Wanted = min(wish, 3*(wish/lenders)/2+1)
		out = append(out, w)
		h.Tally(e.Rule()).Asked.Add(1)
		return true
	})
	return out, when
}

// Lend implements deltasync.Lender.
func (h Lender) Lend(now int64, to crdt.Replica, number, low uint64, wants []deltasync.Want) []deltasync.Lent {
	out := make([]deltasync.Lent, len(wants))
	for i := range wants {
		out[i] = h.lend(now, to, number, low, &wants[i])
	}
	return out
}

// lend lends to one client, whose want names a rule that is in force here.
func (h Lender) lend(now int64, to crdt.Replica, number, low uint64, w *deltasync.Want) (l deltasync.Lent) {
	r := h.limits.Promised(now, w.Terms)
	if r == nil {
		return l
	}
	s := h.table.Shard(w.Key)
	s.Lock()
	defer s.Unlock()
	e := s.Open(w.Key, r, now)
	if e == nil || e.Rule() != r {
		return l
	}
	a, t := s.Account(e, now)
	a.Back(t, w.Back, w.BackOf)
	a.Told(to, w.Held, low)
	if a.Own(t) <= 0 || !a.Matches(w.Held) || !s.Record(e, &a, &t, now) {
		s.Keep(e, &a)
		return l
	}
	l.Amount = a.Lend(t, min(w.Wanted, a.Piece(t, r.GCRA.Drain(1)), a.Spare(t, h.delay.Load(), r.GCRA.Drain(1), e.OwnUse())), to, number)
	s.Keep(e, &a)
	h.Tally(r).Lent.Add(units(r, l.Amount))
	l.Of = a.Record.Epoch()
	return l
}

// Lent implements deltasync.Lender.
func (h Lender) Lent(now int64, by crdt.Replica, when deltasync.Asked, wants []deltasync.Want, lent []deltasync.Lent) {
	for i := range wants {
		if wants[i].Wanted > 0 && h.borrow(now, by, when, &wants[i], lent[i]) {
			h.Lines.Wake(wants[i].Key)
		}
	}
}

// borrow takes a loan for one client. It reports whether requests that wait should look: some of
// the loan still counts, or no answer is to come any more.
func (h Lender) borrow(now int64, by crdt.Replica, when deltasync.Asked, w *deltasync.Want, l deltasync.Lent) (look bool) {
	r := h.limits.Promised(now, w.Terms)
	if r == nil {
		return true // it changed since
	}
	s := h.table.Shard(w.Key)
	s.Lock()
	defer s.Unlock()
	e := s.Find(w.Key)
	if e == nil || e.Rule() != r {
		return true
	}
	a, t := s.Account(e, now)
	if a.Record == nil {
		return true
	}
	if !a.Matches(w.Held) {
		l.Amount = 0 // it is of another window
	}
	got := a.Borrow(t, l.Amount, when.Mono, when.Wall, by, l.Of)
	a.Answered(t, got)
	s.Keep(e, &a)
	h.Tally(r).Borrowed.Add(units(r, got))
	return got > 0 || !a.Record.Asks.Awaits()
}
