package rights

import "testing"

// lending is an account with a share of 1 s of 2 s, full, that lends.
func lending(at int64) (a Account, t Time) {
	t = Time{Own: at, Mono: at, Wall: at}
	a = Account{Terms: NewTerms(2e9, 0, 100, 2), Share: true, Began: 1e9, Opens: 2e9, Full: 3e9, Record: &Record{}}
	a.Settle(t)
	return a, t
}

func TestAReportFreesTheLoansOfWhoReportsAlone(t *testing.T) {
	a, now := lending(100e9)
	a.Lend(now, 4e8, 7, 1)
	for name, told := range map[string]func(){
		"another incarnation":  func() { a.Told(8, 0, 99) },
		"one that may take it": func() { a.Told(7, 0, 0) },
		"one that holds it":    func() { a.Told(7, 4e8, 1) },
	} {
		if told(); a.Record.Lent() != 4e8 {
			t.Errorf("%s says what it holds, and %d are lent, want 400 ms", name, a.Record.Lent())
		}
	}
	if a.Told(7, 1e8, 1); a.Record.Lent() != 1e8 {
		t.Errorf("%d are lent after the borrower spent all but 100 ms", a.Record.Lent())
	}
	a.Lend(now, 2e8, 8, 1)
	if a.Told(8, 0, 99); a.Record.Lent() != 3e8 {
		t.Errorf("%d are lent to two, and one of them speaks for both", a.Record.Lent())
	}
}

// Nobody looks at the account while its tokens are out, and it is computed when they are back.
func TestWhatIsLentDoesNotRefillMeanwhile(t *testing.T) {
	a, now := lending(100e9)
	a.Lend(now, 1e9, 7, 1)
	later := now.Own - now.Own%a.Terms.Epoch + 2*a.Terms.Epoch + 5e6
	then := Time{Own: later, Mono: later, Wall: later}
	a.Settle(then)
	if a.Record.Lent() != 0 || a.Own(then) > 5e6/2 {
		t.Errorf("5 ms after the loan is back the account owns %d, and %d are lent", a.Own(then), a.Record.Lent())
	}
}

func TestSharesAddUpToNoMoreThanTheWhole(t *testing.T) {
	for _, members := range []int{1, 2, 3, 7, 64} {
		for _, depth := range []int64{1, 1e9, 1e9 + 1, 6e10 - 1} {
			x := NewTerms(depth, depth/3, 1000, members)
			if x.Parts*x.Room > depth || x.Parts*x.Overdraft > depth/3 || x.Parts > int64(members) {
				t.Errorf("%d members share %d: %+v", members, depth, x)
			}
		}
	}
	if x := NewTerms(1e9, 0, 3, 5); x.Parts != 3 {
		t.Errorf("3 units are in %d shares, want 3 of at least one", x.Parts)
	}
}

func TestWhatWasEarnedAgainDoesNotComeBack(t *testing.T) {
	a, now := lending(100e9)
	a.Spend(now, 5e8)
	own := a.Spend(now, 5e8)
	later := now
	later.Own += 6e8 // it earns 300 ms
	a.Settle(later)
	if a.GiveBack(later, own, now.Own, a.Terms.Parts); a.Own(later) != 5e8 {
		t.Errorf("the account owns %d, want 300 ms earned and 200 ms back", a.Own(later))
	}
}

func TestAPartOfAUnitThatWasBorrowedStaysWithTheRestOfIt(t *testing.T) {
	const unit = int64(2e7)
	a, now := lending(100e9)
	a.Record.Asks.used = now.Mono - 1e9 // long enough ago for its demand to be forgotten
	if got := a.Spare(now, 0, unit, true); got != 1e9 {
		t.Errorf("without loans, %d can be lent, want all", got)
	}
	a.Borrow(now, unit/4, now.Mono, now.Wall, 7, 1)
	if got := a.Spare(now, 0, unit, true); got != 1e9-unit*3/4 {
		t.Errorf("with a quarter of a unit borrowed, %d can be lent, want all but three quarters", got)
	}
	a.Borrow(now, unit, now.Mono, now.Wall, 7, 1)
	if got := a.Spare(now, 0, unit, true); got != 1e9 {
		t.Errorf("with more than a unit borrowed, %d can be lent, want all", got)
	}
}
