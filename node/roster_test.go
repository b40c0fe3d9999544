package node_test

import (
	"errors"
	"slices"
	"testing"
	"time"

	"github.com/distributed-rate-limiter/distributed-rate-limiter/node"
	deltasync "github.com/distributed-rate-limiter/distributed-rate-limiter/sync"
)

// together is how much of a client's bucket all nodes admit at once while nobody hears anybody.
func (l *lab) together(client string) (total int) {
	was := l.lose
	l.lose = func(mail) bool { return true }
	for _, m := range l.nodes {
		if !m.dead {
			total += m.take("", client, 200)
		}
	}
	l.run(2 * time.Millisecond)
	l.lose = was
	return total
}

// joining is a configuration of one more node than the first n. It lists them, and they do not list it.
func joining(n int, burst int64) node.Config {
	cfg := boundedConfig(n+1, burst, 0)
	cfg.SavedRoster = nil
	return cfg
}

func TestANodeThatJoinsGetsAShareAndNobodyMakesOne(t *testing.T) {
	l := newBounded(t, 2, 90, 0)
	other := l.join(joining(2, 90))
	for i := range 60 {
		l.run(500 * time.Millisecond)
		if got := l.together(string(rune('A' + i))); got > 90 {
			t.Fatalf("%v after the third one came, %d pass of 90", time.Duration(i+1)*time.Second/2, got)
		}
	}
	if got := other.take("", "own", 90); got != 30 {
		t.Errorf("in the end the third one has %d of 90, want a third", got)
	}
	if r := l.nodes[0].Node.Stats().Roster; !slices.Equal(r.Members, []string{"n0", "n1", "n2"}) || !r.Open {
		t.Errorf("the first one knows %+v", r)
	}
}

func TestRostersThatDifferNeverMakeSharesOfMoreThanOne(t *testing.T) {
	l := newBounded(t, 2, 90, 0)
	cut := func(p mail) bool { return (p.from == 2) != (p.to == 2) }
	l.lose = cut
	other := l.join(joining(2, 90))
	l.run(40 * time.Second)
	if got := other.take("", "c", 90); got != 0 {
		t.Errorf("%d pass at a node whom nobody has let in", got)
	}
	r := other.Node.Stats().Roster
	if r.Open || !slices.Equal(r.WaitsFor, []string{"n0", "n1"}) {
		t.Errorf("it says %+v", r)
	}
	if got := l.together("d"); got != 90 {
		t.Errorf("%d pass at the others, want all 90", got)
	}
}

func TestAByeLeavesTheRosterAsItIs(t *testing.T) {
	l := newBounded(t, 3, 90, 0)
	l.nodes[2].input(deltasync.Input{Kind: deltasync.InputClose})
	l.nodes[2].dead = true
	l.run(time.Minute)
	if got := l.together("c"); got != 60 {
		t.Errorf("%d pass at the two that are left, want their thirds", got)
	}
}

func TestTheOthersGetTheShareOfWhomeverIsStruckOff(t *testing.T) {
	l := newBounded(t, 3, 90, 0)
	l.nodes[2].dead = true
	if !l.nodes[0].Node.Forget("n2") {
		t.Fatal("nobody is struck off")
	}
	l.run(1500 * time.Millisecond)
	if got := l.together("a"); got != 60 {
		t.Errorf("%d pass while the dead one's loans may be out, want two thirds", got)
	}
	l.run(25 * time.Second)
	if got := l.together("b"); got != 90 {
		t.Errorf("%d pass when they are over, want all", got)
	}
	if got := l.nodes[1].Node.Stats().Roster.StruckOff; !slices.Equal(got, []string{"n2"}) {
		t.Errorf("struck off are %v", got)
	}
}

func TestANodeThatStrikesItselfOffLivesOnLoans(t *testing.T) {
	l := newBounded(t, 3, 90, 0)
	m := l.nodes[2]
	m.Node.Forget("n2")
	l.run(2 * time.Second)
	if got := m.take("", "c", 90); got != 0 {
		t.Errorf("%d pass at once, of no share", got)
	}
	got := 0
	for range 40 {
		got += m.take("", "c", 90)
		l.run(5 * time.Millisecond)
	}
	if got < 40 {
		t.Errorf("%d pass on loans", got)
	}
	l.run(40 * time.Second)
	if total := l.together("d"); total != 90 {
		t.Errorf("%d pass at the two that share", total)
	}
}

func TestTheRosterIsKeptBeforeItIsTold(t *testing.T) {
	l := newBounded(t, 2, 90, 0)
	full := errors.New("no space")
	fail, kept := true, []byte(nil)
	cfg := joining(2, 90)
	cfg.KeepRoster = func(text []byte) error {
		if fail {
			return full
		}
		kept = text
		return nil
	}
	other := l.join(cfg)
	l.run(20 * time.Second)
	if r := l.nodes[0].Node.Stats().Roster; len(r.Members) != 2 {
		t.Errorf("the first one knows %+v", r)
	}
	fail = false
	l.run(20 * time.Second)
	if !other.Node.Stats().Roster.Open || kept == nil {
		t.Fatal("it is not let in")
	}
	other.dead = true
	cfg.SavedRoster = kept
	l.nodes = l.nodes[:2]
	again := l.join(cfg)
	if !again.Node.Stats().Roster.Open {
		t.Error("its next run waits for the others again")
	}
}
