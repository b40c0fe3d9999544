package sync

import (
	"slices"

	"github.com/distributed-rate-limiter/distributed-rate-limiter/crdt"
)

// Nodes lend each other what a bounded limit lets them admit. The engine carries the questions
// and the answers, and knows which answers can still come; what they mean is the store's
// business. Nothing here is repeated or repaired: what is lost only denies.
//
// A question names a receiver and has a number, as all requests do, and its answer has the same
// one. That number is also the loan's. So each loan is taken once: the question is struck off
// when its answer comes, and a later answer under that number finds no question.

// Want asks one replica to lend.
type Want struct {
	Key crdt.Key // the client
	// Terms stands for the limit, the revision, the rule and the roster by which the asker
	// counts. Whoever counts otherwise lends nothing.
	Terms uint64
	// Wanted is how much to lend at most, and Held how much the asker holds of what it
	// borrowed, both in nanoseconds of drain, 0 to crdt.End.
	Wanted, Held int64
	// Back is what the asker gives back unspent of a loan of the receiver's, and BackOf what that
	// loan said in Lent.Of. Held is without it.
	Back, BackOf int64
	// BackTo is whose loan that is. It is not sent: others are told of no Back.
	BackTo crdt.Replica
	// Lenders are the places in the roster of those to ask, as bits. It is not sent.
	Lenders uint64
}

// Lent is how much a replica lends for a Want. 0 lends nothing, and ends the question.
type Lent struct {
	Amount int64
	// Of is for the lender: a loan that goes back says it again.
	Of int64
}

// Asked is when a question was asked, by the asker's monotonic clock and its wall clock.
type Asked struct{ Mono, Wall int64 }

const (
	// maxWants is of questions in one message, and of answers. More would hold up a lender for
	// longer, less would take more messages while many clients borrow.
	maxWants = 512
	// wantGap is the least time between two rounds of questions, so that those of many clients
	// share messages. Raising it lets requests wait for longer; lowering it sends more messages.
	wantGap = int64(1e6)
	// lendingBytes is how many bytes of questions and answers a node sends in a second, on
	// average, and lendingAtOnce after a pause. Raising them lets clients that nobody can
	// serve take more of the network. Lowering them denies clients that others could.
	lendingBytes  = int64(1 << 20)
	lendingAtOnce = int64(1 << 18)
	// lentToOne and lentAtOnce are how many of these bytes answers to one peer may take. Raising
	// them lets a peer that asks for ever keep the others from borrowing. Lowering them denies
	// clients whose requests all reach one node.
	lentToOne, lentAtOnce = lendingBytes / 2, lendingAtOnce / 2
	// wantSize and lentSize are about what a question and an answer take in a message, and
	// lendingHead what the rest of the message does.
	wantSize, lentSize, lendingHead = 7 * wordSize, 2 * wordSize, 100
	// mostAsked caps the open questions to one peer; the oldest is struck off. Raising it takes
	// memory, lowering it below what a round trip holds refuses loans that were granted.
	mostAsked = 128
	// askedFor is how long a question stays open beyond four of the peer's delays. Raising it
	// keeps lenders longer from learning that a loan was lost. Lowering it refuses answers that
	// come late.
	askedFor = int64(250e6)
)

// question is what one peer was asked, and waits for its answer.
type question struct {
	number uint64
	until  int64 // by our clock: later answers are refused
	when   Asked
	wants  []Want
}

// questions are those to one peer that are open, by their numbers.
type questions []question

// prune strikes off what nobody waits for any more.
func (a *questions) prune(now int64) {
	for len(*a) > 0 && ((*a)[0].until <= now || len(*a) > mostAsked) {
		*a = (*a)[1:]
	}
}

// low is the number up to which no answer is taken any more, if last is that of the last
// question to anybody.
func (a questions) low(last uint64) uint64 {
	if len(a) > 0 {
		return a[0].number - 1
	}
	return last
}

// loans go between this node's store and the replicas that lend.
type loans struct {
	*outbound
	store   Lender // nil: this node has no bounded limits
	members *members
	// next is when questions may go out again, by our clock, and bytes paces them and answers.
	next  int64
	bytes bucket
}

// due is when the questions that wait may go out; crdt.End if none waits.
func (l *loans) due(now int64) int64 {
	if l.store != nil && l.next > now && l.store.Wanting() {
		return l.next
	}
	return crdt.End
}

// ask asks for what clients lack. It holds questions back for wantGap, and for as long as they are
// more than the network should carry.
func (l *loans) ask(now int64) {
	if l.store == nil || now < l.next || !l.store.Wanting() {
		return
	}
	if l.next = now + wantGap; !l.bytes.take(now, lendingHead, ration{lendingBytes, lendingAtOnce}) {
		return
	}
	lenders, present := map[*peer]int{}, uint64(0)
	for _, p := range l.members.peers {
		if place := l.store.Place(p.node); place >= 0 && p.state == PeerAlive && p.confirmed {
			lenders[p] = place
			present |= 1 << place
		}
	}
	all, when := l.store.Wants(now, present, maxWants)
	for _, p := range l.members.peers { // in their order, which equal seeds repeat
		place, may := lenders[p]
		if !may {
			continue
		}
		list := wantsFor(all, p.replica, place)
		if len(list) == 0 {
			continue
		}
		l.bytes.charge(now, lendingHead+int64(len(list))*wantSize, ration{lendingBytes, lendingAtOnce})
		p.wanted.prune(now)
		m := &Message{Kind: KindWant, Wants: list, Low: p.wanted.low(l.requests)}
		l.request(now, p, m)
		_, delay := p.offset()
		p.wanted = append(p.wanted, question{m.Request, now + askedFor + 4*delay, when, list})
	}
}

// wantsFor are those of all that a replica is to hear, whose node has a place.
func wantsFor(all []Want, r crdt.Replica, place int) (list []Want) {
	for _, w := range all {
		if w.Lenders>>place&1 == 0 {
			w.Wanted = 0
		}
		if w.BackTo != r {
			w.Back, w.BackOf = 0, 0
		}
		if w.Wanted > 0 || w.Back > 0 {
			list = append(list, w)
		}
	}
	return list
}

// asked lends, and answers also if that is nothing: an answer ends the question.
func (l *loans) asked(now int64, p *peer, m *Message) {
	size := lendingHead + int64(len(m.Wants))*lentSize
	if !l.connected || l.store == nil || !p.loans.take(now, size, ration{lentToOne, lentAtOnce}) || !l.bytes.take(now, size, ration{lendingBytes, 2 * lendingAtOnce}) {
		return
	}
	l.tell(now, p, &Message{Kind: KindLoan, Request: m.Request, Lent: l.store.Lend(now, p.replica, m.Request, m.Low, m.Wants)}, nil)
}

// answered takes the answer to a question that is open, and no other. What a question said of the
// numbers below is true: prune and this strike questions off, and nothing opens one again.
func (l *loans) answered(now int64, p *peer, m *Message) {
	p.wanted.prune(now)
	i := slices.IndexFunc(p.wanted, func(q question) bool { return q.number == m.Request })
	if i < 0 || len(m.Lent) != len(p.wanted[i].wants) {
		return
	}
	l.store.Lent(now, p.replica, p.wanted[i].when, p.wanted[i].wants, m.Lent)
	p.wanted = slices.Delete(p.wanted, i, i+1)
}

func wantRecord(w *words, x *Want) {
	w.uint(&x.Key.Hi)
	w.uint(&x.Key.Lo)
	w.uint(&x.Terms)
	w.int(&x.Wanted, 0, crdt.End)
	w.int(&x.Held, 0, crdt.End)
	w.int(&x.Back, 0, crdt.End)
	w.int(&x.BackOf, 0, crdt.End)
}

func lentRecord(w *words, x *Lent) {
	w.int(&x.Amount, 0, crdt.End)
	w.int(&x.Of, 0, crdt.End)
}
