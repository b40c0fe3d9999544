package crdt

import (
	"cmp"
	"math"
	"slices"
)

// Never is the origin that a window without one has: before all instants. End caps
// a folded origin, so that adding a drain time to it cannot overflow.
const (
	Never = math.MinInt64 / 2
	End   = math.MaxInt64 / 2
)

// Frame is the layout of a limit's windows, and the one thing that this package knows of
// policy: the time in which a cost drains.
type Frame struct {
	Width int64                   // of a window at most, nanoseconds, > 0
	Drain func(cost uint64) int64 // monotone, Drain(0) = 0, at most End
	// Align is the start of the window that t falls into, where windows are not all as
	// wide: calendar windows. It is monotone, and idempotent. Nil: multiples of Width.
	Align func(t int64) int64
}

// Start is the start of the window that contains t.
func (f *Frame) Start(t int64) int64 {
	if f.Align != nil {
		return f.Align(t)
	}
	s := t - t%f.Width
	if s > t {
		s -= f.Width
	}
	return s
}

// Before is the start of the window before the one at start.
func (f *Frame) Before(start int64) int64 {
	if f.Align != nil {
		return f.Align(start - 1)
	}
	return start - f.Width
}

// steps is how many windows later than from the one that starts at to is: 0 also where
// it is not later, and 2 for two or more.
func (f *Frame) steps(from, to int64) int {
	switch {
	case to <= from:
		return 0
	case f.Before(to) == from:
		return 1
	default:
		return 2
	}
}

// The two live windows, as indices.
const (
	cur  = 0
	prev = 1
)

// State is one replica's copy of one client: see the package comment. Make one with New.
// You may move a State. To use a copy beside it, make one with Clone: a plain copy shares
// its cells.
//
// Invariants: carry is O_prev + D(C_prev), where O_prev is the later of the window's own origin
// and its lent one; Never if it has neither. What lent points to never changes.
type State struct {
	start  int64
	origin [2]int64
	net    [2]uint64 // C: the sum of P_j - N_j over all replicas, none of which is negative
	carry  int64
	own    [2]Count // this replica's counters
	sent   [2]Count // what of own was last put into a delta
	others []cell
	lent   *[2]int64 // see Lend; nil for nearly all states
}

// New is the state of an unknown client, in the window at start.
func New(start int64) State {
	return State{start: start, origin: [2]int64{Never, Never}, carry: Never}
}

// Start is the start of the current window.
func (s *State) Start() int64 { return s.start }

// Base is the instant from which the current window's count drains: the later of its own
// origin and the previous window's TAT. TAT = Base + D(Count).
func (s *State) Base() int64 { return max(s.origin[cur], s.carry) }

// Count is C of the current window.
func (s *State) Count() uint64 { return s.net[cur] }

// CountPrevious is C of the previous window.
func (s *State) CountPrevious() uint64 { return s.net[prev] }

// Others is the sum of the other replicas' counters in the current and the previous window.
func (s *State) Others() Gain {
	var g Gain
	for i := range s.others {
		c := &s.others[i].count
		g.Cur.P, g.Cur.N = g.Cur.P+c[cur].P, g.Cur.N+c[cur].N
		g.Prev.P, g.Prev.N = g.Prev.P+c[prev].P, g.Prev.N+c[prev].N
	}
	return g
}

// TAT is the theoretical arrival time, Never for an unknown client.
func (s *State) TAT(f *Frame) int64 { return min(End, s.Base()+f.Drain(s.Count())) }

// Untouched reports whether the state says nothing of its own: neither counts nor origins.
func (s *State) Untouched() bool { return !s.Held() && s.origin == [2]int64{Never, Never} }

// Held reports whether either live window has counts.
func (s *State) Held() bool {
	if s.own != ([2]Count{}) {
		return true
	}
	return len(s.others) > 0
}

// Roll moves the state forward to the window at start. It folds what leaves the two live
// windows into the previous window's origin. It does nothing if the state is already there
// or further. Rolling in one step or in many gives the same state.
func (s *State) Roll(f *Frame, start int64) {
	if start > s.start { // small enough to be inlined: of many states, all but one are there already
		s.roll(f, start)
	}
}

// roll is Roll to a later window.
func (s *State) roll(f *Frame, start int64) {
	steps := f.steps(s.start, start)
	lent := s.lent
	if lent != nil {
		if s.net[prev] > 0 || steps > 1 && s.net[cur] > 0 {
			// Nobody could tell later by how much these units pushed the loan on.
			s.Keep(f)
			lent = nil
		}
		s.Unlend(f)
	}
	if steps == 1 {
		s.origin = [2]int64{cur: Never, prev: s.Base()}
		s.net = [2]uint64{prev: s.net[cur]}
		s.own = [2]Count{prev: s.own[cur]}
		s.sent = [2]Count{prev: s.sent[cur]}
		s.age()
	} else {
		s.origin = [2]int64{cur: Never, prev: s.TAT(f)}
		s.net, s.own, s.sent, s.others = [2]uint64{}, [2]Count{}, [2]Count{}, nil
	}
	s.start = start
	if lent != nil {
		s.lent = &[2]int64{cur: Never, prev: max(lent[cur], lent[prev])}
	}
	s.refold(f)
}

// age shifts the other replicas' cells by one window and drops the empty ones.
func (s *State) age() {
	kept := s.others[:0]
	for _, c := range s.others {
		if c.count[cur] != (Count{}) {
			kept = append(kept, cell{c.replica, [2]Count{prev: c.count[cur]}})
		}
	}
	if len(kept) == 0 {
		kept = nil
	}
	s.others = kept
}

func (s *State) refold(f *Frame) {
	s.carry = s.Origins()[prev]
	if s.carry > Never {
		s.carry = min(End, s.carry+f.Drain(s.CountPrevious()))
	}
}

// Raise moves the current window's origin up to at least o. End caps o.
func (s *State) Raise(o int64) { s.origin[cur] = max(s.origin[cur], min(o, End)) }

// RaisePrevious moves the previous window's origin up to at least o. A life that continues
// another one starts with its use in that way.
func (s *State) RaisePrevious(f *Frame, o int64) {
	if o > s.origin[prev] {
		s.origin[prev] = min(o, End)
		s.refold(f)
	}
}

// Lend raises the current window's lent origin up to at least o. End caps o. A lent origin
// counts like the window's own, but no row tells it, and Unlend takes it back. It is what an
// earlier life leaves to this one, as long as that may still turn out to be less. A lent origin
// becomes the state's own with Keep, or before Roll folds units that drain behind it.
func (s *State) Lend(o int64) { s.lend(cur, o) }

// LendPrevious is Lend for the previous window.
func (s *State) LendPrevious(f *Frame, o int64) {
	s.lend(prev, o)
	s.refold(f)
}

func (s *State) lend(w int, o int64) {
	l := [2]int64{Never, Never}
	if s.lent != nil {
		l = *s.lent
	}
	l[w] = max(l[w], min(o, End))
	s.lent = &l
}

// Unlend takes back all that was lent.
func (s *State) Unlend(f *Frame) {
	if s.lent != nil {
		s.lent = nil
		s.refold(f)
	}
}

// Keep makes what was lent the state's own for good.
func (s *State) Keep(f *Frame) {
	s.origin = s.Origins()
	s.Unlend(f)
}

// Admit adds cost to this replica's P in the current window. The total saturates
// at MaxTotal. Without a cost it changes nothing, not even an origin: only what counts drains.
func (s *State) Admit(cost uint64) {
	cost = min(cost, MaxTotal-s.own[cur].P)
	if cost == 0 {
		return
	}
	s.own[cur].P += cost
	s.net[cur] += cost
	s.Raise(s.start)
}

// GiveBack adds cost to this replica's N in the live window at start, but at most what it
// admitted there. It returns the added cost: 0 if the state does not hold that window any
// more.
func (s *State) GiveBack(f *Frame, start int64, cost uint64) uint64 {
	w := cur
	if start != s.start {
		if start != f.Before(s.start) {
			return 0
		}
		w = prev
	}
	cost = min(cost, s.own[w].Net())
	s.own[w].N += cost
	s.net[w] -= cost
	if w == prev {
		s.refold(f)
	}
	return cost
}

// Unsent is the cost in the live windows that this replica admitted and no delta has
// carried yet.
func (s *State) Unsent() uint64 {
	return s.own[cur].P - s.sent[cur].P + s.own[prev].P - s.sent[prev].P
}

// Pending reports whether this replica has something that no delta has carried yet.
func (s *State) Pending() bool { return s.own != s.sent }

// Gain is the growth of the counters of the current and the previous window in one step.
type Gain struct{ Cur, Prev Count }

// Own is this replica's row (without its key): its totals of both windows, with
// the origins that it knows.
func (s *State) Own() Row {
	return Row{
		Cur:  Part{Origin: s.origin[cur], Count: s.own[cur]},
		Prev: Part{Origin: s.origin[prev], Count: s.own[prev]},
	}
}

// Sent notes that a delta has taken Own, and returns what is new in it.
func (s *State) Sent() Gain {
	g := Gain{
		Cur:  Count{P: s.own[cur].P - s.sent[cur].P, N: s.own[cur].N - s.sent[cur].N},
		Prev: Count{P: s.own[prev].P - s.sent[prev].P, N: s.own[prev].N - s.sent[prev].N},
	}
	s.sent = s.own
	return g
}

// Rows calls yield with each replica's row (without its key): this one's first, as self,
// then the others in the order of their names. Every row carries the state's origins, so
// Rows leaves out rows without counts. If the client has origins and no counters at all,
// Rows yields self's row.
func (s *State) Rows(self Replica, yield func(Replica, Row)) {
	own := s.Own()
	if s.own != ([2]Count{}) || len(s.others) == 0 && (!own.Cur.Empty() || !own.Prev.Empty()) {
		yield(self, own)
	}
	slices.SortFunc(s.others, func(a, b cell) int { return cmp.Compare(a.replica, b.replica) })
	for _, c := range s.others {
		yield(c.replica, s.row(c.count))
	}
}

// RowOf is the row (without its key) of one other replica. false means that there is none.
func (s *State) RowOf(r Replica) (Row, bool) {
	if i := s.find(r); i >= 0 {
		return s.row(s.others[i].count), true
	}
	return Row{}, false
}

func (s *State) row(c [2]Count) Row {
	return Row{
		Cur:  Part{Origin: s.origin[cur], Count: c[cur]},
		Prev: Part{Origin: s.origin[prev], Count: c[prev]},
	}
}

// Merge takes the maximum of the state and another replica's row. The row is of the window
// at start and the one before. Merge returns the growth of that replica's counters: first
// for the window at start, then for the one before. It ignores windows of the row that the
// state has folded. The caller has checked three things: the counts are valid, start is not
// further ahead than it tolerates, and replica is not its own.
func (s *State) Merge(f *Frame, replica Replica, start int64, row Row) Gain {
	s.Roll(f, start)
	switch start {
	case s.start:
		g := Gain{
			Cur:  s.join(f, cur, replica, row.Cur),
			Prev: s.join(f, prev, replica, row.Prev),
		}
		s.refold(f)
		return g
	case f.Before(s.start):
		g := Gain{Cur: s.join(f, prev, replica, row.Cur)}
		s.refold(f)
		return g
	default:
		return Gain{}
	}
}

// join merges one window's part. The caller refolds.
func (s *State) join(f *Frame, w int, replica Replica, p Part) Count {
	s.origin[w] = min(End, max(s.origin[w], p.Origin))
	if p.Count == (Count{}) {
		return Count{}
	}
	i := s.find(replica)
	if i < 0 {
		if len(s.others) >= MaxCells {
			return Count{}
		}
		i = len(s.others)
		s.others = append(s.others, cell{replica: replica})
	}
	c := &s.others[i].count[w]
	joined, gain := c.join(p.Count)
	*c = joined
	s.net[w] += gain.P - gain.N // modulo 1<<64: the sum is not negative
	start := s.start
	if w == prev {
		start = f.Before(start)
	}
	s.origin[w] = max(s.origin[w], start)
	return gain
}

func (s *State) find(r Replica) int {
	return slices.IndexFunc(s.others, func(c cell) bool { return c.replica == r })
}

// Clone is a copy that shares nothing with s that ever changes.
func (s *State) Clone() State {
	c := *s
	c.others = slices.Clone(s.others)
	return c
}

// Carried calls yield with what messages carried of each replica's counters: this one's
// (named self) as last sent, and the others' as merged.
func (s *State) Carried(self Replica, yield func(Replica, Gain)) {
	yield(self, Gain{Cur: s.sent[cur], Prev: s.sent[prev]})
	for _, c := range s.others {
		yield(c.replica, Gain{Cur: c.count[cur], Prev: c.count[prev]})
	}
}

// Origins are the current and the previous window's origins: each the later of its own and the
// lent one.
func (s *State) Origins() [2]int64 {
	if s.lent == nil {
		return s.origin
	}
	return [2]int64{max(s.origin[cur], s.lent[cur]), max(s.origin[prev], s.lent[prev])}
}

// OnTime reports whether no origin, lent ones included, is later than the start of its window.
// The windows are of one width.
func (s *State) OnTime(width int64) bool {
	return s.lent == nil && s.origin[cur] <= s.start && s.origin[prev] <= s.start-width
}

// OriginAt is the own origin of the live window at start, Never if the state holds none.
func (s *State) OriginAt(f *Frame, start int64) int64 {
	switch start {
	case s.start:
		return s.origin[cur]
	case f.Before(s.start):
		return s.origin[prev]
	default:
		return Never
	}
}

// CarriedOver is the previous window's own origin as it will be when the window at start is the
// current one, and the TAT that follows from it. Both are Never if nothing is known or the
// state is already further. CarriedOver changes nothing.
func (s *State) CarriedOver(f *Frame, start int64) (origin, tat int64) {
	if s.lent != nil {
		c := s.Clone()
		c.Roll(f, start)
		c.Unlend(f)
		return c.CarriedOver(f, start)
	}
	switch steps := f.steps(s.start, start); {
	case start < s.start:
		return Never, Never
	case steps == 0:
		return s.origin[prev], s.carry
	case steps == 1:
		return s.Base(), s.TAT(f)
	default:
		return s.TAT(f), s.TAT(f)
	}
}
