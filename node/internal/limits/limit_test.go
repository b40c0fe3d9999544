package limits

import "testing"

// A guess at the revision in force is right only within the time of that revision, whichever one was
// looked up last.
func TestAGuessIsOfTheRevisionInForce(t *testing.T) {
	g := newRegistry(t, defaults(perMinute(120)), 0)
	at, err := g.Set(now, Default, perMinute(60))
	if err != nil {
		t.Fatal(err)
	}
	l := g.Get(Default)
	first := l.Recent()
	if !l.In(first, at-1) || l.In(first, at) {
		t.Error("before the change: the guess is taken for the revision after it, or not for its own")
	}
	second := l.Known(at)
	if guess := l.Recent(); guess != second || second == first {
		t.Fatal("the change is not looked up")
	}
	if !l.In(second, at) || l.In(second, at-1) || l.In(first, at) || l.In(first, at-1) {
		t.Error("after the change: the guess is taken for the revision before it, or not for its own")
	}
}
