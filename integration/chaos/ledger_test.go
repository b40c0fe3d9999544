package main

import (
	"testing"
	"time"

	"github.com/distributed-rate-limiter/distributed-rate-limiter/gcra"
)

// worst judges admissions of one unit under 60 a minute and a burst of 3, and returns the largest
// excess, and by how much it was above the bound.
func worst(t *testing.T, h *history, all ...admission) (excess, beyond float64) {
	t.Helper()
	g, err := gcra.New(gcra.Policy{Limit: 60, Window: time.Minute, Burst: 3})
	if err != nil {
		t.Fatal(err)
	}
	beyond = -1e9
	h.judge(g, all, func(_ admission, v verdict) {
		excess, beyond = max(excess, v.excess), max(beyond, v.excess-v.bound)
	})
	return excess, beyond
}

// burst is n admissions of a life within a millisecond.
func burst(life, n int, at instant) (all []admission) {
	for i := range n {
		all = append(all, admission{life: life, asked: at, answered: at + instant(i)*time.Millisecond/instant(n)})
	}
	return all
}

func two() *history {
	h := newHistory(2)
	h.lives = []life{{node: 0, lost: open}, {node: 1, lost: open}}
	return h
}

func TestABurstAtTwoNodesAtOnceIsWithinTheBound(t *testing.T) {
	at := time.Minute
	excess, beyond := worst(t, two(), append(burst(0, 3, at), burst(1, 3, at)...)...)
	if excess < 2.9 || beyond > 0 {
		t.Errorf("E is %.2f, %.2f beyond the bound", excess, beyond)
	}
}

func TestABurstThatANodeMustKnowOfIsBeyondTheBound(t *testing.T) {
	at := time.Minute
	later := at + staleness + 10*time.Millisecond
	if _, beyond := worst(t, two(), append(burst(0, 3, at), burst(1, 3, later)...)...); beyond < 2 {
		t.Errorf("only %.2f beyond the bound", beyond)
	}
	h := two()
	h.blind[1][0] = []span{{from: at - time.Second, to: later + time.Second}}
	if _, beyond := worst(t, h, append(burst(0, 3, at), burst(1, 3, later)...)...); beyond > 0 {
		t.Errorf("%.2f beyond the bound, of a node that was cut off", beyond)
	}
	h.blind[1][0], h.blind[0][1] = nil, []span{{from: at - time.Second, to: later + time.Second}}
	if _, beyond := worst(t, h, append(burst(0, 3, at), burst(1, 3, later)...)...); beyond < 2 {
		t.Errorf("only %.2f beyond the bound, of a node that was cut off the other way", beyond)
	}
}

func TestCutsThatFollowEachOtherCountAsOne(t *testing.T) {
	h := two()
	h.blind[1][0] = []span{{from: 10 * time.Second, to: 20 * time.Second}, {from: 15 * time.Second, to: open}}
	if got, want := h.known(1, 0, 30*time.Second), 10*time.Second-1-staleness; got != want {
		t.Errorf("known until %v, want %v", got, want)
	}
	if got, want := h.known(0, 1, 30*time.Second), 30*time.Second-staleness; got != want {
		t.Errorf("known until %v, want %v", got, want)
	}
}

func TestWhatAKilledNodeDidNotTellIsUnseenForEver(t *testing.T) {
	at := time.Minute
	h := two()
	both := func() []admission { return append(burst(0, 3, at), burst(1, 3, at+2*time.Second)...) }
	if _, beyond := worst(t, h, both()...); beyond < 0.5 {
		t.Errorf("only %.2f beyond the bound, of a node that stopped in order", beyond)
	}
	h.lives[0].lost = at + 2*time.Millisecond - staleness
	if _, beyond := worst(t, h, both()...); beyond > 0 {
		t.Errorf("%.2f beyond the bound, of a node that was killed", beyond)
	}
}

func TestANodeThatHasNotJoinedIsExcusedForItsOwnAdmissionsAlone(t *testing.T) {
	at := time.Minute
	h := two()
	h.lives[1].joined = at + 5*time.Second
	late := at + 2*time.Second
	if _, beyond := worst(t, h, append(burst(0, 3, at), burst(1, 3, late)...)...); beyond > 0 {
		t.Errorf("%.2f beyond the bound, of a node that joins", beyond)
	}
	if _, beyond := worst(t, h, append(burst(0, 9, at), burst(1, 1, late)...)...); beyond < 2 {
		t.Errorf("only %.2f beyond the bound, of a node that knew it all", beyond)
	}
}

func TestAnAnswerThatTookLongDoesNotCount(t *testing.T) {
	a := account{}
	a.add(admission{asked: 0, answered: slowest})
	a.add(admission{asked: 0, answered: slowest + 1})
	if len(a.all) != 1 {
		t.Errorf("%d admissions count", len(a.all))
	}
}

func TestAClockThatWasAheadCountsForAWhile(t *testing.T) {
	h := newHistory(2)
	h.clocks = []reading{{node: 0, off: -time.Second, at: time.Second}, {node: 0, off: 0, at: 2 * time.Second}, {node: 1, off: 3 * time.Second, at: 4 * time.Second}, {node: 1, off: time.Second, at: 6 * time.Second}}
	for at, want := range map[instant]time.Duration{5 * time.Second: 4 * time.Second, 7 * time.Second: 4 * time.Second, 6*time.Second + lags: 2 * time.Second} {
		if got := h.skew(at); got != want {
			t.Errorf("at %v: %v, want %v", at, got, want)
		}
	}
}

func TestAStarvedNodeKnowsLess(t *testing.T) {
	h := two()
	h.starved = func(_, _ int, from, to instant) time.Duration {
		if from != 58*time.Second || to != time.Minute {
			t.Errorf("asked for %v to %v", from, to)
		}
		return time.Second
	}
	if got, want := h.known(0, 1, time.Minute), 59*time.Second-staleness; got != want {
		t.Errorf("known until %v, want %v", got, want)
	}
}

func TestABoundedLimitIsHeldToItsCapAlone(t *testing.T) {
	g, err := gcra.New(gcra.Policy{Limit: 60, Window: time.Minute, Burst: 3})
	if err != nil {
		t.Fatal(err)
	}
	beyond := func(mostExcess float64, all ...admission) (worst float64) {
		worst = -1e9
		judgeBounded(g, all, mostExcess, func(_ admission, v verdict) { worst = max(worst, v.excess-v.bound) })
		return worst
	}
	at := time.Minute
	two := append(burst(0, 2, at), burst(1, 2, at)...)
	if by := beyond(0, two...); by < 0.99 {
		t.Errorf("four of three at once are %.2f beyond the cap, want 1", by)
	}
	if by := beyond(1, two...); by > 0 {
		t.Errorf("four of three at once are %.2f beyond a cap of one more", by)
	}
	two[3].answered = at + time.Second // it may have happened when one had drained
	if by := beyond(0, two...); by > 0 {
		t.Errorf("a late answer is %.2f beyond the cap", by)
	}
}
