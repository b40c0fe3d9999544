package rights

import (
	"slices"

	"github.com/distributed-rate-limiter/distributed-rate-limiter/crdt"
)

// Division is who has which shares from one instant on.
type Division struct {
	From   int64 // by Time.Own
	Roster *Roster
}

// Divisions are those of one run of a node, in their order: the first one begins with the run, and
// the last one holds. There is at least one. Immutable.
type Divisions []Division

// mostDivisions caps the divisions that a node remembers. Raising it makes the first look at a client
// take longer. Lowering it makes clients that nobody used for long begin with nothing sooner, while
// nodes come and go.
const mostDivisions = 16

// Then is the divisions with a further one.
func (ds Divisions) Then(next Division) Divisions {
	if len(ds) == mostDivisions {
		ds = ds[1:]
	}
	return append(slices.Clip(ds), next)
}

// Roster is the one that holds.
func (ds Divisions) Roster() *Roster { return ds[len(ds)-1].Roster }

// Terms are what a client's account goes by under the last division, and whether this node has one
// of the client's shares.
func (ds Divisions) Terms(s *Shares, k crdt.Key) (t *Terms, share bool) {
	return ds[len(ds)-1].terms(s, k)
}

func (d *Division) terms(s *Shares, k crdt.Key) (t *Terms, share bool) {
	t = s.Among(d.Roster.Size())
	return t, d.Roster.Self(k, t.Parts)
}

// Fresh is the account of a client that nobody used since began, with loans of the run before out until
// opens. It has gone through all divisions since: what is not remembered of them counts as nothing.
func (ds Divisions) Fresh(s *Shares, k crdt.Key, began, opens int64) (a Account) {
	i := len(ds) - 1
	for i > 0 && ds[i].From > began {
		i--
	}
	a.Began, a.Opens = max(began, ds[i].From), opens
	if a.Terms, a.Share = ds[i].terms(s, k); a.Share {
		a.Full = a.Began + a.Terms.Bottom()
	}
	for i++; i < len(ds); i++ {
		t := Time{Own: ds[i].From}
		a.Settle(t)
		terms, share := ds[i].terms(s, k)
		a.Change(t, terms, share)
	}
	a.fresh = a.Full
	return a
}

// Fastest is the least Parts of an account since an instant: it refilled no faster than one
// nanosecond in so many.
func (ds Divisions) Fastest(s *Shares, since int64) int64 {
	parts := s.Among(ds.Roster().Size()).Parts
	for i := len(ds) - 1; i > 0 && ds[i].From > since; i-- {
		parts = min(parts, s.Among(ds[i-1].Roster.Size()).Parts)
	}
	return parts
}

// Change puts the account under other terms from t on, at which it is settled (R7, H3). What it owns
// stays, as far as there is room. A larger credit is earned, not given. A share that it did not have
// before begins with nothing. What it lent out of one that it loses is over by the time at which it
// can have one again: see lending.Holdings.
func (a *Account) Change(t Time, to *Terms, share bool) {
	if a.windowed {
		return // see InWindow
	}
	lent := int64(0)
	if a.Record != nil {
		lent = a.Record.Lent()
	}
	switch {
	case !share:
		if a.Full = 0; lent > 0 {
			a.Record.lent = [2]int64{}
			a.Record.settled()
		}
	case !a.Share:
		a.Full = t.Own + to.Bottom()
	default:
		own := a.Own(t) - max(0, to.Overdraft-a.Terms.Overdraft)
		a.Full = max(t.Own+to.Parts*max(0, to.Room-own), t.Own+to.Parts*lent)
	}
	a.Terms, a.Share = to, share
}
