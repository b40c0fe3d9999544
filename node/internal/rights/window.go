package rights

import "github.com/distributed-rate-limiter/distributed-rate-limiter/crdt"

// An account under a fixed window is of one window, which its start names. It has a share of the quota
// from the first moment on, and does not refill. What it lends is the borrower's until the window ends:
// so there is no room to lend, and nothing returns by time. A loan under way when the window ends is
// void, because its question names the window.
//
// Take the sum of own tokens and credit over all nodes, and of the loans under way. It is at most L + X
// when nobody has used the window yet. Admitting c lowers it by c, lending leaves it, loss and crashes
// lower it, and nothing raises it. So all nodes together admit at most L + X in a window, whatever the
// network and the clocks do.
//
// That needs one thing: nobody has a share of one window twice. A node's share of a window is the least
// that it had since a margin before the window began. So a run that began later has none: the run
// before may have used it, also if its clock was ahead by as much as the margin. Shares rise with the
// window after next at the latest.

// quota is what an account under a fixed window goes by beside its Terms.
type quota struct {
	start        int64 // of the window, by the node's time
	life         int64 // the start, moved by the client's last reset if that is later: see Life
	depth        int64 // the whole quota
	room, credit int64 // what this node has of it
}

// InWindow is the account of a client that nobody used in the window that starts at start, by the
// node's time, which is own by Time.Own. It has no share unless that held since margin before, and
// since began.
func (ds Divisions) InWindow(s *Shares, k crdt.Key, began, start, own, margin int64) (a Account) {
	a.Terms, a.Share = ds.Terms(s, k)
	a.windowed, a.quota = true, quota{start: start, life: start, depth: s.depth}
	if own-margin < ds[0].From || own <= began {
		a.Share = false
	}
	q := &a.quota
	q.room, q.credit = a.Terms.Room, a.Terms.Overdraft
	for i := len(ds) - 1; i > 0 && ds[i].From > own-margin; i-- {
		before, share := ds[i-1].terms(s, k)
		a.Share = a.Share && share
		q.room, q.credit = min(q.room, before.Room), min(q.credit, before.Overdraft)
	}
	if !a.Share {
		q.room, q.credit = 0, 0
	}
	a.Full = q.code(q.room)
	a.fresh = a.Full
	return a
}

// Life names what the account counts in its window by the client's last reset. A loan out of the life before
// would add to the share that the borrower has anew. So a question names the life, as an instant within
// half the shortest window.
func (a *Account) Life(reset crdt.Stamp) {
	if q := &a.quota; a.windowed && reset.At >= q.start {
		q.life = q.start + 1 + int64((uint64(reset.At)+uint64(reset.By))%uint64(q.depth)) //nolint:gosec // positive
	}
}

// Resume takes over what an account was in a window, if that is the same one.
func (a *Account) Resume(full int64) {
	if !a.windowed || full > a.quota.start {
		a.Full = full
	}
}

// code is Account.Full of an account that owns so much. The whole quota takes half of the shortest
// window to drain, by Rule.GCRA. So it is an instant in the first half of the window, or in the second
// one while the client is in debt; more debt is not counted, since no loan can pay it.
func (q *quota) code(own int64) int64 {
	return q.start + 1 + q.depth - min(max(own, 4-q.depth), q.depth)
}

func (q *quota) own(full int64) int64 { return q.depth - (full - q.start - 1) }

// piece is the most that is lent of own tokens at one time, at least a unit: a loan that is lost is
// lost until the window ends.
func (q *quota) piece(own, unit int64) int64 { return max(own/4, min(own, unit)) }

// Window is the start of the account's window; 0 if it is not of a window.
func (a *Account) Window() int64 {
	if !a.windowed {
		return 0
	}
	return a.quota.start
}

// Room is the most that the account owns without loans.
func (a *Account) Room() int64 {
	switch {
	case a.windowed:
		return a.quota.room
	case !a.Share:
		return 0
	}
	return a.Terms.Room
}

// Holds is what a question says that its asker holds: the window and the life that it asks for, or what
// it borrowed. The account has a Record.
func (a *Account) Holds() int64 {
	if a.windowed {
		return a.quota.life
	}
	return a.Record.Borrowed()
}

// Matches reports whether a question that says so is of the account's window and life.
func (a *Account) Matches(held int64) bool { return !a.windowed || a.quota.life == held }

// Piece is the most that a lender gives at one time, if a unit is so much.
func (a *Account) Piece(t Time, unit int64) int64 {
	if !a.windowed {
		return a.Own(t)
	}
	return a.quota.piece(a.Own(t), unit)
}

// Spent is Account.Full of an account that owns nothing in the window that starts at start.
func (s *Shares) Spent(start int64) int64 {
	q := quota{start: start, depth: s.depth}
	return q.code(0)
}
