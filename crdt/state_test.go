package crdt_test

import (
	"maps"
	"reflect"
	"testing"

	"pgregory.net/rapid"

	"github.com/distributed-rate-limiter/distributed-rate-limiter/crdt"
)

// lived draws a state with counters of its own and of others in both windows.
func lived(t *rapid.T) *crdt.State {
	s := crdt.New(now - 2*width)
	for start := int64(now - 2*width); start <= now; start += width {
		s.Roll(&seventh.frame, start)
		for range rapid.IntRange(0, 3).Draw(t, "own") {
			seventh.charge(&s, start+rapid.Int64Range(0, width-1).Draw(t, "time"), rapid.Int64Range(1, 40).Draw(t, "cost"))
		}
		for range rapid.IntRange(0, 3).Draw(t, "others") {
			m := messages.Draw(t, "message")
			s.Merge(&seventh.frame, m.from, start, m.row)
		}
		if rapid.Bool().Draw(t, "sent") {
			s.Sent()
		}
	}
	return &s
}

func TestRollInOneStepEqualsRollInMany(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		s := lived(t)
		target := now + width*rapid.Int64Range(0, 9).Draw(t, "windows")
		before := look(&seventh.frame, s, observer)
		one := crdt.New(now)
		s.Rows(observer, func(r crdt.Replica, row crdt.Row) { one.Merge(&seventh.frame, r, now, row) })
		one.Roll(&seventh.frame, target)
		for start := int64(now); start < target; {
			start += width * rapid.Int64Range(1, (target-start)/width).Draw(t, "step")
			s.Roll(&seventh.frame, start)
		}
		a, b := look(&seventh.frame, &one, observer), look(&seventh.frame, s, observer)
		if !reflect.DeepEqual(a, b) {
			t.Fatalf("in one step\n%+v, in many\n%+v", a, b)
		}
		if a.TAT != before.TAT {
			t.Fatalf("rolling moved TAT from %d to %d", before.TAT, a.TAT)
		}
	})
}

func TestRollNeverGoesBack(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		s := lived(t)
		before := look(&seventh.frame, s, observer)
		s.Roll(&seventh.frame, now-width*rapid.Int64Range(0, 5).Draw(t, "back"))
		if after := look(&seventh.frame, s, observer); !reflect.DeepEqual(before, after) {
			t.Fatalf("was\n%+v, is\n%+v", before, after)
		}
	})
}

// After a gap of two windows or more, the whole TAT is the origin of the previous
// window and the cells are gone.
func TestGapLeavesTheTATAlone(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		s := lived(t)
		tat := s.TAT(&seventh.frame)
		s.Roll(&seventh.frame, now+width*rapid.Int64Range(2, 1000).Draw(t, "windows"))
		if s.Held() || s.Count() != 0 || s.CountPrevious() != 0 {
			t.Fatalf("still held: counts %d and %d", s.Count(), s.CountPrevious())
		}
		want := crdt.Row{Cur: crdt.Part{Origin: crdt.Never}, Prev: crdt.Part{Origin: tat}}
		if s.Own() != want || s.Base() != tat {
			t.Fatalf("%+v and base %d, want %+v", s.Own(), s.Base(), want)
		}
	})
}

// One window later, the current counters are the previous ones, and the origin is
// where the window before them ended.
func TestRollByOneWindowKeepsTheCurrentCounters(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		s := lived(t)
		before := look(&seventh.frame, s, observer)
		own := s.Own()
		s.Roll(&seventh.frame, now+width)
		if s.Count() != 0 || s.CountPrevious() != before.Count {
			t.Fatalf("counts %d and %d, want 0 and %d", s.Count(), s.CountPrevious(), before.Count)
		}
		if want := (crdt.Row{Cur: crdt.Part{Origin: crdt.Never}, Prev: crdt.Part{Origin: before.Base, Count: own.Cur.Count}}); s.Own() != want {
			t.Fatalf("own row %+v, want %+v", s.Own(), want)
		}
		for r, row := range before.Rows {
			got, ok := s.RowOf(r)
			if counted := row.Cur.Count != (crdt.Count{}); r != observer && (ok != counted || counted && got.Prev.Count != row.Cur.Count) {
				t.Fatalf("the row of %d was %+v and is %+v, %t", r, row, got, ok)
			}
		}
	})
}

func TestOriginIsNeverBelowTheWindowOnceSomethingWasCounted(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		s := lived(t)
		row := s.Own()
		if s.Count() > 0 && row.Cur.Origin < s.Start() {
			t.Fatalf("origin %d in the window that starts at %d", row.Cur.Origin, s.Start())
		}
		if s.CountPrevious() > 0 && row.Prev.Origin < s.Start()-width {
			t.Fatalf("origin %d in the window that starts at %d", row.Prev.Origin, s.Start()-width)
		}
	})
}

func TestUnknownClientHasNoTAT(t *testing.T) {
	s := crdt.New(now)
	s.Roll(&seventh.frame, now+width)
	s.Roll(&seventh.frame, now+9*width)
	if s.TAT(&seventh.frame) != crdt.Never || s.Base() != crdt.Never || s.Held() || s.Pending() {
		t.Errorf("TAT %d, base %d, held %t, pending %t", s.TAT(&seventh.frame), s.Base(), s.Held(), s.Pending())
	}
	if s.Start() != now+9*width {
		t.Errorf("start %d", s.Start())
	}
	if all := rows(&s, 1); len(all) != 0 {
		t.Errorf("rows %+v of a client of whom nothing is known", all)
	}
	if row := s.Own(); !row.Cur.Empty() || !row.Prev.Empty() {
		t.Errorf("own row %+v says something", row)
	}
}

// A life that continues another one starts with what was used in that.
func TestRaisedPreviousOriginCarriesOver(t *testing.T) {
	s := crdt.New(now)
	s.RaisePrevious(&seventh.frame, now+300)
	s.RaisePrevious(&seventh.frame, now+200)
	if s.TAT(&seventh.frame) != now+300 {
		t.Errorf("TAT %d, want %d", s.TAT(&seventh.frame), now+300)
	}
	s.Merge(&seventh.frame, 2, now, crdt.Row{Cur: crdt.Part{Origin: crdt.Never}, Prev: crdt.Part{Origin: crdt.Never, Count: crdt.Count{P: 7}}})
	if s.TAT(&seventh.frame) != now+400 {
		t.Errorf("TAT %d after 7 late units, want %d", s.TAT(&seventh.frame), now+400)
	}
	s.Roll(&seventh.frame, now+width)
	if s.TAT(&seventh.frame) != now+400 {
		t.Errorf("TAT %d a window later, want %d", s.TAT(&seventh.frame), now+400)
	}
}

func TestRowsNameEachReplicaOnce(t *testing.T) {
	s := crdt.New(now)
	s.Raise(now + 5)
	if want := (crdt.Row{Cur: crdt.Part{Origin: now + 5}, Prev: crdt.Part{Origin: crdt.Never}}); rows(&s, 1)[1] != want {
		t.Errorf("without counters: %+v, want the origins as %+v", rows(&s, 1), want)
	}
	for _, from := range []crdt.Replica{9, 4, 7} {
		s.Merge(&seventh.frame, from, now, crdt.Row{Cur: crdt.Part{Origin: crdt.Never, Count: crdt.Count{P: uint64(from)}}})
	}
	var order []crdt.Replica
	collect := func(r crdt.Replica, _ crdt.Row) { order = append(order, r) }
	s.Rows(5, collect)
	if want := []crdt.Replica{4, 7, 9}; !reflect.DeepEqual(order, want) {
		t.Errorf("rows of %v, want %v: the origins are in all of them", order, want)
	}
	s.Admit(1)
	order = nil
	s.Rows(5, collect)
	if want := []crdt.Replica{5, 4, 7, 9}; !reflect.DeepEqual(order, want) {
		t.Errorf("rows of %v, want %v", order, want)
	}
	if row, ok := s.RowOf(7); !ok || row.Cur != (crdt.Part{Origin: now + 5, Count: crdt.Count{P: 7}}) {
		t.Errorf("the row of 7 is %+v, %t", row, ok)
	}
	if row, ok := s.RowOf(8); ok {
		t.Errorf("the row of 8 is %+v", row)
	}
}

func TestCloneSharesNothing(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		s := lived(t)
		before := look(&seventh.frame, s, observer)
		c := s.Clone()
		if got := look(&seventh.frame, &c, observer); !reflect.DeepEqual(got, before) {
			t.Fatalf("the clone is\n%+v, want\n%+v", got, before)
		}
		m := messages.Draw(t, "message")
		c.Merge(&seventh.frame, m.from, now, m.row)
		c.Roll(&seventh.frame, now+width)
		c.Admit(1)
		if after := look(&seventh.frame, s, observer); !reflect.DeepEqual(after, before) {
			t.Fatalf("what happens to the clone made\n%+v of\n%+v", after, before)
		}
	})
}

// Carried is what peers can know: of this replica what was sent, of the others all.
func TestCarriedIsWhatMessagesTold(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		s := lived(t)
		own, unsent := s.Own(), s.Clone()
		g := unsent.Sent()
		want := map[crdt.Replica]crdt.Gain{
			observer: {Cur: minus(own.Cur.Count, g.Cur), Prev: minus(own.Prev.Count, g.Prev)},
		}
		for r, row := range rows(s, observer) {
			if r != observer {
				want[r] = crdt.Gain{Cur: row.Cur.Count, Prev: row.Prev.Count}
			}
		}
		got := map[crdt.Replica]crdt.Gain{}
		s.Carried(observer, func(r crdt.Replica, carried crdt.Gain) { got[r] = carried })
		if !maps.Equal(got, want) {
			t.Fatalf("carried %+v, want %+v", got, want)
		}
		if got, want := s.Origins(), [2]int64{own.Cur.Origin, own.Prev.Origin}; got != want {
			t.Fatalf("origins %v, want %v", got, want)
		}
	})
}

func minus(c, g crdt.Count) crdt.Count { return crdt.Count{P: c.P - g.P, N: c.N - g.N} }

// A charge that a cap leaves out counts nothing. Nodes that made one and nodes that did not hold the
// same state.
func TestNothingAdmittedLeavesNoTrace(t *testing.T) {
	s := crdt.New(now)
	s.Admit(0)
	if !s.Untouched() || s.Pending() {
		t.Errorf("%+v after nothing was admitted", s)
	}
}
