package rights

import (
	"math/rand/v2"
	"testing"
)

// Terms.Spend takes off an account what Settle and Spend do. It says so only where the account covers the
// cost, and where nobody would ask.
func TestSpendingAtAGlanceIsSpending(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 1)) //nolint:gosec // repeatable on purpose
	spent := 0
	for range 200_000 {
		x := NewTerms(1+random.Int64N(100), random.Int64N(20), 1000, 1+random.IntN(4))
		opens, now := 500+random.Int64N(300), 500+random.Int64N(1000)
		a := Account{Terms: x, Share: true, Opens: opens, Full: 1 + now - 200 + random.Int64N(400)}
		c, others := 1+random.Int64N(x.Room+2), random.IntN(2) == 0
		full, ok := x.Spend(a.Full, now, opens, c, others)
		at := Time{Own: now}
		a.Settle(at)
		covers := a.Free(at) >= c
		a.Spend(at, c)
		switch {
		case ok && (full != a.Full || x.Free(full-now) != a.Free(at)):
			t.Fatalf("%+v at %d, opened at %d: %d leave %d, want %d", x, now, opens, c, full, a.Full)
		case ok != (covers && (!others || !a.Low(at))):
			t.Fatalf("%+v at %d, opened at %d: spending %d is %t, with others %t; it covers that: %t; low: %t", x, now, opens, c, ok, others, covers, a.Low(at))
		case ok:
			spent++
		}
	}
	if spent < 10_000 {
		t.Errorf("only %d were spent", spent)
	}
}
