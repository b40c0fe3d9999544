package crdt_test

import (
	"testing"

	"pgregory.net/rapid"

	"github.com/distributed-rate-limiter/distributed-rate-limiter/crdt"
)

// What is lent counts, and nobody is told of it. Taken back, it leaves no trace, unless units
// folded that drain behind it.
func TestWhatIsLentCountsUntilItIsTakenBack(t *testing.T) {
	f := &seventh.frame
	for name, row := range map[string]struct {
		admit  uint64
		rolls  int64
		stays  bool // what was lent cannot be taken back any more
		counts bool // it is ahead of all else
	}{
		"in the window of the loan":      {admit: 3, counts: true},
		"in the next one":                {admit: 3, rolls: 1, counts: true},
		"when the units fold":            {admit: 3, rolls: 2, stays: true, counts: true},
		"long after":                     {admit: 3, rolls: 5, stays: true, counts: true},
		"where nothing was admitted":     {rolls: 2, counts: true},
		"long after, where nothing was":  {rolls: 5, counts: true},
		"when everything has drained by": {admit: 1, rolls: 2000, stays: true},
	} {
		t.Run(name, func(t *testing.T) {
			loan := int64(now + 1000*width)
			s, bare := crdt.New(now), crdt.New(now)
			s.LendPrevious(f, loan)
			for _, s := range []*crdt.State{&s, &bare} {
				if row.admit > 0 {
					s.Admit(row.admit)
				}
				s.Roll(f, now+row.rolls*width)
			}
			if got, want := s.TAT(f), loan+f.Drain(row.admit); row.counts && got != want {
				t.Errorf("TAT is %d, want %d", got, want)
			}
			if told := s.Own() != bare.Own(); told != row.stays {
				t.Errorf("the row tells of it: %t, want %t", told, row.stays)
			}
			s.Unlend(f)
			if stays := s.TAT(f) != bare.TAT(f); stays != row.stays {
				t.Errorf("a trace stays: %t, want %t", stays, row.stays)
			}
		})
	}
}

func TestWhatIsKeptIsToldAndStays(t *testing.T) {
	f := &seventh.frame
	s := crdt.New(now)
	s.Lend(now + 5)
	s.LendPrevious(f, now+9)
	s.LendPrevious(f, now+7)
	if o := s.Origins(); o != [2]int64{now + 5, now + 9} || !s.Untouched() {
		t.Errorf("origins %v, untouched %t", o, s.Untouched())
	}
	copied := s.Clone()
	s.Keep(f)
	s.Unlend(f)
	if own := s.Own(); own.Cur.Origin != now+5 || own.Prev.Origin != now+9 || s.Untouched() {
		t.Errorf("%+v, untouched %t", own, s.Untouched())
	}
	if own := copied.Own(); own.Cur.Origin != crdt.Never || copied.TAT(f) != now+9 {
		t.Errorf("a copy changed: %+v, TAT %d", own, copied.TAT(f))
	}
}

// Rolling in one step or in many gives the same state, also of what is lent.
func TestALoanRollsInAnySteps(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		f := &seventh.frame
		s := crdt.New(now)
		for range rapid.IntRange(0, 4).Draw(t, "steps") {
			switch rapid.IntRange(0, 3).Draw(t, "step") {
			case 0:
				s.Admit(rapid.Uint64Range(1, 9).Draw(t, "cost"))
			case 1:
				s.Roll(f, s.Start()+width)
			case 2:
				s.LendPrevious(f, now+rapid.Int64Range(0, 10*width).Draw(t, "origin"))
			case 3:
				s.Merge(f, 2, s.Start(), crdt.Row{Cur: crdt.Part{Origin: s.Start(), Count: crdt.Count{P: 3}}, Prev: crdt.Part{Origin: crdt.Never}})
			}
		}
		to := s.Start() + width*rapid.Int64Range(0, 4).Draw(t, "windows")
		once, often := s.Clone(), s.Clone()
		once.Roll(f, to)
		for start := s.Start(); start <= to; start += width {
			often.Roll(f, start)
		}
		if a, b := look(f, &once, 1), look(f, &often, 1); a.TAT != b.TAT || a.Base != b.Base || once.Own() != often.Own() || once.Origins() != often.Origins() {
			t.Fatalf("%+v and %+v", a, b)
		}
		o, tat := s.CarriedOver(f, to)
		if once.Unlend(f); once.Own().Prev.Origin != o || to > s.Start() && once.Own().Cur.Origin == crdt.Never && once.Base() != tat {
			t.Fatalf("carries over %d and %d, and came to %+v", o, tat, once.Own())
		}
	})
}
