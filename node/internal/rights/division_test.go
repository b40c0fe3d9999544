package rights

import (
	"testing"

	"github.com/distributed-rate-limiter/distributed-rate-limiter/crdt"
)

// second is a Time at which all clocks say as many seconds.
func second(s int64) Time { return Time{Own: s * 1e9, Mono: s * 1e9, Wall: s * 1e9} }

// A bucket of 12 s and a credit of 6 s: of two, each has 6 and 3; of three, 4 and 2.
func division(at int64, self string, names ...string) Division {
	return Division{at * 1e9, NewRoster(names, self)}
}

func TestAJoinTakesRoomAndALeaveGivesNothing(t *testing.T) {
	shares, k := NewShares(12e9, 6e9, 1000, 1), crdt.Key{Hi: 1, Lo: 2}
	two := Divisions{division(1, "a", "a", "b")}
	a := two.Fresh(shares, k, 1e9, 2e9)
	a.Settle(second(100))
	if a.Own(second(100)) != 6e9 {
		t.Fatalf("it owns %d", a.Own(second(100)))
	}
	three := two.Then(division(100, "a", "a", "b", "c"))
	terms, share := three.Terms(shares, k)
	a.Change(second(100), terms, share)
	if own := a.Own(second(100)); own != 4e9 || a.Credit() != 2e9 {
		t.Fatalf("of three it owns %d and has a credit of %d", own, a.Credit())
	}
	a.Spend(second(100), 5e9)
	again := three.Then(division(101, "a", "a", "b"))
	a.Settle(second(101))
	was := a.Own(second(101))
	terms, share = again.Terms(shares, k)
	a.Change(second(101), terms, share)
	if own := a.Own(second(101)); own != was-1e9 || a.Credit() != 3e9 {
		t.Errorf("after the leave it owns %d of %d and has a credit of %d: what comes with the credit has to be earned", own, was, a.Credit())
	}
	fresh := again.Fresh(shares, k, 1e9, 2e9)
	fresh.Settle(second(101))
	if own := fresh.Own(second(101)); own > 3e9+4e8 {
		t.Errorf("a client that nobody used owns %d right after the leave", own)
	}
}

func TestAShareThatIsNewBeginsWithNothing(t *testing.T) {
	shares, k := NewShares(12e9, 6e9, 1000, 1), crdt.Key{Hi: 1, Lo: 2}
	ds := Divisions{division(1, "", "a", "b")}.Then(division(50, "a", "a", "b"))
	for name, a := range map[string]Account{"fresh": ds.Fresh(shares, k, 1e9, 2e9), "known": func() Account {
		a := ds[:1].Fresh(shares, k, 1e9, 2e9)
		terms, share := ds.Terms(shares, k)
		a.Change(second(50), terms, share)
		return a
	}()} {
		a.Settle(second(50))
		if own := a.Own(second(50)); own != -3e9 {
			t.Errorf("%s: it begins with %d, want none and no credit", name, own)
		}
		if own := a.Own(second(52)); own != -2e9 {
			t.Errorf("%s: it owns %d after 2 s", name, own)
		}
	}
}

func TestAShareThatIsLostTakesItsTokensAlong(t *testing.T) {
	shares := NewShares(12e9, 0, 1, 1) // one unit is one share
	k, lost, got := crdt.Key{Hi: 3, Lo: 4}, 0, 0
	for i := range int64(64) {
		k.Lo += uint64(i)
		one := Divisions{division(1, "a", "a", "b")}
		a := one.Fresh(shares, k, 1e9, 2e9)
		a.Record = &Record{}
		if a.Settle(second(100)); !a.Share {
			continue
		}
		got++
		a.Lend(second(100), 3e9, 7, 1)
		terms, share := one.Then(division(100, "a", "a", "b", "c")).Terms(shares, k)
		if a.Change(second(100), terms, share); share {
			if a.Own(second(100)) != 9e9 || a.Record.Lent() != 3e9 {
				t.Error("a join at which nothing changes for the client changed its account")
			}
			continue
		}
		if lost++; a.Own(second(100)) != 0 || a.Full != 0 || a.Record.Lent() != 0 {
			t.Errorf("without a share it owns %d, and lent %d", a.Own(second(100)), a.Record.Lent())
		}
	}
	if got == 0 || lost == 0 || lost == got {
		t.Errorf("of %d shares %d were lost: that proves nothing", got, lost)
	}
}

func TestWhatIsNotRememberedOfDivisionsCountsAsNothing(t *testing.T) {
	shares, k := NewShares(12e9, 6e9, 1000, 1), crdt.Key{Hi: 1, Lo: 2}
	ds := Divisions{division(1, "a", "a", "b")}
	for i := range int64(mostDivisions) {
		ds = ds.Then(division(100+i, "a", "a", "b"))
	}
	a := ds.Fresh(shares, k, 1e9, 2e9)
	a.Settle(second(100 + mostDivisions))
	if own := a.Own(second(100 + mostDivisions)); len(ds) != mostDivisions || own > -3e9+mostDivisions*1e9/2 {
		t.Errorf("of %d divisions, it owns %d", len(ds), own)
	}
}
