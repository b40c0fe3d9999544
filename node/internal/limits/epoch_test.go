package limits

import (
	"testing"
	"time"

	"github.com/distributed-rate-limiter/distributed-rate-limiter/node/limit"
)

func hourly(n int64) limit.Policy { return limit.Policy{Limit: n, Window: time.Hour} }

// atItsEnd is a registry that holds an entry whose epoch no node can raise.
func atItsEnd(t *testing.T) *Registry {
	t.Helper()
	g := newRegistry(t, defaults(hourly(10)), 0)
	p := hourly(5)
	if changed, err := g.merge(now, entryOf(t, "default", statement{At: now, By: 9, Policy: &p, Epoch: epochsBy(now)})); !changed || err != nil {
		t.Fatalf("%v, %v", changed, err)
	}
	return g
}

// tell gives one registry's entries to another.
func tell(t *testing.T, now int64, from, to *Registry) {
	t.Helper()
	for _, r := range from.Registers() {
		if _, err := to.merge(now, r); err != nil {
			t.Fatal(err)
		}
	}
}

func wantLimit(t *testing.T, when string, want int64, all ...*Registry) {
	t.Helper()
	for i, g := range all {
		if got := g.Get("").Newest().Policy.Limit; got != want {
			t.Errorf("%s: registry %d has %d, want %d", when, i, got, want)
		}
	}
}

func TestALimitAtTheEndOfItsEpochsCanBeSet(t *testing.T) {
	a, b := atItsEnd(t), atItsEnd(t)
	at := now + int64(time.Second)
	for _, n := range []int64{7, 8} {
		if _, err := a.Set(at, "default", hourly(n)); err != nil {
			t.Fatal(err)
		}
		tell(t, at, a, b)
		wantLimit(t, "set", n, a, b)
		at += int64(time.Second)
	}
	if _, err := b.Delete(at, "default"); err != nil {
		t.Fatal(err)
	}
	tell(t, at, b, a)
	wantLimit(t, "deleted", 10, a, b)
	if _, err := a.Set(at+int64(time.Second), "default", hourly(9)); err != nil {
		t.Fatal(err)
	}
	c := newRegistry(t, defaults(hourly(10)), 0)
	if _, err := c.Restore(at+int64(time.Minute), a.Save()); err != nil {
		t.Fatal(err)
	}
	wantLimit(t, "restored", 9, c)
}

// A configuration that another node states in ignorance of what was set, and later, does
// not undo it.
func TestAtTheEndOfItsEpochsTheLaterSetWins(t *testing.T) {
	for _, deletes := range []bool{false, true} {
		a, b := atItsEnd(t), atItsEnd(t)
		at := now + int64(time.Second)
		want := int64(7)
		var err error
		if deletes {
			want = 20
			_, err = a.Delete(at, "default")
		} else {
			_, err = a.Set(at, "default", hourly(7))
		}
		if err != nil {
			t.Fatal(err)
		}
		later := at + int64(100*time.Millisecond)
		if _, err := b.Configure(later, defaults(hourly(20))); err != nil {
			t.Fatal(err)
		}
		tell(t, later, a, b)
		tell(t, later, b, a)
		for range 3 {
			later += int64(time.Second)
			a.ProposePending(later)
			tell(t, later, a, b)
			b.ProposePending(later)
			tell(t, later, b, a)
		}
		wantLimit(t, "both have spoken", want, a, b)
		if a.RegistersDigest() != b.RegistersDigest() {
			t.Error("they do not agree")
		}
	}
}

func TestASetOfLaterThanItsRevisionIsRefused(t *testing.T) {
	g, p := newRegistry(t, defaults(hourly(10)), 0), hourly(5)
	e := statement{At: now, By: 9, Policy: &p, Epoch: epochsBy(now), SetAt: now + 1}
	if changed, err := g.merge(now, entryOf(t, "default", e)); changed || err == nil {
		t.Errorf("%v, %v", changed, err)
	}
}

// A faulty peer that states as high an epoch as there can be is overtaken by the next set, at once
// and ever after; and one that states a higher one is refused.
func TestAnEpochIsBoundedByTime(t *testing.T) {
	a, b := atItsEnd(t), atItsEnd(t)
	at := now
	for i := range int64(50) { // as fast as an operator's script can
		at += int64(time.Millisecond)
		p := hourly(1000)
		if _, err := a.Set(at, "default", hourly(7+i)); err != nil {
			at += int64(time.Second) // too many changes at once
			continue
		}
		tell(t, at, a, b)
		wantLimit(t, "set", 7+i, a, b)
		if e := (statement{At: at + int64(time.Second), By: 9, Policy: &p, Epoch: epochsBy(at+int64(time.Second)) + 1}); i%10 == 0 {
			if changed, err := a.merge(at, entryOf(t, "default", e)); changed || err == nil {
				t.Fatalf("an epoch beyond the end was taken: %v, %v", changed, err)
			}
		}
	}
	last := statement{}
	if list, err := readEntry(a.Registers()[0]); err != nil {
		t.Fatal(err)
	} else if last = list[0]; last.SetAt != 0 || last.Epoch > epochsBy(at) {
		t.Errorf("epoch %d of %d, set at %d: the order of epochs was lost", last.Epoch, epochsBy(at), last.SetAt)
	}
	// Within one step the later set wins.
	for i := range int64(3) {
		if _, err := a.Set(now+int64(time.Hour)+i, "default", hourly(100+i)); err != nil {
			t.Fatal(err)
		}
	}
	wantLimit(t, "within a step", 102, a)
}
