package crdt_test

import (
	"maps"
	"math/big"
	"testing"

	"pgregory.net/rapid"

	"github.com/distributed-rate-limiter/distributed-rate-limiter/crdt"
)

// site is one replica of one client, with the oracle of what it knows.
type site struct {
	name  crdt.Replica
	state crdt.State
	knows *history
}

// telling is a delta's row, and the same as the sender's oracle would put it:
// without what the sender has folded.
type telling struct {
	from      crdt.Replica
	start     int64
	row       crdt.Row
	cur, prev crdt.Part
}

func (s *site) tell() telling {
	start := s.state.Start()
	return telling{
		from: s.name, start: start, row: s.state.Own(),
		cur: s.knows.part(start, s.name), prev: s.knows.part(start-s.knows.width, s.name),
	}
}

func (s *site) hear(l *limit, m telling) {
	s.state.Merge(&l.frame, m.from, m.start, m.row)
	s.knows.know(m.start-s.knows.width, m.from, m.prev)
	s.knows.know(m.start, m.from, m.cur)
}

// check holds the state against the history that was never folded: the same TAT if
// a unit drains in a whole number of nanoseconds; otherwise not before it, and less
// than 1 ns after it for each window with a sum that was rounded.
func (s *site) check(t *rapid.T, l *limit) {
	exact := s.knows.tat(l)
	if exact == nil {
		if s.state.TAT(&l.frame) != crdt.Never {
			t.Fatalf("replica %d: TAT %d of an unknown client", s.name, s.state.TAT(&l.frame))
		}
		return
	}
	ahead := new(big.Int).Sub(l.scaled(s.state.TAT(&l.frame)), exact)
	bound := l.scaled(0)
	if l.rounds() {
		bound = l.scaled(int64(s.knows.counted()))
	}
	if ahead.Sign() < 0 || ahead.Sign() > 0 && ahead.Cmp(bound) >= 0 {
		t.Fatalf("replica %d: TAT %d is %v/%d ns ahead of the unfolded one, in %d windows",
			s.name, s.state.TAT(&l.frame), ahead, l.units, s.knows.counted())
	}
}

// group is some replicas of one client, whose messages may be repeated and
// overtaken, but arrive within the two live windows.
type group struct {
	*limit
	sites  []*site
	sent   []telling
	settle int64 // no replica changes windows before this one any more
}

func newGroup(t *rapid.T, units, window, width int64) *group {
	g := &group{limit: newLimit(units, window, 40, width), settle: now}
	for i := range rapid.IntRange(1, 4).Draw(t, "replicas") {
		g.sites = append(g.sites, &site{name: crdt.Replica(i + 1), state: crdt.New(now), knows: newHistory(width)})
	}
	return g
}

func (g *group) draw(t *rapid.T) *site {
	return g.sites[rapid.IntRange(0, len(g.sites)-1).Draw(t, "replica")]
}

// roll moves one replica to a later window, after every replica has arrived in the
// one before and has heard the last of the window that will be folded.
func (g *group) roll(t *rapid.T, s *site) {
	steps := rapid.SampledFrom([]int64{1, 1, 1, 2, 7}).Draw(t, "steps")
	target := s.state.Start() + steps*g.frame.Width
	for w := g.settle; w < target; w += g.frame.Width {
		for _, other := range g.sites {
			other.state.Roll(&g.frame, w)
		}
		g.deliverLast(t)
	}
	g.settle = max(g.settle, target)
	s.state.Roll(&g.frame, target)
}

// deliverLast tells everyone the final totals of the window that is now the previous
// one everywhere, and nothing of the current one.
func (g *group) deliverLast(t *rapid.T) {
	for _, from := range rapid.Permutation(g.sites).Draw(t, "senders") {
		m := from.tell()
		m.row.Cur, m.cur = crdt.Part{Origin: crdt.Never}, crdt.Part{Origin: crdt.Never}
		for _, to := range g.sites {
			if to != from {
				to.hear(g.limit, m)
			}
		}
	}
}

func (g *group) admit(t *rapid.T, s *site) {
	start := s.state.Start()
	at := start + rapid.Int64Range(0, g.frame.Width-1).Draw(t, "time")
	origin := g.charge(&s.state, at, rapid.Int64Range(1, 40).Draw(t, "cost"))
	s.knows.know(start, s.name, crdt.Part{Origin: origin, Count: s.state.Own().Cur.Count})
}

// giveBack takes something back, also in the previous window while that is not
// folded anywhere.
func (g *group) giveBack(t *rapid.T, s *site) {
	start := s.state.Start()
	if start == g.settle && rapid.Bool().Draw(t, "previous") {
		start -= g.frame.Width
	}
	if start < g.settle-g.frame.Width {
		return
	}
	s.state.GiveBack(&g.frame, start, rapid.Uint64Range(1, 10).Draw(t, "cost"))
	own := s.state.Own()
	count := own.Cur.Count
	if start != s.state.Start() {
		count = own.Prev.Count
	}
	s.knows.know(start, s.name, crdt.Part{Origin: crdt.Never, Count: count})
}

func (g *group) send(_ *rapid.T, s *site) { g.sent = append(g.sent, s.tell()) }

func (g *group) receive(t *rapid.T, s *site) {
	if len(g.sent) == 0 {
		return
	}
	if m := rapid.SampledFrom(g.sent).Draw(t, "message"); m.from != s.name {
		s.hear(g.limit, m)
	}
}

// exchange tells everyone everything.
func (g *group) exchange(t *rapid.T) {
	for _, s := range g.sites {
		s.state.Roll(&g.frame, g.settle)
	}
	for _, from := range rapid.Permutation(g.sites).Draw(t, "senders") {
		for _, to := range g.sites {
			if to != from {
				to.hear(g.limit, from.tell())
			}
		}
	}
}

func (g *group) run(t *rapid.T) {
	actions := []func(*rapid.T, *site){g.admit, g.admit, g.admit, g.giveBack, g.send, g.send, g.receive, g.receive, g.receive, g.roll}
	for range rapid.IntRange(1, 60).Draw(t, "actions") {
		s := g.draw(t)
		rapid.SampledFrom(actions).Draw(t, "action")(t, s)
		for _, s := range g.sites {
			s.check(t, g.limit)
		}
	}
	g.exchange(t)
	first := g.sites[0]
	for _, s := range g.sites {
		s.check(t, g.limit)
		if s.state.TAT(&g.frame) != first.state.TAT(&g.frame) || s.state.Base() != first.state.Base() {
			t.Errorf("replicas 1 and %d know the same but have TAT %d and %d", s.name, first.state.TAT(&g.frame), s.state.TAT(&g.frame))
		}
		if a, b := rows(&first.state, first.name), rows(&s.state, s.name); first.state.Held() && !maps.Equal(a, b) {
			t.Errorf("replicas 1 and %d know the same but have the rows\n%+v\n%+v", s.name, a, b)
		}
	}
}

func TestReplicasConvergeToTheUnfoldedHistory(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) { newGroup(t, 10, 1000, width).run(t) })
}

func TestReplicasConvergeWithinANanosecondPerWindow(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		units := rapid.SampledFrom([]int64{3, 7, 999, 12_345_679}).Draw(t, "units")
		newGroup(t, units, rapid.SampledFrom([]int64{500, 1000, 3001}).Draw(t, "per"), width).run(t)
	})
}
