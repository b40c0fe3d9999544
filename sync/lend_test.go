package sync

import (
	"slices"
	"testing"

	"github.com/distributed-rate-limiter/distributed-rate-limiter/crdt"
)

// lending is the part of memStore that borrows and lends. It gives each want half.
type lending struct {
	wanting []Want
	lends   []lend
	took    []Lent
	when    []Asked
	clock   int64
}

// lend is one question that the store was asked.
type lend struct {
	to          crdt.Replica
	number, low uint64
	wants       []Want
}

func (l *lending) Place(node string) int { return slices.Index([]string{"probe", "b", "c"}, node) }
func (l *lending) Wanting() bool         { return len(l.wanting) > 0 }

func (l *lending) Wants(_ int64, present uint64, most int) (out []Want, when Asked) {
	n := min(most, len(l.wanting))
	for _, w := range l.wanting[:n] {
		w.Lenders &= present
		out = append(out, w)
	}
	l.wanting = l.wanting[n:]
	l.clock++
	return out, Asked{Mono: l.clock, Wall: -l.clock}
}

func (l *lending) Lend(_ int64, to crdt.Replica, number, low uint64, wants []Want) (out []Lent) {
	l.lends = append(l.lends, lend{to, number, low, wants})
	for _, w := range wants {
		out = append(out, Lent{Amount: w.Wanted / 2})
	}
	return out
}

func (l *lending) Lent(_ int64, _ crdt.Replica, when Asked, _ []Want, lent []Lent) {
	l.took, l.when = append(l.took, lent...), append(l.when, when)
}

// newLender is a probe that lends and borrows, with two peers that have places.
func newLender(t *testing.T) (*probe, *lending) {
	t.Helper()
	p := newProbe(t, nil)
	l := new(lending)
	p.engine.loans.store = l
	for i, name := range []string{"b", "c"} {
		p.hear(&Message{Kind: KindBeat, Node: name, Replica: crdt.Replica(i + 2)})
	}
	p.tick(2e6)
	p.sent = nil
	return p, l
}

// want is what client i asks the lenders at some places for.
func want(i int, lenders uint64) Want {
	return Want{Key: key(i), Terms: 9, Wanted: int64(10 * (i + 1)), Held: 3, Lenders: lenders}
}

// wanted are the wants that the probe sent, by receiver, since the last call.
func (p *probe) wanted() map[crdt.Replica]*Message {
	out := map[crdt.Replica]*Message{}
	for _, m := range p.sent {
		if m.Kind == KindWant {
			out[m.To] = m
		}
	}
	p.sent = nil
	return out
}

func TestWantsGoToThoseWhoHaveAShareAndOnesAnswerIsTakenOnce(t *testing.T) {
	p, l := newLender(t)
	l.wanting = []Want{want(0, 0b110), want(1, 0b100)}
	p.step(Input{Kind: InputUrgent})
	sent := p.wanted()
	if b, c := sent[2], sent[3]; b == nil || c == nil || len(b.Wants) != 1 || len(c.Wants) != 2 || b.Request == c.Request {
		t.Fatalf("b is asked %+v, c is asked %+v", b, c)
	}
	loan := &Message{Kind: KindLoan, Node: "c", Replica: 3, Request: sent[3].Request, Lent: []Lent{{Amount: 4}, {Amount: 5}}}
	p.hear(&Message{Kind: KindLoan, Node: "b", Replica: 2, Request: loan.Request, Lent: loan.Lent}) // not asked under this number
	p.hear(&Message{Kind: KindLoan, Node: "c", Replica: 3, Lent: loan.Lent})                        // unasked
	p.hear(loan)
	p.hear(loan) // recorded
	if !slices.Equal(l.took, []Lent{{Amount: 4}, {Amount: 5}}) || l.when[0] != (Asked{Mono: 1, Wall: -1}) {
		t.Errorf("took %v of %v, want one loan of 4 and 5, asked at 1", l.took, l.when)
	}
	p.hear(&Message{Kind: KindLoan, Node: "b", Replica: 2, Request: sent[2].Request, Lent: []Lent{{Amount: 1}, {Amount: 1}}})
	if len(l.took) != 2 {
		t.Errorf("took %v, though b answered other questions than it was asked", l.took)
	}
}

func TestALoanGoesBackToItsLenderAlone(t *testing.T) {
	p, l := newLender(t)
	l.wanting = []Want{{Key: key(0), Terms: 9, Held: 1, Back: 5, BackOf: 7, BackTo: 3}, {Key: key(1), Terms: 9, Wanted: 4, Back: 6, BackOf: 8, BackTo: 2, Lenders: 0b100}}
	p.step(Input{Kind: InputUrgent})
	sent := p.wanted()
	b, c := sent[2], sent[3]
	if b == nil || c == nil {
		t.Fatalf("asked %+v", sent)
	}
	if w := b.Wants; len(w) != 1 || w[0].Back != 6 || w[0].BackOf != 8 || w[0].Wanted != 0 {
		t.Errorf("b is told %+v, want of its loan and to lend nothing", w)
	}
	if w := c.Wants; len(w) != 2 || w[0].Back != 5 || w[0].BackOf != 7 || w[1].Back != 0 || w[1].BackOf != 0 || w[1].Wanted != 4 {
		t.Errorf("c is told %+v, want of its loan alone", w)
	}
}

func TestWantsAreGathered(t *testing.T) {
	p, l := newLender(t)
	for i := range 3 {
		l.wanting = append(l.wanting, want(i, 0b010))
		p.step(Input{Kind: InputUrgent})
	}
	if got := p.wanted(); len(got) != 1 || len(got[2].Wants) != 1 {
		t.Fatalf("asked %+v at once, want the first alone", got)
	}
	p.tick(wantGap)
	if got := p.wanted(); len(got) != 1 || len(got[2].Wants) != 2 {
		t.Errorf("asked %+v a gap later, want the other two together", got)
	}
}

// A lender counts what it lent as still out until the borrower says under which number it takes
// nothing any more. A question that may still be answered holds that number back.
func TestLowNamesNoNumberThatIsStillTaken(t *testing.T) {
	p, l := newLender(t)
	ask := func() *Message {
		l.wanting = []Want{want(0, 0b010)}
		p.tick(2 * wantGap)
		return p.wanted()[2]
	}
	first := ask()
	second := ask()
	if second.Low != first.Request-1 {
		t.Errorf("low is %d while question %d is open", second.Low, first.Request)
	}
	p.hear(&Message{Kind: KindLoan, Node: "b", Replica: 2, Request: second.Request, Lent: []Lent{{Amount: 1}}})
	if third := ask(); third.Low != first.Request-1 {
		t.Errorf("low is %d while question %d is open", third.Low, first.Request)
	}
	p.hear(&Message{Kind: KindBeat, Node: "b", Replica: 2})
	p.tick(2 * askedFor)
	fourth := ask()
	if fourth.Low < second.Request || fourth.Low >= fourth.Request {
		t.Errorf("low is %d after questions %d and %d were given up", fourth.Low, first.Request, second.Request)
	}
	p.hear(&Message{Kind: KindLoan, Node: "b", Replica: 2, Request: first.Request, Lent: []Lent{{Amount: 7}}})
	if slices.Contains(l.took, Lent{Amount: 7}) {
		t.Error("a loan was taken under a number that was said to be over")
	}
}

func TestLenderAnswersEachQuestionOnce(t *testing.T) {
	p, l := newLender(t)
	m := &Message{Kind: KindWant, Node: "b", Replica: 2, Request: 5, Low: 4, Wants: []Want{want(0, 0), want(1, 0)}}
	p.hear(m)
	p.hear(m) // recorded
	m.Request = 4
	p.hear(m) // overtaken
	if len(l.lends) != 1 || l.lends[0].to != 2 || l.lends[0].number != 5 || l.lends[0].low != 4 || len(l.lends[0].wants) != 2 {
		t.Errorf("lent %+v, want once", l.lends)
	}
	answers := slices.DeleteFunc(p.sent, func(m *Message) bool { return m.Kind != KindLoan })
	if len(answers) != 1 || answers[0].To != 2 || answers[0].Request != 5 || !slices.Equal(answers[0].Lent, []Lent{{Amount: 5}, {Amount: 10}}) {
		t.Errorf("answered %+v", answers)
	}
}

func TestStrangersBorrowNothing(t *testing.T) {
	p, l := newLender(t)
	p.strangers = true
	p.hear(&Message{Kind: KindWant, Node: "d", Replica: 9, Request: 1, Wants: []Want{want(0, 0)}})
	if len(l.lends) > 0 {
		t.Errorf("lent %+v to a stranger", l.lends)
	}
}

func TestQuestionsAreCappedInBytes(t *testing.T) {
	p, l := newLender(t)
	bytes, seconds := 0, 0
	for ; seconds < 3; seconds++ {
		for range 500 {
			for len(l.wanting) < 4*maxWants {
				l.wanting = append(l.wanting, want(len(l.wanting), 0b110))
			}
			p.tick(2 * wantGap)
			for _, m := range p.sent {
				if m.Kind == KindWant {
					bytes += len(m.Wants) * wantSize
				}
			}
			p.sent = nil
			if now := p.now; now%1e9 < 2e6 {
				p.hear(&Message{Kind: KindBeat, Node: "b", Replica: 2})
				p.hear(&Message{Kind: KindBeat, Node: "c", Replica: 3})
			}
		}
	}
	if most := int(lendingBytes)*seconds + 2*int(lendingAtOnce); bytes == 0 || bytes > most {
		t.Errorf("%d bytes of questions in %d s, want at most %d", bytes, seconds, most)
	}
}

// A peer that wants without end leaves this node's answers to others.
func TestLoansAreRationedByPeer(t *testing.T) {
	p, l := newLender(t)
	wants := make([]Want, maxWants)
	for i := range wants {
		wants[i] = want(i, 0)
	}
	most := int(lentAtOnce) / (lendingHead + maxWants*lentSize)
	for i := range 1000 {
		p.hear(&Message{Kind: KindWant, Node: "b", Replica: 2, Request: uint64(i + 1), Wants: wants})
	}
	if n := len(l.lends); n > most+1 || n < most-1 {
		t.Errorf("%d questions of one peer answered at once, want about %d", n, most)
	}
	l.lends = nil
	p.hear(&Message{Kind: KindWant, Node: "c", Replica: 3, Request: 1, Wants: wants})
	if len(l.lends) != 1 {
		t.Error("another peer gets no answer")
	}
	l.wanting = []Want{want(1, 0b110)}
	p.tick(2e6)
	if len(p.wanted()) != 2 {
		t.Error("this node's own question has to wait")
	}
	l.lends = nil
	for i := range 2000 { // twice the rate, for a second
		p.tick(5e5)
		if i%5 == 0 {
			p.hear(&Message{Kind: KindWant, Node: "b", Replica: 2, Request: uint64(2000 + i), Wants: wants})
		}
	}
	if n, most := len(l.lends), int(lentToOne)/(lendingHead+maxWants*lentSize); n > most+1 || n < most-1 {
		t.Errorf("%d questions of one peer answered in a second, want about %d", n, most)
	}
}
