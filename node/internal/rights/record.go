package rights

import "github.com/distributed-rate-limiter/distributed-rate-limiter/crdt"

// Record is what an account has while it lends, borrows or asks: few do at a time. The zero
// Record has nothing.
type Record struct {
	// lent is λ: what was lent in the epoch, and in the one before. The epoch means nothing
	// while both are 0.
	lent  [2]int64
	epoch int64
	// to is the incarnation that all of lent went to, 0 if there were several, and last the
	// number of the last loan to it.
	to   crdt.Replica
	last uint64
	// lots are what was borrowed and not spent yet, the one that ends first first, and empty ones last.
	lots [mostLots]lot
	Asks Asks
}

// mostLots caps the loans that an account tells apart. At the cap two become one, which nobody gets back.
// Raising it makes records larger, by 40 bytes each. Below the number of nodes that a question reaches,
// more of what nobody uses is lost.
const mostLots = 8

// lot is borrowed tokens, until either clock reaches its end. from is who lent them, and epoch in which
// of its epochs; from is 0 if these were several.
type lot struct {
	tokens, mono, wall int64
	from               crdt.Replica
	epoch              int64
}

// Lent is λ: what is lent out, for all that this node knows.
func (r *Record) Lent() int64 { return r.lent[0] + r.lent[1] }

// Epoch is the one in which the last loan was made.
func (r *Record) Epoch() int64 { return r.epoch }

// Borrowed is what was borrowed and not spent yet.
func (r *Record) Borrowed() (tokens int64) {
	for i := range r.lots {
		tokens += r.lots[i].tokens
	}
	return tokens
}

// Empty reports whether the record has neither loans nor a question under way.
func (r *Record) Empty(t Time) bool { return r.Lent() == 0 && r.Borrowed() == 0 && r.Asks.quiet(t) }

// settled forgets the borrower once nothing is lent any more.
func (r *Record) settled() {
	if r.Lent() == 0 {
		r.to, r.last = 0, 0
	}
}

// expire ends the lots that are over.
func (r *Record) expire(t Time) {
	for i := range r.lots {
		if l := &r.lots[i]; l.tokens > 0 && (t.Mono >= l.mono || t.Wall >= l.wall) {
			r.Asks.expired(l.tokens)
			*l = lot{}
		}
	}
	r.tidy()
}

// tidy puts empty lots last.
func (r *Record) tidy() {
	kept := 0
	for _, l := range r.lots {
		if l.tokens > 0 {
			r.lots[kept] = l
			kept++
		}
	}
	clear(r.lots[kept:])
}

// spend takes at most c from the lots, and returns how much.
func (r *Record) spend(c int64) (spent int64) {
	for i := range r.lots {
		part := min(c-spent, r.lots[i].tokens)
		r.lots[i].tokens -= part
		spent += part
	}
	r.tidy()
	return spent
}

// Lend lends at most y of the account's own tokens to an incarnation, under a number that is
// above all earlier ones to it, and returns how much (R2). The account has a Record.
func (a *Account) Lend(t Time, y int64, to crdt.Replica, number uint64) int64 {
	y = min(y, a.Own(t))
	if a.windowed && y > 0 {
		a.Full = a.quota.code(a.Own(t) - y)
		return y
	}
	if !a.Share || y <= 0 {
		return 0
	}
	r := a.Record
	switch {
	case r.Lent() == 0:
		r.to, r.epoch = to, t.Own/a.Terms.Epoch
	case r.to != to:
		r.to = 0
	}
	r.last = number
	r.lent[0] += y
	a.Full = max(a.Full, t.Own) + a.Terms.Parts*y
	return y
}

// Told takes what an incarnation says that asks: it holds no more than held of what it
// borrowed, and takes no loan any more whose number is at most low. If all that is lent went
// to it under such numbers, no more than held is still out (R5).
func (a *Account) Told(from crdt.Replica, held int64, low uint64) {
	r := a.Record
	if a.windowed {
		return // nothing returns before the window ends
	}
	if r == nil || r.to != from || r.last > low {
		return
	}
	back := r.Lent() - held
	for i := len(r.lent) - 1; i >= 0 && back > 0; i-- { // the oldest first
		part := min(back, r.lent[i])
		r.lent[i] -= part
		back -= part
	}
	r.settled()
}

// GiveUp takes what is unspent of one loan out of the account, if the client was not used lately, so
// that its lender can have it back. Nobody else has it meanwhile. The account has a Record.
func (a *Account) GiveUp(t Time) (tokens int64, from crdt.Replica, epoch int64) {
	if !a.Unused(t) {
		return 0, 0, 0
	}
	for i := range a.Record.lots {
		if l := a.Record.lots[i]; l.tokens > 0 && l.from != 0 {
			a.Record.lots[i].tokens = 0
			a.Record.tidy()
			return l.tokens, l.from, l.epoch
		}
	}
	return 0, 0, 0
}

// Back takes y tokens back that somebody gives up of a loan of an epoch. What was lent in that epoch
// counts as lent still, or nothing comes back: then its room has refilled. It returns how many came back.
// The caller takes each report once, and before it takes what the same report says by Told.
func (a *Account) Back(t Time, y, epoch int64) int64 {
	r := a.Record
	if !a.Share || a.windowed || r == nil || y <= 0 || epoch > r.epoch || epoch < r.epoch-1 {
		return 0
	}
	part := r.epoch - epoch
	y = min(y, r.lent[part])
	r.lent[part] -= y
	a.repay(t, y)
	r.settled()
	return y
}

// Borrow takes y tokens that a lender lent in one of its epochs, because of a question that was asked
// at the given instants of both clocks (R4). They repay what the account owes first, and the rest is
// a lot. It returns how many tokens it took: none, if the loan is over. The caller takes each loan
// once. The account has a Record.
func (a *Account) Borrow(t Time, y, askedMono, askedWall int64, from crdt.Replica, epoch int64) int64 {
	if a.windowed {
		a.repay(t, y)
		return max(0, y)
	}
	l := lot{mono: askedMono + a.Terms.Loan, wall: askedWall + a.Terms.Loan, from: from, epoch: epoch}
	if y <= 0 || t.Mono >= l.mono || t.Wall >= l.wall {
		return 0
	}
	owed := min(max(0, -a.Own(t)), y)
	a.repay(t, owed)
	if l.tokens = y - owed; l.tokens > 0 {
		a.Record.add(l)
	}
	return y
}

// join adds the tokens of another lot, and ends with the first of them.
func (l *lot) join(o lot) {
	l.tokens += o.tokens
	l.mono, l.wall = min(l.mono, o.mono), min(l.wall, o.wall)
	if l.from != o.from || l.epoch != o.epoch {
		l.from, l.epoch = 0, 0
	}
}

// add puts a lot where it belongs.
func (r *Record) add(l lot) {
	last := &r.lots[mostLots-1]
	for i := range r.lots {
		if o := &r.lots[i]; o.mono == l.mono && o.wall == l.wall && o.from == l.from && o.epoch == l.epoch {
			o.join(l)
			return
		}
	}
	if last.tokens > 0 {
		l.join(*last)
	}
	at := 0
	for at < mostLots-1 && r.lots[at].tokens > 0 && r.lots[at].mono <= l.mono {
		at++
	}
	copy(r.lots[at+1:], r.lots[at:])
	r.lots[at] = l
}
