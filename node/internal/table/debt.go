package table

import (
	"github.com/distributed-rate-limiter/distributed-rate-limiter/node/internal/isolation"
	"github.com/distributed-rate-limiter/distributed-rate-limiter/node/limit"
)

// Charge counts cost against e at now, also beyond the limit, and returns the part that it
// counted: what would put the client further into debt than the rule's DebtCap it leaves
// out. While nodes are isolated, the client's share is charged as well. send says that there
// are peers to hear of it. e is rolled, s is locked, and group may be nil.
func (s *Shard) Charge(e *Entry, group *isolation.Group, now, cost int64, send bool) (charged int64) {
	r := e.rule
	if group != nil && r.Policy.OnIsolation != limit.IsolationShare {
		group = nil
	}
	if group != nil {
		s.Shares.Begin(group, s.Client(e, now))
	}
	if s.aside.takes(e) {
		charged = int64(min(uint64(cost), r.Room(s.Level(e, now), now))) //nolint:gosec // cost is positive
		s.ChargeEarly(e, now, charged)
		send = false
	} else {
		charged = r.Charge(e.States(), now, cost)
	}
	if group != nil {
		s.Shares.Charge(group, s.Client(e, now), now, uint64(charged)) //nolint:gosec // not negative
	}
	if charged > 0 && r.Bounded {
		a, t := s.Account(e, now)
		a.Spend(t, r.GCRA.Drain(uint64(charged))) //nolint:gosec // positive
		s.Keep(e, &a)
	}
	if charged > 0 && send && !r.Silent {
		s.Note(e, r.Current(e.States(), now), now)
	}
	return charged
}
