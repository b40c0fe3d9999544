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
	if w.Group().Isolated() {
		t.Error("isolated though all are heard")
	}
	w.Settle(begin + 3 + settles)
	if w.Group() != nil {
		t.Error("not settled")
	}
	w.Set(begin+4+settles, true, 0, 4)
	if g := w.Group(); g.spell != first.spell+1 || g.visible != 1 {
		t.Errorf("%+v after %+v", g, second)
	}
}

// A link that comes and goes gives a client neither another burst nor a debt: it is one
// isolation. Whether a node is missing or all are heard for a moment, what is in use stays.
func TestALinkThatFlapsRenewsNoShare(t *testing.T) {
	const flaps, pause = 100, 2 * second
	var s Shares
	var w Watch
	c := Client{Key: crdt.Key{Hi: 1}, GCRA: limit(t, 10), Used: gcra.Level{Base: gcra.Never}}
	now, admitted := begin, 0
	for i := range flaps {
		switch i % 4 {
		case 0, 2:
			w.Set(now, true, 2, 4)
		case 1:
			w.Set(now, true, 1, 4)
		case 3:
			w.Set(now, false, 4, 4)
		}
		w.Settle(now)
		// The state that nodes merge drains at the whole rate, so it knows of little use.
		admitted += admit(&s, w.Group(), c, now)
		now += pause
	}
	// In each round of four the rate is a half, a quarter, a half and the whole, for 2 s each.
	rated := int((flaps - 1) * pause / second * 9 / 16)
	if admitted < rated || admitted > 10+rated+1 {
		t.Errorf("%d were admitted, want %d by the rates and at most the burst more", admitted, rated)
	}
}

// Once all nodes hear each other, clients without a share are held to nothing but the state
// that nodes merge: a peer's admissions are in it.
func TestNoShareBeginsWhileAnIsolationEnds(t *testing.T) {
	var s Shares
	var w Watch
	w.Set(begin, true, 2, 4)
	w.Set(begin+second, false, 4, 4)
	g, c := w.Group(), Client{Key: crdt.Key{Hi: 1}, GCRA: limit(t, 1), Used: gcra.Level{Base: begin + 4*second, Count: 1}}
	if !s.Admit(g, c, begin+5*second, 1, true) || len(s.of) > 0 {
		t.Error("a share began")
	}
	if _, some := s.Explain(g, c, begin+5*second, 1, true); some {
		t.Error("a share is told of")
	}
}

// A lower limit lets its share pass from the change on: what the old limit let pass since
// the isolation began is no debt of the new one. It gives no new burst either.
func TestAChangedLimitIsSharedFromTheChangeOn(t *testing.T) {
	var s Shares
	fast, err := gcra.New(gcra.Policy{Limit: 100, Window: time.Second, Burst: 100})
	if err != nil {
		t.Fatal(err)
	}
	slow, err := gcra.New(gcra.Policy{Limit: 10, Window: time.Second, Burst: 10})
	if err != nil {
		t.Fatal(err)
	}
	g, c := half(begin), Client{Key: crdt.Key{Hi: 1}, GCRA: fast, Used: gcra.Level{Base: gcra.Never}}
	now := begin
	for ; now < begin+55*second; now += second / 10 {
		admit(&s, g, c, now)
	}
	c.GCRA, c.Since = slow, now
	c.Used = gcra.Level{Base: now}
	admitted := 0
	for ; now < begin+75*second; now += second / 10 {
		admitted += admit(&s, g, c, now)
	}
	if admitted < 95 || admitted > 100 {
		t.Errorf("%d in 20 s after the change, want the new share of 5 per second", admitted)
	}
	c.GCRA, c.Since = fast, now
	if got := admit(&s, g, c, now); got < 90 || got > 91 {
		t.Errorf("%d at once when the limit was raised, want its burst less the 10 in use", got)
	}
}

// A share that begins after a change reads the merged state, which drained under the limit
// before: it counts from the change on.
func TestAShareThatBeginsAfterAChangeStartsThere(t *testing.T) {
	var s Shares
	g := half(begin)
	c := Client{Key: crdt.Key{Hi: 1}, GCRA: limit(t, 10), Since: begin + 100*second, Used: gcra.Level{Base: begin + 100*second}}
	if got := admit(&s, g, c, begin+100*second); got != 10 {
		t.Errorf("%d, want the burst: nothing was in use at the change", got)
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
	if x, _ := s.Explain(g, c, begin+8*second, 1, false); x.Remaining != 0 || x.RetryAfter != 2*time.Second {
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
	w.Settle(begin + 9*second + settles)
	w.Set(begin+10*second+settles, true, 2, 4)
	if got := admit(&s, w.Group(), c, begin+10*second+settles); got != 10 {
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
