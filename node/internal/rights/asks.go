package rights

import "math"

// Asks is when and how much an account asks the others, and what it gives to those who ask.
// Nothing of it matters to the cap: it only decides how many requests wait or are denied. The
// zero Asks has not asked yet.
type Asks struct {
	recent, lasting meter
	short           int64 // what was denied for want of tokens since the last question
	open            int   // lenders that have not answered the question under way
	since           int64 // when it was asked, by the monotonic clock
	found           bool  // some lender gave something
	pause           int64 // after questions in vain, nanoseconds
	until           int64 // no question before then
	used            int64 // when the client was last decided on
	Listed          bool  // whoever keeps a list of those that are to ask has it there
	over            int64 // what ended unspent of what was borrowed, since it was last counted
}

const (
	// recently is the least time whose demand a node asks for ahead. Raising it borrows more
	// than is used; lowering it lets a burst wait for answers.
	recently = int64(20e6)
	// firstPause and lastPause are how long a node does not ask after a question in vain: the
	// pause doubles. Raising the first denies a client whose tokens are just being earned for
	// longer; lowering it asks more often in vain. The last does the same for a client that is
	// over its limit for long.
	firstPause = int64(2e6)
	lastPause  = int64(100e6)
	// patience is how long a question waits for answers beyond the round trip that the network
	// usually takes. Raising it delays the next question after a loss, lowering it asks anew
	// while answers are under way.
	patience = int64(10e6)
	// idleAfter is when a client counts as unused here, so that all of its tokens are lent.
	// Raising it keeps tokens that nobody needs. Lowering it gives away what the next request
	// needs.
	idleAfter = int64(2e9)
)

// meter sums up what was used lately: what is as old as its span counts for less than half.
type meter struct {
	sum float64
	at  int64
}

func (m *meter) read(now, span int64) float64 {
	return m.sum * math.Exp(-float64(max(0, now-m.at))/float64(span))
}

func (m *meter) add(now, span int64, c int64) {
	m.sum, m.at = m.read(now, span)+float64(c), now
}

func (k *Asks) quiet(t Time) bool { return k.open == 0 && t.Mono-k.used > idleAfter }

func (k *Asks) expired(tokens int64) { k.over += tokens }

// Expired is what ended unspent of what was borrowed since the last call.
func (r *Record) Expired() (tokens int64) {
	tokens, r.Asks.over = r.Asks.over, 0
	return tokens
}

// span is what counts as recently where messages take delay.
func span(delay int64) int64 { return max(recently, 4*delay) }

// beforeEnd is how long before its end a loan that nobody needs goes back. Raising it takes tokens from
// where the next request may come. Lowering it lets them end on their way: whoever looks for such loans
// does so once a second.
const beforeEnd = int64(2500e6)

// Unused reports whether the account holds a loan that will end soon, although the client was not used
// lately.
func (a *Account) Unused(t Time) bool {
	r := a.Record
	return r != nil && r.Borrowed() > 0 && t.Mono-r.Asks.used > min(idleAfter, a.Terms.Loan/2) && r.lots[0].mono-t.Mono < min(beforeEnd, a.Terms.Loan/2)
}

// Use notes a decision on c, and whether it was denied for want of tokens.
func (a *Account) Use(t Time, c, delay int64, short bool) {
	k := &a.Record.Asks
	k.used = t.Mono
	k.recent.add(t.Mono, span(delay), c)
	k.lasting.add(t.Mono, a.Terms.Loan, c)
	if short {
		k.short = min(k.short+c, a.Terms.Parts*(a.Terms.Room+a.Terms.Overdraft))
	}
}

// Low reports whether an account without a Record has used so much that it should get one, to
// ask ahead of need.
func (a *Account) Low(t Time) bool { return a.Free(t) < a.Terms.Room-a.Terms.low() }

// low is how much an account can lack and not be Low. Raising it lets clients use more before nodes ask
// ahead for them. Lowering it makes more clients take the memory and time of a Record.
func (t *Terms) low() int64 { return t.Room / 4 }

// Wish is how much to ask for now, at most left in all; 0 is not to ask.
func (a *Account) Wish(t Time, delay, left int64) int64 {
	k := &a.Record.Asks
	if k.open > 0 && t.Mono-k.since > 4*delay+patience {
		k.conclude(t)
	}
	if t.Mono < k.until {
		return 0
	}
	free := a.Free(t)
	soon := int64(k.recent.read(t.Mono, span(delay)))
	later := int64(k.lasting.read(t.Mono, a.Terms.Loan))
	if a.Share && !a.windowed {
		later -= a.Terms.Loan / a.Terms.Parts
	}
	need := soon + max(0, later)/4
	if k.open > 0 && k.short <= need/2 || k.short == 0 && free >= need {
		return 0
	}
	return max(0, min(max(k.short, 2*need)-max(0, free)+max(0, -free), left-max(0, free)))
}

// Asked notes a question to so many lenders.
func (a *Account) Asked(t Time, lenders int) {
	k := &a.Record.Asks
	k.open, k.since, k.found, k.short = lenders, t.Mono, false, 0
}

// Answered notes one lender's answer.
func (a *Account) Answered(t Time, got int64) {
	k := &a.Record.Asks
	k.found = k.found || got > 0
	if k.open > 0 {
		if k.open--; k.open == 0 {
			k.conclude(t)
		}
	}
}

// Awaits reports whether an answer may still come: a question is open, or is about to be asked.
func (k *Asks) Awaits() bool { return k.open > 0 || k.Listed }

// conclude ends the question under way.
func (k *Asks) conclude(t Time) {
	if k.open = 0; k.found {
		k.pause = 0
		return
	}
	k.pause = min(max(2*k.pause, firstPause), lastPause)
	k.until = t.Mono + k.pause
}

// Pauses is for how long the account asks nobody.
func (a *Account) Pauses(t Time) int64 {
	if a.Record == nil {
		return 0
	}
	return max(0, a.Record.Asks.until-t.Mono)
}

// Spare is how much of its own tokens the account can do without, if a unit is so much. seen says that
// the client was seen here in the last minutes. An account keeps what completes a unit of what it
// borrowed: no request fits into less, and what was borrowed would end unspent.
func (a *Account) Spare(t Time, delay, unit int64, seen bool) int64 {
	own := a.Own(t)
	k := &a.Record.Asks
	switch {
	case k.used == 0 && seen: // when is not known
		return max(0, own-2*max(0, a.Terms.Room-own-a.Record.Lent()))
	case k.used == 0, t.Mono-k.used > max(idleAfter, a.Terms.Loan):
		return own
	}
	earns := a.Terms.Loan / a.Terms.Parts
	if a.windowed {
		earns = 0
	}
	keep := 2*int64(k.recent.read(t.Mono, span(delay))) + max(0, int64(k.lasting.read(t.Mono, a.Terms.Loan))-earns)
	if a.Record.Borrowed() > 0 {
		keep = max(keep, unit-a.Record.Borrowed())
	}
	return max(0, own-keep)
}
