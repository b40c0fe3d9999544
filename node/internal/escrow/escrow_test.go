package escrow

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/distributed-rate-limiter/distributed-rate-limiter/crdt"
	deltasync "github.com/distributed-rate-limiter/distributed-rate-limiter/sync"
)

const (
	begin  = int64(1_700_000_040e9)
	second = int64(time.Second)
	self   = crdt.Replica(5)
	other  = crdt.Replica(7)
)

// newEscrow makes an escrow that refunds all that it is asked for but one unit.
func newEscrow() *Escrow {
	return New(self, deltasync.NewSecret([]byte("key"), "test"), func(_ deltasync.Life, units, _ int64) (int64, deltasync.Shortfall) {
		return units - 1, deltasync.ShortDrained
	})
}

// hold holds a reservation of 10 units for so long.
func hold(t *testing.T, s *Escrow, now, length int64) Token {
	t.Helper()
	token, err := s.Hold(now, now+length, "", func(actual int64) (int64, int64, deltasync.Shortfall) { return 10 - actual, 0, 0 })
	if err != nil {
		t.Fatal(err)
	}
	return token
}

func (t Token) settle(actual int64) deltasync.Settlement {
	return deltasync.Settlement{Of: t.Of, ID: t.ID, Actual: actual}
}

func TestTheFirstSettlementCountsAndIsAnsweredAgain(t *testing.T) {
	s := newEscrow()
	calls := 0
	token, err := s.Hold(begin, begin+second, "", func(actual int64) (int64, int64, deltasync.Shortfall) { calls++; return 10 - actual, 3, 0 })
	if err != nil {
		t.Fatal(err)
	}
	for _, actual := range []int64{4, 0, 10} {
		if got := s.Settle(begin, token.settle(actual)); got != (deltasync.Settled{ID: token.ID, Back: 6, NotCharged: 3, Known: true}) {
			t.Errorf("for %d: %+v", actual, got)
		}
	}
	if calls != 1 {
		t.Errorf("settled %d times", calls)
	}
}

func TestWhatCannotBeSettledIsUnknown(t *testing.T) {
	s := newEscrow()
	token := hold(t, s, begin, 5*second)
	for name, ask := range map[string]deltasync.Settlement{
		"of another replica": {Of: other, ID: token.ID},
		"another id":         {Of: self, ID: token.ID + 1},
		"less than nothing":  {Of: self, ID: token.ID, Actual: -1},
	} {
		if got := s.Settle(begin, ask); got != (deltasync.Settled{ID: ask.ID}) {
			t.Errorf("%s: %+v", name, got)
		}
	}
	if got := s.Settle(begin+5*second, token.settle(0)); !got.Known || got.Back != 10 {
		t.Errorf("at the last instant: %+v", got)
	}
	if got := s.Settle(begin+5*second+1, token.settle(0)); got.Known {
		t.Errorf("after its time: %+v", got)
	}
}

func TestReservationsEndInTheOrderOfTheirTimes(t *testing.T) {
	s := newEscrow()
	lengths := []int64{30, 5, 60, 5, 10, 60}
	var tokens []Token
	for _, l := range lengths {
		tokens = append(tokens, hold(t, s, begin, l*second))
	}
	for _, at := range []int64{0, 5, 6, 20, 31, 61} {
		s.Expire(begin + at*second)
		left := 0
		for i, l := range lengths {
			if _, some := s.held[tokens[i].ID]; some != (l >= at) {
				t.Errorf("after %d s, one of %d s is held: %v", at, l, some)
			}
			if l >= at {
				left++
			}
		}
		if len(s.order) != left || s.open != left {
			t.Errorf("after %d s %d are in order and %d open, want %d", at, len(s.order), s.open, left)
		}
	}
}

func TestHeldReservationsAreCapped(t *testing.T) {
	s := newEscrow()
	var tokens []Token
	for range MaxOpen {
		tokens = append(tokens, hold(t, s, begin, 60*second))
	}
	refused := func(now int64) bool {
		_, err := s.Hold(now, now+second, "", nil)
		return errors.Is(err, ErrFull)
	}
	if !refused(begin) {
		t.Error("one more than the cap is held")
	}
	for round := range mostHeld / MaxOpen {
		for _, token := range tokens {
			s.Settle(begin, token.settle(3))
		}
		if full := round == mostHeld/MaxOpen-1; full {
			break
		}
		for i := range tokens {
			tokens[i] = hold(t, s, begin, 60*second)
		}
	}
	if s.open != 0 || !refused(begin) {
		t.Errorf("%d are open; one more answer than the cap is remembered", s.open)
	}
	if refused(begin + 61*second) {
		t.Error("refused after all others are over")
	}
}

// However many one origin holds or has settled, others find places.
func TestNoOriginTakesAllPlaces(t *testing.T) {
	settle := func(int64) (int64, int64, deltasync.Shortfall) { return 0, 0, 0 }
	for name, c := range map[string]struct {
		settles bool
		most    int
	}{"open ones": {false, MaxOpen}, "settled ones": {true, mostHeld}} {
		s := newEscrow()
		fill := func(origin string, now int64) (n int) {
			for {
				token, err := s.Hold(now, now+60*second, origin, settle)
				if err != nil {
					return n
				}
				if n++; c.settles {
					s.Settle(now, token.settle(0))
				}
			}
		}
		left := c.most
		for _, origin := range []string{"greedy", "next", "third"} {
			if got := fill(origin, begin); got != left/2 {
				t.Errorf("%s: %s holds %d of the %d that were left, want half", name, origin, got, left)
			} else {
				left -= got
			}
		}
		if fill("honest", begin) < 1000 {
			t.Errorf("%s: nothing is left for others", name)
		}
		if len(s.shares) != 4 {
			t.Errorf("%s: %d shares", name, len(s.shares))
		}
		if s.Expire(begin + 61*second); len(s.shares) != 0 || s.open != 0 {
			t.Errorf("%s: %d shares are left, %d open", name, len(s.shares), s.open)
		}
		if got := fill("", begin+62*second); got != c.most {
			t.Errorf("%s: the program itself holds %d of %d", name, got, c.most)
		}
	}
}

func TestASettlementIsSentUntilItIsAnswered(t *testing.T) {
	s := newEscrow()
	p, err := s.Pass(begin, Token{other, 1}, 3)
	if err != nil {
		t.Fatal(err)
	}
	want := deltasync.Settlement{Of: other, ID: 1, Actual: 3}
	sent := 0
	for now := begin; now < begin+second; now += second / 1000 {
		for _, got := range s.Settlements(now, 10) {
			if sent++; got != want {
				t.Errorf("%+v", got)
			}
		}
	}
	if sent != 4 {
		t.Errorf("sent %d times in a second", sent)
	}
	s.SettlementAnswered(begin+second, self, deltasync.Settled{ID: 1, Known: true}) // somebody else's
	select {
	case <-p.Done():
		t.Error("another node's answer is taken for it")
	default:
	}
	answer := deltasync.Settled{ID: 1, Back: 7, Known: true}
	s.SettlementAnswered(begin+second, other, answer)
	<-p.Done()
	s.SettlementAnswered(begin+second, other, deltasync.Settled{ID: 1}) // late, and again
	if got := s.Settlements(begin+2*second, 10); p.Answer() != answer || got != nil {
		t.Errorf("%+v, and sent again: %+v", p.Answer(), got)
	}
	if again, err := s.Pass(begin+5*second, Token{other, 1}, 0); err != nil || again != p {
		t.Errorf("asked again: %+v, %v", again, err)
	}
	s.Expire(begin + 7*second)
	if len(s.passed) != 0 || len(s.queue) != 0 {
		t.Error("the answer is kept for ever")
	}
}

func TestSettlementsOfOneMessageAreCapped(t *testing.T) {
	s := newEscrow()
	for id := range uint64(25) {
		_, _ = s.Pass(begin, Token{other, id + 1}, 0)
	}
	seen := map[uint64]int{}
	for _, want := range []int{10, 10, 5, 0} {
		got := s.Settlements(begin, 10)
		if len(got) != want {
			t.Errorf("%d were sent, want %d", len(got), want)
		}
		for _, one := range got {
			seen[one.ID]++
		}
	}
	if len(seen) != 25 {
		t.Errorf("%d of 25 were sent", len(seen))
	}
}

func TestASettlementWithoutAnAnswerEnds(t *testing.T) {
	s := newEscrow()
	p, err := s.Pass(begin, Token{other, 1}, 3)
	if err != nil {
		t.Fatal(err)
	}
	_, _ = s.Pass(begin+30*second, Token{other, 1}, 3) // asked again: from then on
	s.Expire(begin + 30*second + int64(passOnFor))
	select {
	case <-p.Done():
		t.Fatal("given up too early")
	default:
	}
	s.Expire(begin + 32*second + int64(passOnFor))
	<-p.Done()
	if p.Answer().Known || len(s.passed) != 0 || len(s.queue) != 0 {
		t.Errorf("%+v, %d kept", p.Answer(), len(s.passed))
	}
}

func TestARefundIsGivenOnceForEachNumber(t *testing.T) {
	s := newEscrow()
	life := deltasync.Life{Key: crdt.Key{Lo: 1}, Life: crdt.Life{Revision: crdt.Stamp{At: 3}}}
	ask := deltasync.Settlement{Of: self, ID: 77, Actual: 10, Life: life}
	want := deltasync.Settled{ID: 77, Back: 9, Known: true, Short: deltasync.ShortDrained}
	for _, at := range []int64{0, 1, 119} {
		if got := s.Settle(begin+at*second, ask); got != want || len(s.held) != 1 {
			t.Errorf("after %d s: %+v, %d kept", at, got, len(s.held))
		}
		ask.Actual++ // whoever asks for something else under the same number gets the same answer
	}
	s.Expire(begin + int64(refundKept) + 1)
	if len(s.held)+len(s.order)+s.open != 0 {
		t.Error("the answer is kept for ever")
	}
	for name, ask := range map[string]deltasync.Settlement{
		"of another replica": {Of: other, ID: 78, Actual: 10, Life: life},
		"less than nothing":  {Of: self, ID: 78, Actual: -1, Life: life},
		"of nobody":          {Of: self, ID: 78, Actual: 10},
	} {
		if got := s.Settle(begin, ask); got != (deltasync.Settled{ID: 78}) {
			t.Errorf("%s: %+v", name, got)
		}
	}
	for id := range uint64(mostHeld) {
		s.Settle(begin, deltasync.Settlement{Of: self, ID: 100 + id, Actual: 10, Life: life})
	}
	if got := s.Settle(begin, deltasync.Settlement{Of: self, ID: 99, Actual: 10, Life: life}); got.Known || got.Back != 0 {
		t.Errorf("one more than the cap: %+v", got)
	}
}

// A node that asks for refunds without end leaves places to reservations, and to other nodes.
func TestRefundsOfOneNodeLeavePlacesToOthers(t *testing.T) {
	s := newEscrow()
	ask := deltasync.Settlement{Of: self, By: other, Actual: 10, Life: deltasync.Life{Key: crdt.Key{Lo: 1}, Life: crdt.Life{Revision: crdt.Stamp{At: 3}}}}
	known := 0
	for range mostHeld {
		if ask.ID++; s.Settle(begin, ask).Known {
			known++
		}
	}
	if known != mostHeld/2 {
		t.Errorf("one node's refunds take %d of %d places", known, mostHeld)
	}
	if _, err := s.Hold(begin, begin+second, "192.0.2.1", nil); err != nil {
		t.Errorf("a reservation: %v", err)
	}
	ask.ID, ask.By = ask.ID+1, other+1
	if !s.Settle(begin, ask).Known {
		t.Error("another node gets nothing back")
	}
	s.Expire(begin + int64(refundKept) + 1)
	if len(s.held)+len(s.shares)+len(s.order) != 0 {
		t.Errorf("%d held, shares %v", len(s.held), s.shares)
	}
}

func TestARefundIsAskedForUntilItsCallerStopsWaiting(t *testing.T) {
	s := newEscrow()
	life := deltasync.Life{Key: crdt.Key{Lo: 1}, Life: crdt.Life{Revision: crdt.Stamp{At: 3}}}
	var passed []*Passed
	ids := map[uint64]bool{}
	for range 3 {
		p, err := s.PassRefund(begin, other, life, 5)
		if err != nil {
			t.Fatal(err)
		}
		passed = append(passed, p)
	}
	for _, ask := range s.Settlements(begin, 10) {
		if ids[ask.ID] = true; ask.Of != other || ask.Actual != 5 || ask.Life != life {
			t.Errorf("%+v", ask)
		}
	}
	if len(ids) != 3 {
		t.Errorf("%d numbers for 3 refunds", len(ids))
	}
	answer := deltasync.Settled{ID: passed[0].ask.ID, Back: 2, Known: true}
	s.SettlementAnswered(begin+1, other, answer)
	for _, p := range passed[:2] {
		s.Withdraw(p)
		<-p.Done()
	}
	if passed[0].Answer() != answer || passed[1].Answer().Known {
		t.Errorf("%+v, withdrawn: %+v", passed[0].Answer(), passed[1].Answer())
	}
	if got := s.Settlements(begin+second, 10); len(got) != 1 || got[0].ID != passed[2].ask.ID {
		t.Errorf("sent again: %+v", got)
	}
	s.SettlementAnswered(begin+second, other, deltasync.Settled{ID: passed[1].ask.ID, Back: 5, Known: true}) // too late
	s.Expire(begin + 2*second + int64(passOnFor))
	if <-passed[2].Done(); passed[2].Answer().Known || len(s.passed)+len(s.queue) != 0 {
		t.Errorf("%+v, %d kept", passed[2].Answer(), len(s.passed))
	}
}

func TestPassedSettlementsAreCapped(t *testing.T) {
	s := newEscrow()
	for id := range uint64(MaxOpen) {
		_, _ = s.Pass(begin, Token{other, id + 1}, 0)
	}
	if _, err := s.Pass(begin, Token{other, MaxOpen + 1}, 0); !errors.Is(err, ErrFull) {
		t.Errorf("one more than the cap: %v", err)
	}
	if _, err := s.Pass(begin, Token{other, 1}, 0); err != nil {
		t.Errorf("one that is under way already: %v", err)
	}
}

func TestTokensAreReadAsTheyWereWritten(t *testing.T) {
	for _, token := range []Token{{1, 0}, {1, 1}, {self, 36}, {1<<64 - 1, 1<<64 - 1}} {
		if got, err := ParseToken(token.String()); got != token || err != nil {
			t.Errorf("%v: %v, %v", token, got, err)
		}
	}
	for _, text := range []string{"", "x", "1.", ".1", "0.5", "1.2.3", "é.1", "1.-2", "3w5e11264sgsg.1", strings.Repeat("z", 1<<20)} {
		if got, err := ParseToken(text); !errors.Is(err, ErrToken) || len(err.Error()) > 100 {
			t.Errorf("%.20q: %v, %v", text, got, err)
		}
	}
	s := newEscrow()
	if a, b := hold(t, s, begin, second), hold(t, s, begin, second); a.ID == b.ID || a.ID+1 == b.ID || a.Of != self {
		t.Errorf("%v and %v", a, b)
	}
}
