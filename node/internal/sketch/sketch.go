// Package sketch remembers what many clients used, in little memory: a count-min sketch (Cormode
// and Muthukrishnan, 2005) of instants in place of counts. An instant is a theoretical arrival time,
// or stands for the units of a window behind the window's start.
//
// An estimate is never too early, so whoever decides by it never admits too much. It is too late
// for a client that shares a cell with others in every row. Cells need no clearing: an instant that
// has passed, or lies before a window, says nothing.
package sketch

import (
	"math/bits"
	"sync/atomic"
)

// rows is how many cells a client has. More rows make it rarer that all of them are shared, and
// fill the sketch sooner. Four is the usual optimum for sketches that are up to half full.
const rows = 4

// The cells of a row, two for each client or more. With one, newcomers under a sliding window share
// cells too often in a flood that a table of this size bears; with four, the sketch takes as much
// memory as the table. Below leastWidth, clients of a small table share cells too often; above
// mostWidth, four rows take more than 32 MiB.
const (
	perClient  = 2
	leastWidth = 1 << 14
	mostWidth  = 1 << 20
)

// Instants is the sketch. Make one with New. Safe for concurrent use, if calls about one client do not
// overlap: an Estimate beside a Raise of the same client may miss it.
type Instants struct {
	cells  []atomic.Int64 // row by row; each holds the latest instant of all clients in it
	mask   uint64
	latest atomic.Int64 // of all that Raise was given as until
}

// New makes an empty sketch for about so many clients at once.
func New(clients int) *Instants {
	width := min(max(1<<bits.Len(uint(max(perClient*clients, 1)-1)), leastWidth), mostWidth)
	return &Instants{cells: make([]atomic.Int64, rows*width), mask: uint64(width) - 1} //nolint:gosec // positive
}

// cell is the client's cell in a row. The client is 128 bits of a keyed hash, so no attacker can
// choose who shares his cells. Each row takes other bits.
func (s *Instants) cell(row int, hi, lo uint64) *atomic.Int64 {
	at := lo
	if row >= rows/2 {
		at = hi
	}
	at >>= 28 * (row % (rows / 2))
	return &s.cells[uint64(row)*(s.mask+1)+at&s.mask] //nolint:gosec // few rows
}

// Estimate is the client's instant, in unix nanoseconds: never before the last one that Raise was
// given. It is 0, or long ago, for a client that nothing is known of.
func (s *Instants) Estimate(hi, lo uint64) int64 {
	least := s.cell(0, hi, lo).Load()
	for row := 1; row < rows; row++ {
		least = min(least, s.cell(row, hi, lo).Load())
	}
	return least
}

// Raise notes the client's instant, which counts until another one. Cells that say later stay, and
// so no other client's estimate falls.
func (s *Instants) Raise(hi, lo uint64, instant, until int64) {
	for row := range rows {
		raise(s.cell(row, hi, lo), instant)
	}
	raise(&s.latest, until)
}

func raise(c *atomic.Int64, to int64) {
	for {
		is := c.Load()
		if is >= to || c.CompareAndSwap(is, to) {
			return
		}
	}
}

// Latest is until when anything counts: once it has passed, the sketch says nothing any more.
func (s *Instants) Latest() int64 { return s.latest.Load() }
