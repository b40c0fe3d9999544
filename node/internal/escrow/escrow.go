// Package escrow holds a node's reservations under tokens, so that any node of the cluster
// can settle them. It carries settlements to the nodes that made the reservations, and
// refunds to the nodes that charged.
//
// The node that charged is the only one that can give back, from counters of its own. Its
// escrow settles each reservation and each refund once, and remembers the answer. Every other
// node's escrow passes a settlement on to that node, again and again until it answers.
package escrow

import (
	"cmp"
	"encoding/binary"
	"errors"
	"slices"
	"strconv"
	"sync"
	"time"

	"github.com/distributed-rate-limiter/distributed-rate-limiter/crdt"
	deltasync "github.com/distributed-rate-limiter/distributed-rate-limiter/sync"
)

// MaxOpen caps the reservations that are held and not settled, and, apart from those, the
// settlements that are passed on. Each costs about 200 bytes. Lower it and a burst of
// requests that nobody settles closes the door for others sooner.
const MaxOpen = 100_000

// mostHeld caps all reservations that the escrow holds. Settled ones stay until their time
// is over, so that whoever asks again gets the same answer. It costs memory as MaxOpen
// does. Lower it, and fewer reservations a second fit in.
const mostHeld = 4 * MaxOpen

// refundKept is how long the answer to another node's refund is kept: twice as long as that
// node repeats it, so that what the network delayed or repeats gives nothing a second time.
// Raising it takes up places under mostHeld for longer; lowering it lets a message that was
// under way for a minute count twice.
const refundKept = 2 * passOnFor

// ErrFull is the error of Hold and Pass at a cap.
var ErrFull = errors.New("escrow: too many reservations are held or being settled")

// Escrow is what one node knows of reservations by token. Make one with New. All methods
// are safe for concurrent use; they hold one lock and do no I/O. now is always unix
// nanoseconds by the node's clock.
type Escrow struct {
	self   crdt.Replica
	secret deltasync.Secret // what ids are made with
	refund Refund

	mu     sync.Mutex // guards what follows
	count  uint64     // ids that were ever made
	held   map[uint64]*reservation
	order  []*reservation   // those in held, by until
	open   int              // how many of them are not settled; 0 <= open <= MaxOpen
	shares map[string]share // of held, by origin; no zeros, and none for ""
	passed map[Token]*Passed
	queue  []*Passed // those in passed
	// due: of the settlements in queue, none is to be sent before.
	due int64
	// swept is when the queue was last swept: at most once a second, since it is asked for
	// at every step of the protocol.
	swept int64
}

// share is what an origin has of the places.
type share struct{ held, open int }

// Settle settles a reservation for what was really used. It says what it gave back,
// negative if it charged more, and what it left out above the debt cap.
type Settle func(actual int64) (back, notCharged int64, short deltasync.Shortfall)

// Refund gives back at most units of what this node charged to a life of a client, at now. It
// says how many, and why not all.
type Refund func(life deltasync.Life, units, now int64) (back int64, short deltasync.Shortfall)

// reservation is one of this node's, or a refund that another node asked for: that one is
// settled from the start.
type reservation struct {
	id      uint64
	origin  string // whose share it takes
	until   int64  // the last instant at which it can be settled
	settle  Settle // called once, then nil
	answer  deltasync.Settled
	settled bool
}

// New makes the escrow of an incarnation. Tokens of others cannot be guessed by those who
// do not know the secret. The escrow calls refund with its lock held: it must not call the
// escrow.
func New(self crdt.Replica, secret deltasync.Secret, refund Refund) *Escrow {
	return &Escrow{self: self, secret: secret, refund: refund, held: map[uint64]*reservation{}, shares: map[string]share{}, passed: map[Token]*Passed{}}
}

// Hold takes a reservation of an origin that can be settled until the instant until, and
// returns its token. settle is called once at most, with the escrow's lock held: it must not
// call the escrow. At the cap the error is ErrFull, and nothing is held.
//
// An origin may hold as many as there are places left for all. So one alone can take half of
// them, the next one half of the rest, and a newcomer always finds some (Choudhury and Hahne,
// Dynamic Queue Length Thresholds, 1998). The origin "" is the program itself, which has only
// the cap.
func (s *Escrow) Hold(now, until int64, origin string, settle Settle) (Token, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.expire(now)
	if s.open >= MaxOpen || len(s.held) >= mostHeld {
		return Token{}, ErrFull
	}
	if has := s.shares[origin]; origin != "" && (has.open >= MaxOpen-s.open || has.held >= mostHeld-len(s.held)) {
		return Token{}, ErrFull
	}
	r := &reservation{id: s.newID(), origin: origin, until: until, settle: settle}
	s.keep(r)
	s.open++
	s.shared(origin, 1, 1)
	return Token{Of: s.self, ID: r.id}, nil
}

// nodeOrigin is whose share the refunds take that another node asks for. No client's origin begins
// so: clients' are addresses.
func nodeOrigin(by crdt.Replica) string {
	if by == 0 {
		return ""
	}
	return "node " + strconv.FormatUint(uint64(by), 36)
}

// shared changes what an origin has. mu is held.
func (s *Escrow) shared(origin string, held, open int) {
	if origin == "" {
		return
	}
	has := s.shares[origin]
	if has.held, has.open = has.held+held, has.open+open; has == (share{}) {
		delete(s.shares, origin)
	} else {
		s.shares[origin] = has
	}
}

// newID makes an id that no escrow has made before. mu is held.
func (s *Escrow) newID() uint64 {
	s.count++
	var seed [24]byte
	copy(seed[:], "token")
	binary.LittleEndian.PutUint64(seed[8:], uint64(s.self))
	binary.LittleEndian.PutUint64(seed[16:], s.count)
	id, _ := s.secret.Hash128(seed[:])
	return id
}

// keep holds r until its time is over. mu is held.
func (s *Escrow) keep(r *reservation) {
	s.held[r.id] = r
	at, _ := slices.BinarySearchFunc(s.order, r.until+1, func(o *reservation, until int64) int { return cmp.Compare(o.until, until) })
	s.order = slices.Insert(s.order, at, r) // at the end, where all have one timeout
}

// Settle implements deltasync.Settler. The first settlement of a reservation counts, and
// later ones get its answer again. So do repeated refunds. At the cap, nothing is refunded. Each
// node that asks has a share of the places, as origins have, so that it leaves some to others.
func (s *Escrow) Settle(now int64, ask deltasync.Settlement) deltasync.Settled {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.expire(now)
	unknown := deltasync.Settled{ID: ask.ID}
	if ask.Of != s.self || ask.Actual < 0 {
		return unknown
	}
	r, origin := s.held[ask.ID], nodeOrigin(ask.By)
	switch free := mostHeld - len(s.held); {
	case r != nil:
	case ask.Life == (deltasync.Life{}), free <= 0, origin != "" && s.shares[origin].held >= free:
		return unknown
	default:
		r = &reservation{id: ask.ID, origin: origin, until: now + int64(refundKept), settled: true}
		back, short := s.refund(ask.Life, ask.Actual, now)
		r.answer = deltasync.Settled{ID: ask.ID, Back: back, Known: true, Short: short}
		s.keep(r)
		s.shared(origin, 1, 0)
	}
	if !r.settled {
		back, notCharged, short := r.settle(ask.Actual)
		r.answer = deltasync.Settled{ID: ask.ID, Back: back, NotCharged: notCharged, Known: true, Short: short}
		r.settled, r.settle = true, nil
		s.open--
		s.shared(r.origin, 0, -1)
	}
	return r.answer
}

// Expire drops what is over. Whoever waits for a settlement that is over gets an answer:
// the reservation is unknown. Call it about once a second, since without a network nothing
// else may.
func (s *Escrow) Expire(now int64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.expire(now)
}

// expire is Expire. mu is held.
func (s *Escrow) expire(now int64) {
	gone := 0
	for gone < len(s.order) && s.order[gone].until < now {
		r, open := s.order[gone], 0
		if !r.settled {
			s.open--
			open = -1
		}
		s.shared(r.origin, -1, open)
		delete(s.held, r.id)
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
			p.finish(deltasync.Settled{})
		}
		delete(s.passed, p.token)
	}
	clear(s.queue[len(kept):])
	s.queue = kept
}
