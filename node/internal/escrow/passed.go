package escrow

import (
	"time"

	"github.com/distributed-rate-limiter/distributed-rate-limiter/crdt"
	deltasync "github.com/distributed-rate-limiter/distributed-rate-limiter/sync"
)

// How long a settlement is passed on.
const (
	// passOnEvery is after how long a settlement without an answer is sent again. Lower it
	// and slow links carry more copies; raise it and a lost message costs its caller more
	// time.
	passOnEvery = 250 * time.Millisecond
	// passOnFor is how long a settlement is sent again after somebody asked for it last. It
	// is as long as a reservation can be settled by default: raising it is of use only to
	// reservations with a longer timeout, lowering it gives up on those that could be
	// settled after a partition.
	passOnFor = 60 * time.Second
	// answerKept is how long an answer is kept for those who ask again. Lower it and they
	// ask the other node again, which costs a round trip; raise it and it takes up a place
	// under the cap for longer.
	answerKept = 5 * time.Second
)

// Passed is a settlement of what another node charged, on its way there.
type Passed struct {
	token       Token // of a refund, the other node and the number that this one made up
	ask         deltasync.Settlement
	until, next int64 // when it is dropped, and when it is sent again; under Escrow.mu
	answer      deltasync.Settled
	over        bool          // answered, or given up; under Escrow.mu
	done        chan struct{} // closed once over is true and answer is final
}

// Done is closed once Answer can be read.
func (p *Passed) Done() <-chan struct{} { return p.done }

// Answer is what the other node said, or that the reservation is unknown where no answer
// came in time. Call it after Done is closed.
func (p *Passed) Answer() deltasync.Settled { return p.answer }

func (p *Passed) finish(answer deltasync.Settled) {
	p.answer, p.over = answer, true
	close(p.done)
}

// Pass has a reservation of another node's settled there. Asked for the same reservation
// again it returns the settlement under way, or its answer: the first actual counts. At the
// cap the error is ErrFull.
func (s *Escrow) Pass(now int64, t Token, actual int64) (*Passed, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.expire(now)
	p := s.passed[t]
	if p == nil {
		if len(s.passed) >= MaxOpen {
			return nil, ErrFull
		}
		p = s.pass(now, deltasync.Settlement{Of: t.Of, ID: t.ID, Actual: actual})
	}
	if !p.over {
		p.until = now + int64(passOnFor)
	}
	return p, nil
}

// PassRefund asks another node to give back at most units of what it charged to a life. At the
// cap the error is ErrFull.
func (s *Escrow) PassRefund(now int64, of crdt.Replica, life deltasync.Life, units int64) (*Passed, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.expire(now)
	if len(s.passed) >= MaxOpen {
		return nil, ErrFull
	}
	p := s.pass(now, deltasync.Settlement{Of: of, ID: s.newID(), Actual: units, Life: life})
	p.until = now + int64(passOnFor)
	return p, nil
}

// pass puts a settlement into the queue. mu is held.
func (s *Escrow) pass(now int64, ask deltasync.Settlement) *Passed {
	p := &Passed{token: Token{ask.Of, ask.ID}, ask: ask, next: now, done: make(chan struct{})}
	s.passed[p.token] = p
	s.queue, s.due = append(s.queue, p), now
	return p
}

// Withdraw gives a settlement up: it is sent no more, and an answer to what was sent is not
// waited for.
func (s *Escrow) Withdraw(p *Passed) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if !p.over {
		p.until = 0
		p.finish(deltasync.Settled{})
	}
}

// Settlements implements deltasync.Settler.
func (s *Escrow) Settlements(now int64, most int) []deltasync.Settlement {
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.queue) == 0 || now < s.due {
		return nil
	}
	s.expire(now)
	s.due = now + int64(passOnEvery)
	var out []deltasync.Settlement
	for _, p := range s.queue {
		switch {
		case p.over:
		case p.next > now:
			s.due = min(s.due, p.next)
		case len(out) == most:
			s.due = now
		default:
			p.next = now + int64(passOnEvery)
			out = append(out, p.ask)
		}
	}
	return out
}

// SettlementAnswered implements deltasync.Settler.
func (s *Escrow) SettlementAnswered(now int64, of crdt.Replica, answer deltasync.Settled) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if p := s.passed[Token{of, answer.ID}]; p != nil && !p.over {
		p.until = now + int64(answerKept)
		p.finish(answer)
	}
}
