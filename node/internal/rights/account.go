package rights

import "math"

// Account is one client's account on one node, put together to work on for a moment. What
// lasts of it is Full, and the Record if there is one. Not safe for concurrent use.
type Account struct {
	Terms *Terms
	// Share says that the node has one of the client's shares. Without one it lives on loans.
	Share bool
	// Began is when this incarnation began to decide by the rule, by Time.Own. Until Opens,
	// loans of its predecessor may still be out.
	Began, Opens int64
	// Full is when the account would be full if nobody lent and took anything: it refills one
	// nanosecond in Terms.Parts. 0 is an account without a share.
	Full int64
	// fresh is what Full would be if nobody had used it.
	fresh int64
	// windowed says that the account is of a fixed window, which quota describes.
	windowed bool
	quota    quota
	// Record has the loans, nil while there are none.
	Record *Record
}

// farthest is how far ahead of the clock Full may be: forced charges stop counting there. It
// keeps sums within a number, and is far above what any limit admits.
const farthest = 1 << 62

// Opens is when an incarnation that begins at began may hold more than nothing: all loans that
// its predecessor made are over by then. Until then all of its room counts as lent (R6).
func (t *Terms) Opens(began int64) int64 { return began + 2*t.Epoch }

// Settle brings the account up to t: loans that are over return, and lots that are over end.
// Every other method needs an account that is settled at the same t.
func (a *Account) Settle(t Time) {
	if a.Record != nil {
		a.Record.expire(t)
	}
	if !a.Share || a.windowed {
		return
	}
	m := a.Terms.Parts
	// What was lent leaves no room to refill. This holds at the end of each epoch before the
	// room comes back, and now.
	a.Full = max(a.Full, min(t.Own, a.Opens)+m*a.Terms.Room)
	if r := a.Record; r != nil {
		epoch := t.Own / a.Terms.Epoch
		for r.Lent() > 0 && r.epoch < epoch {
			r.epoch++
			a.Full = max(a.Full, r.epoch*a.Terms.Epoch+m*r.Lent())
			r.lent[1], r.lent[0] = r.lent[0], 0
			r.settled()
		}
		a.Full = max(a.Full, t.Own+m*r.Lent())
	}
}

// Own is o: the node's own tokens, negative while it is on credit.
func (a *Account) Own(t Time) int64 {
	if a.windowed {
		return a.quota.own(a.Full)
	}
	if !a.Share {
		return 0
	}
	return a.Terms.Free(a.Full - t.Own)
}

// Free is what an account owns whose Full is so far ahead of the clock.
func (t *Terms) Free(ahead int64) int64 { return t.Room - (max(0, ahead)+t.Parts-1)/t.Parts }

// Free is what the account covers without credit: own tokens and what was borrowed.
func (a *Account) Free(t Time) int64 {
	free := a.Own(t)
	if a.Record != nil {
		free += a.Record.Borrowed()
	}
	return free
}

// Credit is how much of the credit there is beyond Free: what Spend may take in all is Free and
// Credit together.
func (a *Account) Credit() int64 {
	if a.windowed {
		return a.quota.credit
	}
	if !a.Share {
		return 0
	}
	return a.Terms.Overdraft
}

// Earns is how long it takes until Free is at least c, if nothing else happens; the largest
// number if it never is.
func (a *Account) Earns(t Time, c int64) int64 {
	lack := c - a.Free(t)
	switch {
	case lack <= 0:
		return 0
	case !a.Share || a.windowed || c > a.Terms.Room:
		return math.MaxInt64
	}
	return a.Terms.Parts * lack
}

// Spend takes c, first from what was borrowed, and returns what came from the account's own
// tokens. It asks nothing: whoever must not go below the credit looks at Free and Credit before.
func (a *Account) Spend(t Time, c int64) (own int64) {
	if a.Record != nil {
		c -= a.Record.spend(c)
	}
	if a.windowed {
		a.Full = a.quota.code(a.Own(t) - c)
	} else if a.Share && c > 0 {
		a.Full = later(max(a.Full, t.Own), a.Terms.Parts, c, t.Own)
	}
	return c
}

// Spend is Account.Settle and Account.Spend for an account with a share and without a Record: it takes c
// off, and returns Full. own is the time by Time.Own, and opens is Account.Opens. ok is false if the
// account does not cover c, or would get Low where it has others to ask.
func (t *Terms) Spend(full, own, opens, c int64, others bool) (after int64, ok bool) {
	most := t.Room
	if others {
		most = t.low()
	}
	if c > most {
		return full, false // and there is no telling how far ahead that would be
	}
	after = max(full, own, min(own, opens)+t.Parts*t.Room) + t.Parts*c
	return after, after-own <= t.Parts*most
}

// later is full + parts·c, but not farther ahead of now than farthest.
func later(full, parts, c, now int64) int64 {
	if room := now + farthest - full; c >= room/parts {
		return now + farthest
	}
	return full + parts*c
}

// GiveBack returns own tokens that were spent at since and are not used after all: as far as
// the account has not earned them again, one nanosecond in fastest at most. Borrowed tokens never
// come back. Under a fixed window since is by the node's time, and nothing comes back of another one.
func (a *Account) GiveBack(t Time, own, since, fastest int64) {
	if a.windowed {
		if since >= a.quota.start {
			a.repay(t, own)
		}
	} else if a.Share {
		a.repay(t, own-max(0, t.Own-since)/fastest)
	}
}

// repay raises the own tokens by y, as far as there is room.
func (a *Account) repay(t Time, y int64) {
	if y <= 0 {
		return
	}
	if a.windowed {
		a.Full = a.quota.code(a.Own(t) + y)
		return
	}
	floor := t.Own
	if a.Record != nil {
		floor += a.Terms.Parts * a.Record.Lent()
	}
	a.Full = max(a.Full-a.Terms.Parts*y, floor)
}

// Idle reports whether the account is as good as one that nobody used: full, without loans.
func (a *Account) Idle(t Time) bool {
	if a.windowed {
		return a.Record == nil && a.Full == a.fresh
	}
	return a.Record == nil && (!a.Share || a.Full <= t.Own || a.Full <= a.fresh)
}
