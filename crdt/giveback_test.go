package crdt_test

import (
	"testing"

	"pgregory.net/rapid"

	"github.com/distributed-rate-limiter/distributed-rate-limiter/crdt"
)

func TestGiveBackReturnsAtMostWhatWasAdmitted(t *testing.T) {
	f := &seventh.frame
	s := crdt.New(now)
	s.Merge(f, 2, now, crdt.Row{Cur: crdt.Part{Origin: now, Count: crdt.Count{P: 100}}, Prev: crdt.Part{Origin: crdt.Never}})
	s.Admit(10)
	for _, row := range []struct{ cost, returned uint64 }{{0, 0}, {4, 4}, {4, 4}, {4, 2}, {1, 0}} {
		if got := s.GiveBack(f, now, row.cost); got != row.returned {
			t.Errorf("%d given back of %d, want %d", got, row.cost, row.returned)
		}
	}
	if want := (crdt.Count{P: 10, N: 10}); s.Own().Cur.Count != want || s.Count() != 100 {
		t.Errorf("own %+v, count %d, want %+v and the other replica's 100", s.Own().Cur.Count, s.Count(), want)
	}
}

func TestGiveBackGoesToTheWindowWhereItWasTaken(t *testing.T) {
	f := &seventh.frame
	s := crdt.New(now)
	s.Admit(14)
	if s.TAT(f) != now+200 {
		t.Fatalf("TAT %d", s.TAT(f))
	}
	s.Roll(f, now+width)
	s.Admit(7)
	tat := s.TAT(f)

	if got := s.GiveBack(f, now, 7); got != 7 || s.CountPrevious() != 7 || s.Count() != 7 {
		t.Errorf("%d given back, counts %d and %d", got, s.Count(), s.CountPrevious())
	}
	if s.TAT(f) != tat { // the previous window's 7 units had drained anyway
		t.Errorf("TAT %d, want %d", s.TAT(f), tat)
	}
	if got := s.GiveBack(f, now+width, 7); got != 7 || s.TAT(f) != now+width {
		t.Errorf("%d given back, TAT %d, want %d", got, s.TAT(f), now+width)
	}
	s.Roll(f, now+2*width)
	s.Admit(5)
	for _, start := range []int64{now, now - width, now + 3*width, now + 2*width + 1, now + width - 1} {
		if got := s.GiveBack(f, start, 1); got != 0 {
			t.Errorf("%d given back in a window that is not held, %d after now", got, start-now)
		}
	}
}

// What is given back in the previous window lowers the standing that is carried
// into the current one.
func TestGiveBackInThePreviousWindowLowersTAT(t *testing.T) {
	f := &seventh.frame
	s := crdt.New(now)
	s.Admit(140) // drains in two windows
	s.Roll(f, now+width)
	s.Admit(7)
	if s.TAT(f) != now+2100 {
		t.Fatalf("TAT %d", s.TAT(f))
	}
	if got := s.GiveBack(f, now, 35); got != 35 || s.TAT(f) != now+1600 {
		t.Errorf("%d given back, TAT %d, want %d", got, s.TAT(f), now+1600)
	}
}

func TestGiveBackUndoesAnAdmission(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		s := lived(t)
		if s.Base() == crdt.Never {
			s.Raise(now)
		}
		s.Raise(s.Start()) // what Admit does to the origin is not undone
		f, before := &seventh.frame, s.TAT(&seventh.frame)
		cost := rapid.Uint64Range(0, 1000).Draw(t, "cost")
		s.Admit(cost)
		if got := s.GiveBack(f, now, cost); got != cost || s.TAT(f) != before {
			t.Fatalf("%d of %d given back, TAT %d, was %d", got, cost, s.TAT(f), before)
		}
		if own := s.Own(); !own.Cur.Count.Valid() {
			t.Fatalf("own %+v", own)
		}
	})
}
