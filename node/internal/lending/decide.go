package lending

import (
	"time"

	"github.com/distributed-rate-limiter/distributed-rate-limiter/crdt"
	"github.com/distributed-rate-limiter/distributed-rate-limiter/gcra"
	"github.com/distributed-rate-limiter/distributed-rate-limiter/node/internal/table"
	"github.com/distributed-rate-limiter/distributed-rate-limiter/node/limit"
)

// Verdict is what a client's account and the merged counts say of a request.
type Verdict uint8

// The verdicts.
const (
	Covered Verdict = iota // it may pass
	Over                   // the limit is used up
	Short                  // it is not, but other nodes hold the right to the rest
)

// Weigh decides cost by an entry's account, and by its states only whether it may use credit and
// whether others have what it lacks. It charges nothing. s is locked.
func (h *Holdings) Weigh(s *table.Shard, e *table.Entry, now, cost int64) (v Verdict, origin int64) {
	r := e.Rule()
	seen, origin := s.Admits(e, now, cost)
	a, t := s.Account(e, now)
	switch c, free := r.GCRA.Drain(uint64(cost)), a.Free(t); { //nolint:gosec // judged before
	case cost > r.Policy.Burst:
		return Over, gcra.Never
	case free >= c:
		return Covered, origin
	case !seen:
		return Over, gcra.Never
	case free+a.Credit() >= c:
		return Covered, origin
	}
	return Short, gcra.Never
}

// Use takes what Weigh admitted off the account, or notes what it lacked, and asks the others if
// that is due. It reports whether some answer is still to come. s is locked.
func (h *Holdings) Use(s *table.Shard, e *table.Entry, now, cost int64, allowed, short bool) (awaits bool) {
	a, t := s.Account(e, now)
	c := e.Rule().GCRA.Drain(uint64(cost)) //nolint:gosec // judged before
	if allowed {
		e.Spent(a.Spend(t, c))
		s.Keep(e, &a)
	}
	if h.roster.Load().Size() < 2 || a.Record == nil && !short && (!allowed || !a.Low(t)) {
		return false
	}
	if !s.Record(e, &a, &t, now) {
		return false
	}
	delay := h.delay.Load()
	if a.Use(t, c, delay, short); a.Wish(t, delay, left(s, e, now)) > 0 {
		s.Ask(e, a.Record)
	}
	return a.Record.Asks.Awaits()
}

// Lack notes what a request lacks that waits behind others of its client, and asks for it if that is
// due. k is the client's key, and r its rule.
func (h *Holdings) Lack(k crdt.Key, r *limit.Rule, now, cost int64) {
	s := h.table.Shard(k)
	s.Lock()
	defer s.Unlock()
	if e := s.Find(k); e != nil && e.Rule() == r {
		h.Use(s, e, now, cost, false, true)
	}
}

// roundTrip is how long after a short denial the same request may pass, beyond two of the
// largest delays: messages wait a millisecond on each side. Raising it keeps clients away for
// longer than needed; lowering it lets them come before the answer.
const roundTrip = 2 * time.Millisecond

// Tell corrects what a client is told by its account: remaining, in units, is what this node would
// let pass now, and retry when it can. s is locked.
func (h *Holdings) Tell(s *table.Shard, e *table.Entry, now, cost int64, allowed, short bool, remaining *int64, retry *time.Duration) {
	r := e.Rule()
	a, t := s.Account(e, now)
	*remaining = r.Lets(*remaining, a.Free(t), a.Credit())
	switch {
	case allowed || cost > r.Policy.Burst:
	case short:
		*retry = min(time.Duration(2*h.delay.Load()+a.Pauses(t))+roundTrip, time.Duration(a.Earns(t, r.GCRA.Drain(uint64(cost))))) //nolint:gosec // judged before
	default:
		*retry = min(*retry, time.Duration(a.Earns(t, r.GCRA.Drain(uint64(cost))))) //nolint:gosec // judged before
	}
}

// RightOf is the right of an entry's client. s is locked.
func RightOf(s *table.Shard, e *table.Entry, now int64) *limit.Right {
	a, t := s.Account(e, now)
	x := &limit.Right{Own: units(e.Rule(), a.Own(t)), Room: units(e.Rule(), a.Room()), Credit: units(e.Rule(), a.Credit())}
	if a.Record != nil {
		x.Borrowed, x.Lent = units(e.Rule(), a.Record.Borrowed()), units(e.Rule(), a.Record.Lent())
	}
	return x
}
