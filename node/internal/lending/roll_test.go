package lending

import (
	"maps"
	"slices"
	"testing"

	deltasync "github.com/distributed-rate-limiter/distributed-rate-limiter/sync"
)

const hold = int64(5e9)

// rolls are those of several nodes that tell each other all they have.
type rolls map[string]*roll

func startRoll(t *testing.T, self string, own int64, text []byte, configured ...string) *roll {
	t.Helper()
	r, err := newRoll(self, configured, text, own)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// talk lets each hear each other one, and then put into force what it knows.
func (all rolls) talk(own int64) {
	for range 2 {
		for from, r := range all {
			for to, o := range all {
				if from != to {
					o.hear(from, deltasync.Roll{Digest: r.sum(), Open: r.opened, Names: r.enrolled()}, own)
				}
			}
		}
	}
	for _, r := range all {
		r.look(own, hold, true)
	}
}

func ran(t *testing.T, self string, names ...string) *roll {
	t.Helper()
	r := startRoll(t, self, 0, nil, names...)
	r.opened = true
	return startRoll(t, self, 1, r.save(), names...)
}

func TestWhoeverJoinsOpensOnceAllHaveLetItInAndLoansAreOver(t *testing.T) {
	a, b := ran(t, "a", "a", "b"), ran(t, "b", "a", "b")
	c := startRoll(t, "c", 1, nil, "a", "c") // it does not even know b
	if !a.opened || !b.opened || c.opened {
		t.Fatal("not those that ran before use their shares")
	}
	few := rolls{"a": a, "c": c} // b hears nobody
	for own := int64(1e9); own < 30e9; own += 1e9 {
		if few.talk(own); c.opened {
			t.Fatal("it begins although b, whom a knows, has not let it in")
		}
	}
	if got := c.waitsFor(); !slices.Equal(got, []string{"b"}) {
		t.Errorf("it waits for %v", got)
	}
	all := rolls{"a": a, "b": b, "c": c}
	all.talk(30e9)
	for own := int64(31e9); own < 30e9+hold; own += 1e9 {
		if all.talk(own); c.opened {
			t.Fatalf("it begins %d s after the others have let it in: loans of the larger shares may be out", (own-30e9)/1e9)
		}
	}
	if all.talk(30e9 + hold); !c.opened {
		t.Error("it never begins")
	}
	for name, r := range all {
		if got := r.counted(); !slices.Equal(got, []string{"a", "b", "c"}) {
			t.Errorf("%s counts %v", name, got)
		}
	}
}

func TestAJoinerThatHearsOfAnotherWaitsAnew(t *testing.T) {
	a, c := ran(t, "a", "a"), startRoll(t, "c", 1, nil, "a", "c")
	all := rolls{"a": a, "c": c}
	all.talk(1e9)
	all.talk(2e9)
	all["d"] = startRoll(t, "d", 1, nil, "a", "d")
	all.talk(1e9 + hold)
	if c.opened {
		t.Error("it begins while the others count one node fewer than it does")
	}
	all.talk(1e9 + 2*hold)
	if !c.opened || !all["d"].opened {
		t.Error("the two that join at once never begin")
	}
}

func TestSilenceStrikesNobodyOff(t *testing.T) {
	a := ran(t, "a", "a", "b", "c")
	for own := int64(1e9); own < 1e15; own += 1e13 {
		a.look(own, hold, true)
	}
	if got := a.counted(); len(got) != 3 {
		t.Errorf("after days of silence it counts %v", got)
	}
}

func TestWhoeverIsStruckOffCountsUntilItsLoansAreOver(t *testing.T) {
	a, b, c := ran(t, "a", "a", "b", "c"), ran(t, "b", "a", "b", "c"), ran(t, "c", "a", "b", "c")
	all := rolls{"a": a, "b": b}
	if !a.strikeOff("c", 1e9) || a.strikeOff("c", 2e9) {
		t.Fatal("the strike is no news, or news twice")
	}
	for own := int64(1e9); own < 1e9+hold; own += 1e9 {
		all.talk(own)
		if len(a.counted()) != 3 || len(b.counted()) != 3 {
			t.Fatalf("at %d s they count %v and %v", own/1e9, a.counted(), b.counted())
		}
	}
	all.talk(2e9 + hold)
	if len(a.counted()) != 2 || len(b.counted()) != 2 {
		t.Fatalf("then they count %v and %v", a.counted(), b.counted())
	}
	a.hear("c", deltasync.Roll{Digest: c.sum(), Open: true}, 3e9+hold) // it was not dead
	if len(a.counted()) != 3 {
		t.Errorf("c goes on, and a counts %v", a.counted())
	}
	all["c"] = c
	if all.talk(3e9 + hold); c.opened || !a.opened {
		t.Error("c hears that it was struck off, and goes on")
	}
	again := startRoll(t, "c", 4e9+hold, c.save(), "a", "b", "c")
	all["c"] = again
	for own := 5e9 + hold; own < 60e9; own += 1e9 {
		if all.talk(own); again.opened || !slices.Contains(a.names(true), "c") {
			t.Fatal("c comes back")
		}
	}
}

func TestAShorterConfigurationStrikesOff(t *testing.T) {
	a := ran(t, "a", "a", "b", "c")
	again := startRoll(t, "a", 9e9, a.save(), "a", "b")
	if got := again.names(true); !slices.Equal(got, []string{"c"}) || len(again.counted()) != 3 || !again.opened {
		t.Errorf("it strikes %v off and counts %v", got, again.counted())
	}
	if back := startRoll(t, "a", 10e9, again.save(), "a", "b", "c"); !slices.Equal(back.names(true), []string{"c"}) {
		t.Errorf("a longer list brings c back: struck off are %v", back.names(true))
	}
	joined := startRoll(t, "a", 9e9, a.save(), "a", "b", "c")
	joined.hear("b", deltasync.Roll{Names: []deltasync.Enrolled{{Name: "d"}}}, 10e9)
	if again := startRoll(t, "a", 20e9, joined.save(), "a", "b", "c"); len(again.names(false)) != 4 {
		t.Errorf("it knows %v: what it let in is lost, or taken for struck off", again.names(false))
	}
}

func TestARollTakesNoMoreThanItCanHold(t *testing.T) {
	a := ran(t, "a", "a", "b")
	var many []deltasync.Enrolled
	for i := range 200 {
		many = append(many, deltasync.Enrolled{Name: "n" + string(rune('A'+i%26)) + string(rune('A'+i/26)), Gone: i%2 == 0})
	}
	many = append(many, deltasync.Enrolled{Name: "not a name"})
	a.hear("b", deltasync.Roll{Names: many}, 1)
	if in, out := len(a.names(false)), len(a.names(true)); in > most || out > most || in+out < most {
		t.Errorf("it holds %d members and %d that were struck off", in, out)
	}
	if again := startRoll(t, "a", 2, a.save(), "a", "b"); !maps.Equal(again.gone, a.gone) {
		t.Error("what it saves is not what it reads")
	}
}

func TestABadTextIsNoRoll(t *testing.T) {
	for _, text := range []string{"{", `{"version":2}`, `{"version":1,"members":["a b"]}`} {
		r, err := newRoll("a", []string{"a", "b"}, []byte(text), 1)
		if err == nil || r.opened || len(r.names(false)) != 2 {
			t.Errorf("%s: %v, %+v", text, err, r)
		}
	}
}
