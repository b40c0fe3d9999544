package table

import (
	"github.com/distributed-rate-limiter/distributed-rate-limiter/crdt"
	"github.com/distributed-rate-limiter/distributed-rate-limiter/gcra"
	"github.com/distributed-rate-limiter/distributed-rate-limiter/node/limit"
	deltasync "github.com/distributed-rate-limiter/distributed-rate-limiter/sync"
)

// Charge is what a decision charged one client, as far as settling it later needs to know.
// The zero Charge charged nothing.
type Charge struct {
	Cost int64 // units
	At   int64 // when
	// Until is the last instant at which any of it can be given back.
	Until int64
	// NotCharged is what Settle left out of a debt: what was above the debt cap, in units.
	NotCharged int64
	// Short says why Settle gave back less than was not used.
	Short deltasync.Shortfall

	key   crdt.Key
	life  crdt.Life // that was charged
	slot  int       // which of the client's states
	start int64     // the window that was charged
	// turn orders the shard's charges and refunds.
	turn uint64
	// tat is the TAT that the charge left behind, and others what other replicas had counted
	// by then: see undrained.
	tat    int64
	others crdt.Gain
	// own is what was taken of the account's own tokens, if the limit is bounded, and ownAt when
	// that was, by rights.Time.Own, or by the node's time under a fixed window.
	own, ownAt int64
}

// Charged is the charge of cost units to e at now, right after they were counted.
func (s *Shard) Charged(e *Entry, now, cost int64) Charge {
	st := e.rule.Current(e.States(), now)
	tat := st.TAT(&e.rule.Frame)
	if s.aside.takes(e) {
		tat = e.rule.GCRA.TAT(s.Level(e, now))
	}
	slot := e.rule.Slot(now)
	until := e.rule.CountsUntil(st.Start(), slot)
	ownAt := int64(0)
	if e.rule.Bounded {
		if ownAt = now; !e.rule.Shares.Windowed {
			ownAt = s.table.cfg.Rights.Own(now)
		}
	}
	return Charge{
		own: e.spent, ownAt: ownAt,
		Cost: cost, At: now, Until: until,
		key: e.key, life: e.Life(), slot: slot, start: st.Start(),
		turn: s.refunds.charged(e, until), tat: tat, others: st.Others(),
	}
}

// returnable is how much of a charge can be given back at now: what still counts against
// the client. If that is not all, short says why. e is rolled, and s is locked.
func (s *Shard) returnable(e *Entry, c *Charge, now int64) (units uint64, short deltasync.Shortfall) {
	switch a := e.rule.Policy.Algorithm; {
	case now > c.Until, a == limit.FixedWindow && e.First().Start() != c.start:
		return 0, deltasync.ShortWindow // nothing counts it by itself any more
	case a == limit.GCRA:
		return s.refunds.undrained(e, c, now), deltasync.ShortDrained
	}
	return uint64(c.Cost), 0 //nolint:gosec // positive
}

// Settle corrects a charge to the units that were really used. It gives back what has not
// drained, or charges the rest even beyond the limit, and returns what it gave back; negative
// is what it charged on top. A charge of an earlier life of the client changes nothing. send
// says that there are peers to hear of it.
func (t *Table) Settle(c *Charge, actual, now int64, send bool) (back int64) {
	s := t.Shard(c.key)
	s.Lock()
	defer s.Unlock()
	e := s.Find(c.key)
	if e != nil {
		e.roll(now)
	}
	switch {
	case actual == c.Cost:
		return 0
	case e == nil:
		c.Short, c.NotCharged = deltasync.ShortDrained, max(0, actual-c.Cost)
		return 0
	case e.Life() != c.life:
		c.Short, c.NotCharged = deltasync.ShortRenewed, max(0, actual-c.Cost)
		return 0
	}
	r := e.rule
	switch {
	case actual < c.Cost:
		unused := uint64(c.Cost - actual) //nolint:gosec // positive
		most, short := s.returnable(e, c, now)
		left, gone := min(unused, most), uint64(0)
		if s.aside.takes(e) {
			gone, send = s.aside.giveBack(e, left, now), false
		} else {
			gone = e.States().At(c.slot).GiveBack(&r.Frame, c.start, left)
		}
		if r.Bounded && gone > 0 {
			a, t := s.Account(e, now)
			a.GiveBack(t, min(c.own, r.GCRA.Drain(gone)), c.ownAt, s.accounts.divisions.Fastest(r.Shares, c.ownAt))
			s.Keep(e, &a)
		}
		s.refunds.note(c.key, refund{of: c.turn, units: gone, tat: crdt.End}, now)
		switch back = int64(gone); { //nolint:gosec // at most Cost
		case gone < left:
			c.Short = deltasync.ShortBack
		case left < unused:
			c.Short = short
		}
	case actual > c.Cost:
		more := min(actual-c.Cost, gcra.MaxUnits)
		back = -s.Charge(e, t.cfg.Isolation.Group(), now, more, send)
		c.NotCharged = actual - c.Cost + back
	}
	if back != 0 && send && !r.Silent {
		s.Note(e, r.Current(e.States(), now), now)
	}
	return back
}
