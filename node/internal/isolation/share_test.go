package isolation

import (
	"testing"
	"time"

	"github.com/distributed-rate-limiter/distributed-rate-limiter/crdt"
	"github.com/distributed-rate-limiter/distributed-rate-limiter/gcra"
)

const (
	begin  = int64(1_700_000_040e9)
	second = int64(time.Second)
)

// limit lets 60 pass a minute: one a second.
func limit(t *testing.T, burst int64) *gcra.GCRA {
	t.Helper()
	g, err := gcra.New(gcra.Policy{Limit: 60, Window: time.Minute, Burst: burst})
	if err != nil {
		t.Fatal(err)
	}
	return g
}

// half is a group of half the cluster.
func half(now int64) *Group {
	var w Watch
	w.Set(now, true, 2, 4)
	return w.Group()
}

// admit takes as many units one by one as pass.
func admit(s *Shares, g *Group, c Client, now int64) (n int) {
	for s.Admit(g, c, now, 1, true) {
		n++
	}
	return n
}

func TestTheGroupIsNewWhenItChanges(t *testing.T) {
	var w Watch
	if w.Group() != nil {
		t.Error("isolated from the start")
	}
	w.Set(begin, true, 2, 4)
	first := w.Group()
	w.Set(begin+1, true, 2, 4)
	if w.Group() != first {
		t.Error("replaced without a change")
	}
	w.Set(begin+2, true, 3, 4)
	second := w.Group()
	if second == first || second.spell != first.spell || second.since != begin+2 {
		t.Errorf("%+v after %+v", second, first)
	}
	w.Set(begin+3, false, 4, 4)
	if w.Group() != nil {
		t.Error("isolated though all are heard")
	}
	w.Set(begin+4, true, 0, 4)
	if g := w.Group(); g.spell != first.spell+1 || g.visible != 1 {
		t.Errorf("%+v after %+v", g, second)
	}
}

func TestAShareIsTheBurstAndAPartOfTheRate(t *testing.T) {
	var s Shares
	g, c := half(begin), Client{Key: crdt.Key{Hi: 1}, GCRA: limit(t, 10), Used: gcra.Level{Base: gcra.Never}}
	if got := admit(&s, g, c, begin); got != 10 {
		t.Errorf("%d at once, want the burst", got)
	}
	if got := admit(&s, g, c, begin+8*second); got != 4 {
		t.Errorf("%d after 8 s, want half of the rate", got)
	}
	if !s.Undrained(g, c.Key, c.GCRA, begin+27*second) || s.Undrained(g, c.Key, c.GCRA, begin+28*second) {
		t.Error("10 units drain in 20 s")
	}
	if x := s.Explain(g, c, begin+8*second, 1, false); x.Remaining != 0 || x.RetryAfter != 2*time.Second {
		t.Errorf("%+v", x)
	}
}

func TestAskingChargesNothing(t *testing.T) {
	var s Shares
	g, c := half(begin), Client{Key: crdt.Key{Hi: 1}, GCRA: limit(t, 10), Used: gcra.Level{Base: gcra.Never}}
	for range 20 {
		if !s.Admit(g, c, begin, 10, false) {
			t.Fatal("denied")
		}
	}
	if s.Admit(g, c, begin, 11, false) || admit(&s, g, c, begin) != 10 {
		t.Error("asking charged")
	}
}

// What the client used before counts, as far as it had not drained when the isolation was
// noticed. What the peers of the group admit counts as well.
func TestAShareBeginsAtWhatWasUsed(t *testing.T) {
	var s Shares
	g := half(begin)
	c := Client{Key: crdt.Key{Hi: 1}, GCRA: limit(t, 10), Used: gcra.Level{Base: begin - 2*second, Count: 5}}
	s.Begin(g, c)
	s.Charge(g, c, begin, 4)
	if got := admit(&s, g, c, begin); got != 3 {
		t.Errorf("%d, want 10 less 3 that were left and 4 of a peer", got)
	}
}

// A new group reads what was used at its own rate, and keeps it.
func TestAShareIsCarriedOverToTheNextGroup(t *testing.T) {
	var s Shares
	var w Watch
	c := Client{Key: crdt.Key{Hi: 1}, GCRA: limit(t, 10), Used: gcra.Level{Base: gcra.Never}}
	w.Set(begin, true, 2, 4)
	admit(&s, w.Group(), c, begin)
	w.Set(begin+4*second, true, 1, 4) // 8 units are left
	if got := admit(&s, w.Group(), c, begin+4*second); got != 2 {
		t.Errorf("%d, want 2", got)
	}
	if got := admit(&s, w.Group(), c, begin+8*second); got != 1 {
		t.Errorf("%d in 4 s, want a quarter of the rate", got)
	}
	changed := c
	changed.GCRA = limit(t, 12) // the limit was changed: what was used stays
	if got := admit(&s, w.Group(), changed, begin+8*second); got != 2 {
		t.Errorf("%d, want the two that the burst grew by", got)
	}
	w.Set(begin+9*second, false, 4, 4)
	w.Set(begin+10*second, true, 2, 4)
	if got := admit(&s, w.Group(), c, begin+10*second); got != 10 {
		t.Errorf("%d in another time of isolation, want the burst by the merged state", got)
	}
}

func TestSweepKeepsTheSharesOfHeldClients(t *testing.T) {
	var s Shares
	g := half(begin)
	a := Client{Key: crdt.Key{Hi: 1}, GCRA: limit(t, 10), Used: gcra.Level{Base: gcra.Never}}
	b := a
	b.Key.Hi = 2
	admit(&s, g, a, begin)
	admit(&s, g, b, begin)
	s.Sweep(g, func(k crdt.Key) bool { return k == a.Key })
	if got := admit(&s, g, a, begin); got != 0 {
		t.Errorf("%d: its share began anew", got)
	}
	if got := admit(&s, g, b, begin); got != 10 {
		t.Errorf("%d: it was to be forgotten", got)
	}
	s.Forget(a.Key)
	if got := admit(&s, g, a, begin); got != 10 {
		t.Errorf("%d after it was reset", got)
	}
	s.Sweep(nil, func(crdt.Key) bool { return true })
	if len(s.of) != 0 || s.Undrained(nil, a.Key, a.GCRA, begin) {
		t.Error("shares are kept though nobody is missing")
	}
}
