package node

import (
	"cmp"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/distributed-rate-limiter/distributed-rate-limiter/crdt"
	deltasync "github.com/distributed-rate-limiter/distributed-rate-limiter/sync"
)

// MaxHeld caps the reservations that a node holds under tokens and that are not settled,
// and those of other nodes that it is passing on. Settled ones are remembered until their
// time is over, so that whoever asks again gets the same answer: at most mostHeld in all.
const (
	MaxHeld  = 100_000
	mostHeld = 4 * MaxHeld
)

// Settling by token. Neither error says that anything was given back.
var (
	// ErrUnknownReservation: no node holds a reservation under this token, or not any more:
	// its time is over, or the node that made it is gone. What it took stays charged.
	ErrUnknownReservation = errors.New("node: unknown reservation, or its time is over")
	// ErrUnconfirmed: the reservation is another node's, which has not answered yet. It is
	// asked until the reservation's end, and asking again here is safe.
	ErrUnconfirmed = errors.New("node: the node that made the reservation has not answered yet; it is asked on")
	ErrTooManyHeld = errors.New("node: too many reservations are being settled through this node")
)

// settling is what a node knows of reservations by token.
type settling struct {
	mu    sync.Mutex
	count uint64
	held  map[uint64]*held
	order []*held // by the time at which they are over
	open  int     // of them, those that are not settled
	// passing are settlements of other nodes' reservations, until these answer.
	passing map[passed]*passing
	queue   []*passing
	due     int64 // none of them is to be sent before
	swept   int64 // when those that are over were last dropped
}

// held is a reservation of this node's under its token.
type held struct {
	id          uint64
	reservation *Reservation
	until       int64
	back        int64
	settled     bool
}

type passed struct {
	of crdt.Replica
	id uint64
}

// passing is a settlement that is on its way.
type passing struct {
	passed
	actual      int64
	until, next int64
	answer      deltasync.Settled
	answered    chan struct{} // closed with the answer, or when its time is over
	over        bool
}

// passOnEvery is after how long a settlement without an answer is sent again, and
// passOnFor how long after it was asked for the last time. An answer is kept for a while,
// for those who ask again.
const (
	passOnEvery = 250 * time.Millisecond
	passOnFor   = 60 * time.Second
	answerKept  = 5 * time.Second
)

// Hold is Reserve for those who cannot keep a *Reservation, such as clients of a server:
// the node holds it under a token, by which any node of the cluster settles it. The token
// is empty if nothing was taken.
func (n *Node) Hold(q Request) (d Decision, token string) {
	now := n.now()
	s := &n.settling
	s.mu.Lock()
	s.expire(now)
	full := s.open >= MaxHeld || len(s.held) >= mostHeld
	s.mu.Unlock()
	if full {
		n.refusals[ReasonTooManyHeld].Add(1)
		return Decision{Reason: ReasonTooManyHeld, RetryAfter: time.Second, Degraded: n.degraded.Load()}, ""
	}
	r := n.Reserve(q)
	if len(r.holds) == 0 {
		return r.Decision, ""
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.count++
	var seed [24]byte // not to be guessed by those who see other tokens
	copy(seed[:], "token")
	binary.LittleEndian.PutUint64(seed[8:], uint64(n.replica))
	binary.LittleEndian.PutUint64(seed[16:], s.count)
	id, _ := n.hash.Hash128(seed[:])
	h := &held{id: id, reservation: r, until: r.until}
	if s.held == nil {
		s.held = map[uint64]*held{}
	}
	s.held[id] = h
	s.open++
	at, _ := slices.BinarySearchFunc(s.order, h.until+1, func(o *held, until int64) int { return cmp.Compare(o.until, until) })
	s.order = slices.Insert(s.order, at, h) // at the end, where all have one timeout
	return r.Decision, strconv.FormatUint(uint64(n.replica), 36) + "." + strconv.FormatUint(id, 36)
}

// expire drops what is over. mu is held.
func (s *settling) expire(now int64) {
	gone := 0
	for gone < len(s.order) && s.order[gone].until < now {
		if !s.order[gone].settled {
			s.open--
		}
		delete(s.held, s.order[gone].id)
		gone++
	}
	clear(s.order[:gone])
	s.order = s.order[gone:]
	if now < s.swept+int64(time.Second) {
		return
	}
	s.swept = now
	kept := s.queue[:0]
	for _, p := range s.queue {
		if p.until >= now {
			kept = append(kept, p)
			continue
		}
		if !p.over {
			p.finish()
		}
		delete(s.passing, p.passed)
	}
	clear(s.queue[len(kept):])
	s.queue = kept
}

// keep does what time demands where nobody is asked, as without a network.
func (s *settling) keep(now int64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.expire(now)
}

func (p *passing) finish() {
	p.over = true
	close(p.answered)
}

// Settle settles a reservation by its token, as Reservation.Commit does, and on whichever
// node: 0 cancels it. It counts once, however often and wherever it is asked for; the
// first one does, and its answer is given again. For a reservation of another node it
// waits for that node's answer, until ctx is done; see ErrUnconfirmed.
func (n *Node) Settle(ctx context.Context, token string, actual int64) (back int64, err error) {
	p, back, err := n.settle(token, actual)
	if p == nil {
		return back, err
	}
	select {
	case <-p.answered: // also where ctx is done
	default:
		select {
		case <-p.answered:
		case <-ctx.Done():
			return 0, fmt.Errorf("%w: %w", ErrUnconfirmed, ctx.Err())
		case <-n.stop:
			return 0, fmt.Errorf("%w: %w", ErrUnconfirmed, ErrClosed)
		}
	}
	if !p.answer.Known {
		return 0, ErrUnknownReservation
	}
	return p.answer.Back, nil
}

// settle settles a reservation of this node's, or begins to pass it on.
func (n *Node) settle(token string, actual int64) (*passing, int64, error) {
	id, of, err := parseToken(token)
	if err != nil {
		return nil, 0, err
	}
	if actual < 0 {
		return nil, 0, &FieldError{Field: "actual", Value: actual, Reason: "must be 0, which cancels, or what was used"}
	}
	now := n.now()
	if of == n.replica {
		if a := (store{n}).Settle(now, deltasync.Settlement{Of: of, ID: id, Actual: actual}); a.Known {
			return nil, a.Back, nil
		}
		return nil, 0, ErrUnknownReservation
	}
	if n.offline || !n.hears(of) {
		return nil, 0, ErrUnknownReservation
	}
	s := &n.settling
	s.mu.Lock()
	defer s.mu.Unlock()
	s.expire(now)
	key := passed{of, id}
	p := s.passing[key]
	if p == nil {
		if len(s.passing) >= MaxHeld {
			return nil, 0, ErrTooManyHeld
		}
		if s.passing == nil {
			s.passing = map[passed]*passing{}
		}
		p = &passing{passed: key, actual: actual, next: now, answered: make(chan struct{})}
		s.passing[key] = p
		s.queue, s.due = append(s.queue, p), now
	}
	if !p.over {
		p.until = now + int64(passOnFor)
		n.loopUrgent()
	}
	return p, 0, nil
}

// hears reports whether the replica may still be there.
func (n *Node) hears(r crdt.Replica) bool {
	status := n.protocol.Status()
	for _, p := range status.Peers {
		if p.Replica == r {
			return p.State != deltasync.PeerGone
		}
	}
	return false
}

func parseToken(token string) (id uint64, of crdt.Replica, err error) {
	left, right, _ := strings.Cut(token, ".")
	replica, err1 := strconv.ParseUint(left, 36, 64)
	id, err2 := strconv.ParseUint(right, 36, 64)
	if err1 != nil || err2 != nil || replica == 0 {
		return 0, 0, &FieldError{Field: "reservation", Value: fmt.Sprintf("%.48q", token), Reason: "must be the token of a reservation"}
	}
	return id, crdt.Replica(replica), nil
}

// Settle implements deltasync.Store.
func (n store) Settle(now int64, ask deltasync.Settlement) deltasync.Settled {
	s := &n.settling
	s.mu.Lock()
	defer s.mu.Unlock()
	s.expire(now)
	h := s.held[ask.ID]
	if h == nil || ask.Of != n.replica || ask.Actual < 0 {
		return deltasync.Settled{ID: ask.ID}
	}
	if !h.settled {
		h.settled, h.back = true, h.reservation.settle(ask.Actual)
		s.open--
	}
	return deltasync.Settled{ID: ask.ID, Back: h.back, Known: true}
}

// Settlements implements deltasync.Store.
func (n store) Settlements(now int64, most int) []deltasync.Settlement {
	s := &n.settling
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.queue) == 0 || now < s.due {
		return nil // asked at every step of the protocol
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
			out = append(out, deltasync.Settlement{Of: p.of, ID: p.id, Actual: p.actual})
		}
	}
	return out
}

// SettlementAnswered implements deltasync.Store.
func (n store) SettlementAnswered(of crdt.Replica, answer deltasync.Settled) {
	s := &n.settling
	s.mu.Lock()
	defer s.mu.Unlock()
	if p := s.passing[passed{of, answer.ID}]; p != nil && !p.over {
		p.answer, p.until = answer, n.now()+int64(answerKept)
		p.finish()
	}
}
