package sync

import "github.com/distributed-rate-limiter/distributed-rate-limiter/crdt"

// settleAgain is when a settlement without an answer is repeated.
const settleAgain = int64(200e6)

// settling is the part of memStore that settles reservations: those of this
// replica's, and those that others have to settle.
type settling struct {
	reserved map[uint64]int64 // cost that was charged, by the reservation's number
	settled  map[uint64]Settled
	settles  int // that changed something

	elsewhere []*elsewhere
	answers   []Settled
	answerers []crdt.Replica
}

// elsewhere is a settlement on its way to another replica.
type elsewhere struct {
	Settlement
	due, until int64
	sent       int
}

// debtCap is the most that a settlement charges on top.
const debtCap = 100

func (s *settling) reserve(id uint64, cost int64) {
	if s.reserved == nil {
		s.reserved, s.settled = map[uint64]int64{}, map[uint64]Settled{}
	}
	s.reserved[id] = cost
}

// pass has the reservation of replica of settled there, or given up at until.
func (s *settling) pass(of crdt.Replica, id uint64, actual, until int64) {
	s.elsewhere = append(s.elsewhere, &elsewhere{Settlement: Settlement{Of: of, ID: id, Actual: actual}, until: until})
}

func (s *settling) Settle(_ int64, x Settlement) Settled {
	if was, ok := s.settled[x.ID]; ok {
		return was
	}
	cost, ok := s.reserved[x.ID]
	if !ok {
		return Settled{ID: x.ID}
	}
	s.settles++
	back := max(cost-x.Actual, -debtCap)
	s.settled[x.ID] = Settled{ID: x.ID, Back: back, NotCharged: max(0, x.Actual-cost+back), Known: true}
	return s.settled[x.ID]
}

func (s *settling) Settlements(now int64, most int) []Settlement {
	var out []Settlement
	kept := s.elsewhere[:0]
	for _, x := range s.elsewhere {
		if now > x.until {
			continue
		}
		kept = append(kept, x)
		if now >= x.due && len(out) < most {
			x.due, x.sent = now+settleAgain, x.sent+1
			out = append(out, x.Settlement)
		}
	}
	s.elsewhere = kept
	return out
}

func (s *settling) SettlementAnswered(_ int64, of crdt.Replica, a Settled) {
	for i, x := range s.elsewhere {
		if x.Of == of && x.ID == a.ID {
			s.elsewhere = append(s.elsewhere[:i:i], s.elsewhere[i+1:]...)
			break
		}
	}
	s.answers, s.answerers = append(s.answers, a), append(s.answerers, of)
}
