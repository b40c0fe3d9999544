package table

import (
	"github.com/distributed-rate-limiter/distributed-rate-limiter/crdt"
	"github.com/distributed-rate-limiter/distributed-rate-limiter/node/limit"
)

// mostRefunds caps the refunds that are remembered for one client while their windows live.
// At the cap two become one. Raising it costs memory for clients that cancel much. Lowering
// it gives such clients less back, never more.
const mostRefunds = 64

// refund is what this node gave back of one charge.
type refund struct {
	of, turn uint64 // the charge's turn, and the refund's own
	at       int64
	units    uint64
}

// undrained is how much of a GCRA charge can still be given back. Think of the units as they
// lie in the bucket: earlier ones below later ones, and the bucket drains from below. The
// charge left the bucket at some level. Since then that level fell as time passed, and by
// what was given back of earlier charges, which lay below. Later charges lie above.
//
// This node knows its own refunds. Of what others gave back since, it cannot know which
// charges that was of. It takes them all for earlier ones, as far as others had any.
//
// The result is less than a unit above what has not drained, and exact but for that on one
// node. e is rolled, and s is locked.
func (s *Shard) undrained(e *Entry, c *Charge, now int64) uint64 {
	st, f := e.First(), &e.rule.Frame
	others, lowered := st.Others(), uint64(0)
	switch c.start {
	case st.Start():
		lowered = others.Cur.N + others.Prev.N - c.others.Cur.N - c.others.Prev.N
	case f.Before(st.Start()):
		// What was given back in the window before the charge's is folded.
		lowered = others.Cur.N + others.Prev.N - c.others.Cur.N + c.others.Prev.Net()
	default:
		return 0 // the window is folded: its units cannot be told apart any more
	}
	lowered = min(lowered, c.others.Cur.Net()+c.others.Prev.Net())
	for _, r := range s.refunds[e.key] {
		if r.of < c.turn && c.turn < r.turn {
			lowered += r.units
		}
	}
	level := e.rule.GCRA.UnitsOver(max(0, c.tat-now))
	return level - min(level, lowered)
}

// refunded remembers that units of a charge were given back, as long as that may lower the
// level of a charge that can still be settled.
func (s *Shard) refunded(c *Charge, units uint64, now int64) {
	if units == 0 {
		return
	}
	s.turn++
	all := s.refunds[c.key]
	all = append(all, refund{of: c.turn, turn: s.turn, at: now, units: units})
	for len(all) > 1 && all[0].over(now) {
		all = all[1:]
	}
	if len(all) > mostRefunds {
		// As one they lower whatever either of them lowers.
		all[1] = refund{of: min(all[0].of, all[1].of), turn: all[1].turn, at: all[1].at, units: all[0].units + all[1].units}
		all = all[1:]
	}
	if s.refunds == nil {
		s.refunds = map[crdt.Key][]refund{}
	}
	s.refunds[c.key] = all
}

// over reports that no charge from before the refund is in a live window.
func (r *refund) over(now int64) bool { return r.at+3*int64(limit.MaxWidth) < now }

// sweepRefunds forgets refunds that matter no more.
func (s *Shard) sweepRefunds(now int64) {
	for k, all := range s.refunds {
		if all[len(all)-1].over(now) {
			delete(s.refunds, k)
		}
	}
}
