package crdt_test

import (
	"math"
	"testing"

	"github.com/distributed-rate-limiter/distributed-rate-limiter/crdt"
)

func TestCountIsValidUpToItsLimits(t *testing.T) {
	for _, row := range []struct {
		count crdt.Count
		valid bool
		net   uint64
	}{
		{crdt.Count{}, true, 0},
		{crdt.Count{P: 1}, true, 1},
		{crdt.Count{P: 5, N: 5}, true, 0},
		{crdt.Count{P: crdt.MaxTotal, N: 1}, true, crdt.MaxTotal - 1},
		{crdt.Count{P: crdt.MaxTotal, N: crdt.MaxTotal}, true, 0},
		{crdt.Count{P: 4, N: 5}, false, 0},
		{crdt.Count{P: crdt.MaxTotal + 1}, false, 0},
		{crdt.Count{P: math.MaxUint64, N: math.MaxUint64}, false, 0},
		{crdt.Count{N: math.MaxUint64}, false, 0},
	} {
		if got := row.count.Valid(); got != row.valid {
			t.Errorf("%+v: valid %t, want %t", row.count, got, row.valid)
		}
		if got := row.count.Net(); row.valid && got != row.net {
			t.Errorf("%+v: net %d, want %d", row.count, got, row.net)
		}
	}
}

// A total that is full stays full.
func TestTotalSaturates(t *testing.T) {
	s := crdt.New(now)
	s.Admit(crdt.MaxTotal - 1)
	s.Admit(5)
	s.Admit(math.MaxUint64)
	if want := (crdt.Count{P: crdt.MaxTotal}); s.Own().Cur.Count != want || s.Count() != crdt.MaxTotal {
		t.Errorf("%+v, count %d, want %+v", s.Own().Cur.Count, s.Count(), want)
	}
	if got := s.Unsent(); got != crdt.MaxTotal {
		t.Errorf("unsent %d", got)
	}
}

// full is a state with as many replicas as it holds, each with as much as it can
// count, in the window that starts at now.
func full() *crdt.State {
	s := crdt.New(now)
	s.Admit(crdt.MaxTotal)
	for r := range crdt.Replica(crdt.MaxCells) {
		s.Merge(&seventh.frame, r+1, now, most(crdt.MaxTotal))
	}
	return &s
}

func most(p uint64) crdt.Row {
	return crdt.Row{Cur: crdt.Part{Origin: now, Count: crdt.Count{P: p}}, Prev: crdt.Part{Origin: crdt.Never}}
}

// Every sum of counters, with a cost on top, fits in 64 bits.
func TestSumOfFullCountersDoesNotOverflow(t *testing.T) {
	s := full()
	if want := uint64(crdt.MaxCells+1) * crdt.MaxTotal; s.Count() != want {
		t.Errorf("count %d, want %d", s.Count(), want)
	}
	if s.Count()+crdt.MaxTotal < s.Count() {
		t.Error("no room for a cost on top")
	}
	if s.TAT(&seventh.frame) < now+math.MaxInt64/100 {
		t.Errorf("TAT %d: what is full counts as empty", s.TAT(&seventh.frame))
	}
	s.Roll(&seventh.frame, now+width)
	if want := uint64(crdt.MaxCells+1) * crdt.MaxTotal; s.CountPrevious() != want {
		t.Errorf("previous count %d, want %d", s.CountPrevious(), want)
	}
}

func TestReplicasBeyondTheCapAreNotCounted(t *testing.T) {
	s := crdt.New(now)
	for r := range crdt.Replica(crdt.MaxCells) {
		s.Merge(&seventh.frame, r+1, now, most(1))
	}
	if g := s.Merge(&seventh.frame, crdt.MaxCells+1, now, most(1)); g != (crdt.Gain{}) {
		t.Errorf("gained %+v from one replica too many", g)
	}
	if s.Count() != crdt.MaxCells {
		t.Errorf("count %d, want %d", s.Count(), crdt.MaxCells)
	}
	if g := s.Merge(&seventh.frame, 1, now, most(3)); g != (crdt.Gain{Cur: crdt.Count{P: 2}}) {
		t.Errorf("gained %+v from a replica that is held", g)
	}

	// Cells end with their windows.
	s.Roll(&seventh.frame, now+width)
	if g := s.Merge(&seventh.frame, crdt.MaxCells+1, now+width, most(1)); g != (crdt.Gain{}) {
		t.Errorf("gained %+v while all cells are still live", g)
	}
	s.Roll(&seventh.frame, now+2*width)
	if g := s.Merge(&seventh.frame, crdt.MaxCells+1, now+2*width, most(1)); g != (crdt.Gain{Cur: crdt.Count{P: 1}}) {
		t.Errorf("gained %+v after the others' windows ended", g)
	}
}

// Origins stay from Never to End, whatever they are raised to, so that a drain time
// can always be added.
func TestOriginsSaturate(t *testing.T) {
	f := &crdt.Frame{Width: width, Drain: func(c uint64) int64 {
		if c == 0 {
			return 0
		}
		return crdt.End
	}}
	early := crdt.Part{Origin: math.MinInt64}
	late := crdt.Part{Origin: math.MaxInt64, Count: crdt.Count{P: 1}}
	for name, raise := range map[string]func(*crdt.State){
		"Raise":         func(s *crdt.State) { s.Raise(math.MaxInt64) },
		"RaisePrevious": func(s *crdt.State) { s.RaisePrevious(f, math.MaxInt64) },
		"Merge":         func(s *crdt.State) { s.Merge(f, 1, now, crdt.Row{Cur: late, Prev: early}) },
		"Merge before":  func(s *crdt.State) { s.Merge(f, 1, now, crdt.Row{Cur: early, Prev: late}) },
		"Admit":         func(s *crdt.State) { s.Admit(1) },
	} {
		s := crdt.New(now)
		raise(&s)
		for start := int64(now); start < now+5*width; start += width {
			s.Roll(f, start)
			s.Admit(1)
			if o := s.Origins(); s.TAT(f) != crdt.End || s.Base() > crdt.End || max(o[0], o[1]) > crdt.End {
				t.Errorf("%s, at %d: TAT %d, base %d, origins %v", name, start-now, s.TAT(f), s.Base(), o)
			}
		}
		s.Roll(f, now+100*width)
		if s.TAT(f) != crdt.End {
			t.Errorf("%s: TAT %d after a gap", name, s.TAT(f))
		}
	}
	s := crdt.New(now)
	s.Merge(f, 1, now, crdt.Row{Cur: early, Prev: early})
	s.Raise(math.MinInt64)
	s.RaisePrevious(f, math.MinInt64)
	if s.TAT(f) != crdt.Never || s.Base() != crdt.Never {
		t.Errorf("TAT %d, base %d after origins before Never", s.TAT(f), s.Base())
	}
}

// The deepest bucket of a limit, ten years, ends before End if it is filled before
// 2106: a fold forgets nothing of it.
func TestFoldKeepsTheDeepestBucket(t *testing.T) {
	const decade = 10 * 366 * 24 * 3_600_000_000_000
	for _, at := range []int64{epoch, 4_291_747_200_000_000_000} {
		l := newLimit(10, decade, 10, 60_000_000_000)
		s := crdt.New(l.frame.Start(at))
		if !l.take(&s, at, 10) {
			t.Fatalf("a full burst was denied at %d", at)
		}
		for k := range int64(4) {
			s.Roll(&l.frame, l.frame.Start(at)+k*l.frame.Width)
			if s.TAT(&l.frame) != at+decade {
				t.Fatalf("TAT is %d after %d windows, want %d", s.TAT(&l.frame), k, at+decade)
			}
		}
	}
}
