package tally

import "sync/atomic"

// Debts count the units of a limit that were charged after the work was done: by charges,
// and by reservations that cost more than their estimate. The zero value is ready. Safe for
// concurrent use.
type Debts struct{ charged, refused atomic.Uint64 }

// Observe notes what was charged, and what was not because of the debt cap or a full table.
// Neither is negative.
func (d *Debts) Observe(charged, refused int64) {
	if charged > 0 {
		d.charged.Add(uint64(charged))
	}
	if refused > 0 {
		d.refused.Add(uint64(refused))
	}
}

// Seen are the sums of what was observed, in units.
func (d *Debts) Seen() (charged, refused uint64) { return d.charged.Load(), d.refused.Load() }
