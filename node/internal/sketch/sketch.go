// Package sketch remembers how long many clients still have to drain, in little memory: a
// count-min sketch (Cormode and Muthukrishnan, 2005) of theoretical arrival times in place of
// counts.
//
// An estimate is never too low, so whoever decides by it never admits too much. It is too high for
// a client that shares a cell with others in every row. Cells need no clearing: a time that has
// passed says nothing.
package sketch

import (
	"math/bits"
	"sync/atomic"
)

// rows is how many cells a client has. More rows make it rarer that all of them are shared, and
// fill the sketch sooner. Four is the usual optimum for sketches that are up to half full.
const rows = 4

// The cells of a row. Below leastWidth, clients of a small table share cells too often; above
// mostWidth, four rows take more than 32 MiB.
const (
	leastWidth = 1 << 14
	mostWidth  = 1 << 20
)

// TATs is the sketch. Make one with New. Safe for concurrent use, if calls about one client do not
// overlap: an Estimate beside a Raise of the same client may miss it.
type TATs struct {
	cells  []atomic.Int64 // row by row; each holds the latest time of all clients in it
	mask   uint64
	latest atomic.Int64
}

// New makes an empty sketch for about so many clients at once.
func New(clients int) *TATs {
	width := min(max(1<<bits.Len(uint(max(clients, 1)-1)), leastWidth), mostWidth)
	return &TATs{cells: make([]atomic.Int64, rows*width), mask: uint64(width) - 1} //nolint:gosec // positive
}

// cell is the client's cell in a row. The client is 128 bits of a keyed hash, so no attacker can
// choose who shares his cells. Each row takes other bits.
func (t *TATs) cell(row int, hi, lo uint64) *atomic.Int64 {
	at := lo
	if row >= rows/2 {
		at = hi
	}
	at >>= 28 * (row % (rows / 2))
	return &t.cells[uint64(row)*(t.mask+1)+at&t.mask] //nolint:gosec // few rows
}

// Estimate is an instant by which the client has drained, in unix nanoseconds: never before the
// last one that Raise was given. It is 0, or has passed, for a client that nothing is known of.
func (t *TATs) Estimate(hi, lo uint64) int64 {
	least := t.cell(0, hi, lo).Load()
	for row := 1; row < rows; row++ {
		least = min(least, t.cell(row, hi, lo).Load())
	}
	return least
}

// Raise notes that the client will have drained at tat. Cells that say later stay, and so no
// other client's estimate falls.
func (t *TATs) Raise(hi, lo uint64, tat int64) {
	for row := range rows {
		raise(t.cell(row, hi, lo), tat)
	}
	raise(&t.latest, tat)
}

func raise(c *atomic.Int64, to int64) {
	for {
		is := c.Load()
		if is >= to || c.CompareAndSwap(is, to) {
			return
		}
	}
}

// Latest is the latest instant of all: once it has passed, the sketch says nothing any more.
func (t *TATs) Latest() int64 { return t.latest.Load() }
