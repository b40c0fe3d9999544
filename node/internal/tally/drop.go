package tally

import "sync/atomic"

// Drop is why a row, a reset or a register entry of a peer's was not taken over.
type Drop uint8

// The reasons.
const (
	DropLimit    Drop = iota // of a limit that is not known here
	DropRevision             // of a revision that is not known here, or laid out otherwise
	DropFuture               // further ahead than the clock tolerance
	DropFull                 // of an unknown client, while the table is full
	DropExcess               // more than one node can have admitted
	DropPast                 // a reset that is older than what it would reset
	DropEnd
)

// String is the reason as metrics name it.
func (d Drop) String() string {
	return [DropEnd]string{"unknown_limit", "revision", "future", "table_full", "excess", "past"}[d]
}

// Drops counts what was dropped, by reason. The zero value is ready. Safe for concurrent use.
type Drops [DropEnd]atomic.Uint64

// Add counts n more.
func (d *Drops) Add(why Drop, n int) { d[why].Add(uint64(n)) } //nolint:gosec // a length

// Of is how many were dropped for a reason.
func (d *Drops) Of(why Drop) uint64 { return d[why].Load() }
