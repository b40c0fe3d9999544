package crdt_test

import (
	"testing"

	"pgregory.net/rapid"

	"github.com/distributed-rate-limiter/distributed-rate-limiter/crdt"
)

func TestPartIsEmptyIfItSaysNothing(t *testing.T) {
	for _, row := range []struct {
		part  crdt.Part
		empty bool
	}{
		{crdt.Part{Origin: crdt.Never}, true},
		{crdt.Part{}, false}, // an origin in 1970
		{crdt.Part{Origin: crdt.Never + 1}, false},
		{crdt.Part{Origin: crdt.Never, Count: crdt.Count{P: 1}}, false},
		{crdt.Part{Origin: crdt.Never, Count: crdt.Count{P: 1, N: 1}}, false},
	} {
		if got := row.part.Empty(); got != row.empty {
			t.Errorf("%+v: empty %t, want %t", row.part, got, row.empty)
		}
	}
}

func TestOwnTotalsAreUnsentUntilTheyAreSent(t *testing.T) {
	f := &seventh.frame
	s := crdt.New(now)
	expect := func(step string, unsent uint64, pending bool) {
		t.Helper()
		if s.Unsent() != unsent || s.Pending() != pending {
			t.Errorf("%s: unsent %d, pending %t, want %d, %t", step, s.Unsent(), s.Pending(), unsent, pending)
		}
	}
	sent := func(step string, want crdt.Gain) {
		t.Helper()
		if got := s.Sent(); got != want {
			t.Errorf("%s: sent %+v, want %+v", step, got, want)
		}
		expect(step, 0, false)
	}

	expect("new", 0, false)
	s.Merge(f, 2, now, crdt.Row{Cur: crdt.Part{Origin: now, Count: crdt.Count{P: 9}}})
	expect("another's", 0, false)
	s.Admit(5)
	expect("admitted", 5, true)
	sent("first", crdt.Gain{Cur: crdt.Count{P: 5}})
	sent("nothing new", crdt.Gain{})

	// Giving back is to be told as well, though it is no cost.
	s.GiveBack(f, now, 2)
	expect("given back", 0, true)
	s.Admit(1)
	expect("admitted again", 1, true)

	// What is unsent stays so in the previous window, and is told as such.
	s.Roll(f, now+width)
	expect("rolled", 1, true)
	s.Admit(4)
	expect("both windows", 5, true)
	sent("both windows", crdt.Gain{Cur: crdt.Count{P: 4}, Prev: crdt.Count{P: 1, N: 2}})

	// With its window, what was never sent is gone, but for its trace in TAT.
	s.Admit(3)
	s.Roll(f, now+2*width)
	expect("previous", 3, true)
	s.Roll(f, now+3*width)
	expect("folded", 0, false)
	s.Admit(3)
	s.Roll(f, now+9*width)
	expect("after a gap", 0, false)
}

// What Sent returns adds up to the totals in the row, whenever it is called.
func TestSentGainsAddUpToTheOwnRow(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		f := &seventh.frame
		s := crdt.New(now)
		var sum, before crdt.Count
		for range rapid.IntRange(1, 30).Draw(t, "steps") {
			switch rapid.IntRange(0, 3).Draw(t, "step") {
			case 0:
				s.Admit(rapid.Uint64Range(0, 9).Draw(t, "cost"))
			case 1:
				s.GiveBack(f, s.Start()-width*rapid.Int64Range(0, 1).Draw(t, "ago"), rapid.Uint64Range(0, 9).Draw(t, "back"))
			case 2:
				s.Roll(f, s.Start()+width)
				sum, before = crdt.Count{}, sum
			case 3:
				own := s.Own()
				pending, unsent := s.Pending(), s.Unsent()
				g := s.Sent()
				if pending != (g != crdt.Gain{}) || unsent != g.Cur.P+g.Prev.P {
					t.Fatalf("pending %t, unsent %d, but sent %+v", pending, unsent, g)
				}
				add(&sum, g.Cur)
				add(&before, g.Prev)
				if sum != own.Cur.Count || before != own.Prev.Count {
					t.Fatalf("sent %+v and %+v in all, of %+v", sum, before, own)
				}
			}
		}
	})
}
