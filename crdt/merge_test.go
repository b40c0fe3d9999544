package crdt_test

import (
	"fmt"
	"maps"
	"reflect"
	"slices"
	"testing"

	"pgregory.net/rapid"

	"github.com/distributed-rate-limiter/distributed-rate-limiter/crdt"
)

// view is everything that a State shows.
type view struct {
	Start, Base, TAT     int64
	Count, CountPrevious uint64
	Held                 bool
	Rows                 map[crdt.Replica]crdt.Row
}

func look(f *crdt.Frame, s *crdt.State, self crdt.Replica) view {
	return view{
		Start: s.Start(), Base: s.Base(), TAT: s.TAT(f),
		Count: s.Count(), CountPrevious: s.CountPrevious(),
		Held: s.Held(), Rows: rows(s, self),
	}
}

func rows(s *crdt.State, self crdt.Replica) map[crdt.Replica]crdt.Row {
	all := map[crdt.Replica]crdt.Row{}
	s.Rows(self, func(r crdt.Replica, row crdt.Row) { all[r] = row })
	return all
}

// message is one replica's row as it travels.
type message struct {
	from  crdt.Replica
	start int64
	row   crdt.Row
}

func (m message) String() string {
	return fmt.Sprintf("%d says in window %d: %+v", m.from, m.start, m.row)
}

// The merge tests use one limit, in whose windows the times below lie: the current
// one starts at now.
const (
	width    = 1000
	now      = 50 * width
	observer = crdt.Replica(99) // merges, and never admits
)

var seventh = newLimit(7, 100, 40, width)

var counts = rapid.Custom(func(t *rapid.T) crdt.Count {
	p := rapid.OneOf(rapid.Uint64Range(0, 5), rapid.Uint64Range(0, crdt.MaxTotal)).Draw(t, "P")
	return crdt.Count{P: p, N: rapid.Uint64Range(0, p).Draw(t, "N")}
})

func parts(start int64) *rapid.Generator[crdt.Part] {
	return rapid.Custom(func(t *rapid.T) crdt.Part {
		return crdt.Part{
			Origin: rapid.OneOf(rapid.Just[int64](crdt.Never), rapid.Int64Range(start-width, start+2*width)).Draw(t, "origin"),
			Count:  counts.Draw(t, "count"),
		}
	})
}

// messages of the current window, the one before, or one that is folded already.
var messages = rapid.Custom(func(t *rapid.T) message {
	start := now - width*rapid.Int64Range(0, 3).Draw(t, "windows ago")
	return message{
		from:  crdt.Replica(rapid.IntRange(1, 4).Draw(t, "from")),
		start: start,
		row:   crdt.Row{Cur: parts(start).Draw(t, "cur"), Prev: parts(start-width).Draw(t, "prev")},
	}
})

func merged(all []message) *crdt.State {
	s := crdt.New(now)
	for _, m := range all {
		s.Merge(&seventh.frame, m.from, m.start, m.row)
	}
	return &s
}

func same(t *rapid.T, what string, a, b *crdt.State) {
	x, y := look(&seventh.frame, a, observer), look(&seventh.frame, b, observer)
	if !reflect.DeepEqual(x, y) {
		t.Fatalf("%s:\n%+v\n%+v", what, x, y)
	}
}

func TestMergeIsCommutative(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		all := rapid.SliceOf(messages).Draw(t, "messages")
		same(t, "in another order", merged(all), merged(rapid.Permutation(all).Draw(t, "shuffled")))
	})
}

// The rows of a state that merged some messages are worth those messages.
func TestMergeIsAssociative(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		some, more := rapid.SliceOf(messages).Draw(t, "some"), rapid.SliceOf(messages).Draw(t, "more")
		relay, direct := merged(some), merged(append(slices.Clone(more), some...))
		s := merged(more)
		relay.Rows(observer, func(r crdt.Replica, row crdt.Row) { s.Merge(&seventh.frame, r, relay.Start(), row) })
		same(t, "through a relay", direct, s)
	})
}

func TestMergeIsIdempotent(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		all := rapid.SliceOfN(messages, 1, -1).Draw(t, "messages")
		again := rapid.SliceOf(rapid.SampledFrom(all)).Draw(t, "again")
		s := merged(all)
		for _, m := range again {
			if g := s.Merge(&seventh.frame, m.from, m.start, m.row); g != (crdt.Gain{}) {
				t.Fatalf("%v: gained %+v from what was known", m, g)
			}
		}
		same(t, "with repetitions", merged(all), s)
	})
}

func TestMergeIsMonotone(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		s := merged(rapid.SliceOf(messages).Draw(t, "messages"))
		before := look(&seventh.frame, s, observer)
		m := messages.Draw(t, "one more")
		s.Merge(&seventh.frame, m.from, m.start, m.row)
		after := look(&seventh.frame, s, observer)
		for r, old := range before.Rows {
			row, ok := after.Rows[r]
			if !ok && (old.Cur.Count != crdt.Count{} || old.Prev.Count != crdt.Count{}) {
				t.Fatalf("the row of %d is gone", r)
			}
			if ok && (!atLeast(row.Cur, old.Cur) || !atLeast(row.Prev, old.Prev)) {
				t.Fatalf("the row of %d was %+v and is %+v", r, old, row)
			}
		}
		if m.row.Cur.Count.N == 0 && m.row.Prev.Count.N == 0 && after.TAT < before.TAT {
			t.Fatalf("admissions moved TAT back from %d to %d", before.TAT, after.TAT)
		}
	})
}

func atLeast(a, b crdt.Part) bool {
	return a.Origin >= b.Origin && a.Count.P >= b.Count.P && a.Count.N >= b.Count.N
}

// What Merge says it gained is what the rows grew by, whatever the order.
func TestGainsAddUpToTheRows(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		s := crdt.New(now)
		sum := map[crdt.Replica]crdt.Row{}
		for _, m := range rapid.SliceOf(messages).Draw(t, "messages") {
			g := s.Merge(&seventh.frame, m.from, m.start, m.row)
			row := sum[m.from]
			if m.start == now {
				add(&row.Cur.Count, g.Cur)
				add(&row.Prev.Count, g.Prev)
			} else {
				add(&row.Prev.Count, g.Cur)
				if g.Prev != (crdt.Count{}) {
					t.Fatalf("%v: gained %+v in a folded window", m, g.Prev)
				}
			}
			sum[m.from] = row
		}
		for r, want := range sum {
			got, _ := s.RowOf(r)
			if got.Cur.Count != want.Cur.Count || got.Prev.Count != want.Prev.Count {
				t.Fatalf("the row of %d is %+v, gained %+v", r, got, want)
			}
		}
	})
}

func add(c *crdt.Count, g crdt.Count) { c.P, c.N = c.P+g.P, c.N+g.N }

func TestMergeIsThePointwiseMaximum(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		all := rapid.SliceOf(messages).Draw(t, "messages")
		s, h := merged(all), newHistory(width)
		for _, m := range all {
			switch m.start {
			case now:
				h.know(now, m.from, m.row.Cur)
				h.know(now-width, m.from, m.row.Prev)
			case now - width:
				h.know(now-width, m.from, m.row.Cur)
			}
		}
		if s.Count() != h.net(now) || s.CountPrevious() != h.net(now-width) {
			t.Fatalf("counts %d and %d, want %d and %d", s.Count(), s.CountPrevious(), h.net(now), h.net(now-width))
		}
		current, previous := h.part(now, 0).Origin, h.part(now-width, 0).Origin
		carry := previous
		if carry > crdt.Never {
			carry = min(crdt.End, carry+seventh.drain(h.net(now-width)))
		}
		if want := max(current, carry); s.Base() != want {
			t.Fatalf("base %d, want %d", s.Base(), want)
		}
		if want := min(crdt.End, max(current, carry)+seventh.drain(h.net(now))); s.TAT(&seventh.frame) != want {
			t.Fatalf("TAT %d, want %d", s.TAT(&seventh.frame), want)
		}
		want := map[crdt.Replica]crdt.Row{}
		for _, w := range []int64{now, now - width} {
			for r := range h.count[w] {
				want[r] = crdt.Row{Cur: h.part(now, r), Prev: h.part(now-width, r)}
			}
		}
		if len(want) == 0 && max(current, previous) > crdt.Never {
			want[observer] = crdt.Row{Cur: crdt.Part{Origin: current}, Prev: crdt.Part{Origin: previous}}
		}
		if got := rows(s, observer); !maps.Equal(got, want) {
			t.Fatalf("rows\n%+v, want\n%+v", got, want)
		}
	})
}
