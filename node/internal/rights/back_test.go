package rights

import (
	"testing"

	"github.com/distributed-rate-limiter/distributed-rate-limiter/crdt"
)

// borrowed is an account that holds a loan of an epoch of node 3's, and was not used since.
func borrowed(t *testing.T) (a Account, at Time) {
	t.Helper()
	a, at = lending(100e9)
	a.Spend(at, 1e9)
	a.Use(at, 1e9, 0, false)
	if a.Borrow(at, 3e8, at.Mono, at.Wall, 3, 77) != 3e8 {
		t.Fatal("it takes no loan")
	}
	return a, at
}

func TestALoanThatNobodyNeedsGoesBackBeforeItsEnd(t *testing.T) {
	a, at := borrowed(t)
	if y, _, _ := a.GiveUp(at); y != 0 {
		t.Fatal("it gives up a loan right after it came")
	}
	late := Time{Own: at.Own + 4e8, Mono: at.Mono + 4e8, Wall: at.Wall + 4e8} // of 500 ms
	a.Settle(late)
	y, from, epoch := a.GiveUp(late)
	if y != 3e8 || from != 3 || epoch != 77 || a.Record.Borrowed() != 0 {
		t.Errorf("it gives up %d of %d's epoch %d, and holds %d", y, from, epoch, a.Record.Borrowed())
	}
	a, at = borrowed(t)
	for i := range crdt.Replica(mostLots) { // of as many lenders, and the last two lots are one
		a.Borrow(at, 1e8, at.Mono, at.Wall, 4+i, 78)
	}
	a.Settle(late)
	for range mostLots - 1 {
		if y, from, _ := a.GiveUp(late); y == 0 || from == 0 {
			t.Fatalf("it gives up %d of %d's, with %d more of others", y, from, a.Record.Borrowed())
		}
	}
	if y, _, _ := a.GiveUp(late); y != 0 || a.Record.Borrowed() != 2e8 {
		t.Error("it gives up what it cannot tell whose it is")
	}
}

func TestLotsAreSpentAndEndInTheOrderOfTheirEnds(t *testing.T) {
	a, at := lending(100e9)
	a.Spend(at, 1e9)
	total := int64(0)
	for i, age := range []int64{3, 1, 4, 1, 5, 9, 2, 6, 5, 3, 5} { // asked so many ms ago
		y := int64(1+i) * 1e6
		total += a.Borrow(at, y, at.Mono-age*1e6, at.Wall-age*1e6, crdt.Replica(i+1), 77)
	}
	held := func() (sum int64) {
		for i, l := range a.Record.lots {
			if sum += l.tokens; i > 0 && l.tokens > 0 && (a.Record.lots[i-1].tokens == 0 || a.Record.lots[i-1].mono > l.mono) {
				t.Fatalf("lots are out of order: %v", a.Record.lots)
			}
		}
		return sum
	}
	if total != 66e6 || held() != total || a.Record.Borrowed() != total {
		t.Fatalf("of 66 ms it took %d, holds %d, says %d", total, held(), a.Record.Borrowed())
	}
	if a.Spend(at, 20e6) != 0 || held() != 46e6 {
		t.Errorf("after 20 ms were spent of 66, it holds %d", held())
	}
	for age := range int64(12) {
		then := Time{Own: at.Own, Mono: at.Mono + a.Terms.Loan - age*1e6, Wall: at.Wall}
		if a.Settle(then); a.Record.lots[0].tokens > 0 && a.Record.lots[0].mono <= then.Mono {
			t.Errorf("a lot outlives its end: %v at %d", a.Record.lots, then.Mono)
		}
		held()
	}
}

func TestALenderTakesBackWhatItStillCountsAsLent(t *testing.T) {
	a, at := lending(100e9)
	a.Lend(at, 4e8, 7, 1)
	a.Lend(at, 2e8, 8, 1) // to another one
	epoch := a.Record.Epoch()
	for _, of := range []int64{epoch - 2, epoch - 1, epoch + 1} {
		if a.Back(at, 1e8, of) != 0 {
			t.Fatalf("it takes back a loan of epoch %d, and made one in %d", of, epoch)
		}
	}
	own := a.Own(at)
	if got := a.Back(at, 3e8, epoch); got != 3e8 || a.Own(at) != own+3e8 || a.Record.Lent() != 3e8 {
		t.Errorf("of 300 ms %d come back: it owns %d more, and %d are lent", got, a.Own(at)-own, a.Record.Lent())
	}
	next := (epoch + 1) * a.Terms.Epoch
	then := Time{Own: next, Mono: next, Wall: next}
	a.Settle(then)
	own = a.Own(then)
	if got := a.Back(then, 1e8, epoch); got != 1e8 || a.Record.Lent() != 2e8 || a.Own(then) < own {
		t.Errorf("in the next epoch %d come back, and %d are lent", got, a.Record.Lent())
	}
	if got := a.Back(then, 1e9, epoch); got != 2e8 || a.Record.Lent() != 0 {
		t.Errorf("of more than it lent %d come back", got)
	}
	a.Lend(then, 1e8, 7, 2)
	over := (epoch + 2) * a.Terms.Epoch
	gone := Time{Own: over, Mono: over, Wall: over}
	a.Settle(gone)
	if got := a.Back(gone, 1e8, epoch); got != 0 || a.Record.Lent() != 1e8 {
		t.Errorf("of a loan that is over %d come back", got)
	}
}
