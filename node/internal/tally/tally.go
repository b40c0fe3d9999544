// Package tally counts what a node decides, by limit, and what it drops of what its peers
// say.
package tally

import (
	"sync/atomic"

	"github.com/distributed-rate-limiter/distributed-rate-limiter/node/internal/top"
)

// Account is what is counted of one limit's decisions, over all its revisions. Name and
// Index are read-only; the rest is safe for concurrent use.
type Account struct {
	Name string // as statistics show it
	// Override is the name of the overrides that are counted, "" for all else of the limit.
	Override string
	// Index is the place of the limit's Counts in every shard. A limit that is deleted
	// leaves its index to a later one, so Counts also remember whose they are.
	Index     int
	Overshoot Overshoot
	Late      Late
	Debts     Debts
	Doors     Doors
	Rights    Rights
	Refusals  Refusals
	Top       top.Clients
	// Odd counts look-ups of ids that look like addresses and are none, where that matters.
	Odd atomic.Uint64
}

// Overshoot is by how much a limit was over-admitted, as merging revealed it. The zero value
// is ready. Safe for concurrent use.
type Overshoot struct{ units, peak atomic.Uint64 }

// Observe notes that a client was beyond its limit by was units before a merge and by over
// units after it.
func (o *Overshoot) Observe(was, over uint64) {
	if over <= was {
		return
	}
	o.units.Add(over - was)
	for {
		p := o.peak.Load()
		if over <= p || o.peak.CompareAndSwap(p, over) {
			return
		}
	}
}

// Seen is the sum of what was observed, and the most for one client, in units.
func (o *Overshoot) Seen() (units, peak uint64) { return o.units.Load(), o.peak.Load() }

// Decisions counts decisions and their cost. A decision that only a shadow limit would have
// denied counts as allowed, and as shadowed.
type Decisions struct {
	Allowed, Denied, Shadowed                uint64
	AllowedUnits, DeniedUnits, ShadowedUnits uint64
}

// Add adds o's counts to d.
func (d *Decisions) Add(o *Decisions) {
	d.Allowed, d.Denied, d.Shadowed = d.Allowed+o.Allowed, d.Denied+o.Denied, d.Shadowed+o.Shadowed
	d.AllowedUnits, d.DeniedUnits = d.AllowedUnits+o.AllowedUnits, d.DeniedUnits+o.DeniedUnits
	d.ShadowedUnits += o.ShadowedUnits
}

// Counts are one shard's Decisions of all limits, by Account.Index. The zero value is empty
// and grows as it needs to. Not safe for concurrent use: the shard's lock guards it.
type Counts []count

// count fills a cache line: neighbouring limits share none.
type count struct {
	of *Account // whose they are: the index may be another's by now
	Decisions
	_ [8]byte
}

// Count counts one decision on cost, which is positive. shadowed says that only a shadow
// limit would have denied it.
func (c *Counts) Count(a *Account, cost int64, allowed, shadowed bool) {
	t := c.at(a)
	units := uint64(cost) //nolint:gosec // positive
	if allowed {
		t.Allowed++
		t.AllowedUnits += units
	} else {
		t.Denied++
		t.DeniedUnits += units
	}
	if shadowed {
		t.Shadowed++
		t.ShadowedUnits += units
	}
}

// Admit counts an admission of cost, which is positive.
func (c *Counts) Admit(a *Account, cost int64) {
	t := c.at(a)
	t.Allowed++
	t.AllowedUnits += uint64(cost) //nolint:gosec // positive
}

func (c *Counts) at(a *Account) *count {
	if a.Index < len(*c) {
		if t := &(*c)[a.Index]; t.of == a {
			return t
		}
	}
	return c.begin(a)
}

// begin makes the count of a limit that was set after the start, or that has the index of another one.
//
//go:noinline
func (c *Counts) begin(a *Account) *count {
	for a.Index >= len(*c) {
		*c = append(*c, count{})
	}
	(*c)[a.Index] = count{of: a}
	return &(*c)[a.Index]
}

// Of are the counts of one limit, zero if there are none.
func (c Counts) Of(a *Account) Decisions {
	if a.Index < len(c) && c[a.Index].of == a {
		return c[a.Index].Decisions
	}
	return Decisions{}
}
